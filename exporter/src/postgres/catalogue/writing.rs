//! Checkpoints, the background writer, and the log of writes.

use exposition::Kind;

use crate::postgres::collector::{ALL, Collector, Column, Null, Pace, counter, gauge, scaled};

/// Checkpoints under the names of both families, whichever view tells them.
const CHECKPOINTS: &[Column] = &[
    counter(
        "timed",
        "pg_stat_bgwriter_checkpoints_timed_total",
        "Checkpoints that were due.",
    ),
    counter(
        "timed",
        "pg_stat_checkpointer_num_timed_total",
        "Checkpoints that were due.",
    ),
    counter(
        "requested",
        "pg_stat_bgwriter_checkpoints_req_total",
        "Checkpoints that were asked for.",
    ),
    counter(
        "requested",
        "pg_stat_checkpointer_num_requested_total",
        "Checkpoints that were asked for.",
    ),
    counter(
        "write_time",
        "pg_stat_bgwriter_checkpoint_write_time_total",
        "Milliseconds writing in checkpoints.",
    ),
    counter(
        "write_time",
        "pg_stat_checkpointer_write_time_total",
        "Milliseconds writing in checkpoints.",
    ),
    counter(
        "sync_time",
        "pg_stat_bgwriter_checkpoint_sync_time_total",
        "Milliseconds waiting for the disk in checkpoints.",
    ),
    counter(
        "sync_time",
        "pg_stat_checkpointer_sync_time_total",
        "Milliseconds waiting for the disk in checkpoints.",
    ),
    counter(
        "buffers",
        "pg_stat_bgwriter_buffers_checkpoint_total",
        "Buffers written by checkpoints.",
    ),
    counter(
        "buffers",
        "pg_stat_checkpointer_buffers_written_total",
        "Buffers written by checkpoints.",
    ),
    counter(
        "reset",
        "pg_stat_checkpointer_stats_reset_total",
        "When the counts were set back.",
    ),
    counter(
        "num_done",
        "pg_stat_checkpointer_num_done_total",
        "Checkpoints that were completed.",
    ),
    counter(
        "restartpoints_timed",
        "pg_stat_checkpointer_restartpoints_timed_total",
        "Restartpoints that were due.",
    ),
    counter(
        "restartpoints_req",
        "pg_stat_checkpointer_restartpoints_req_total",
        "Restartpoints that were asked for.",
    ),
    counter(
        "restartpoints_done",
        "pg_stat_checkpointer_restartpoints_done_total",
        "Restartpoints that were completed.",
    ),
];

const BACKENDS: &[Column] = &[
    counter(
        "buffers_backend",
        "pg_stat_bgwriter_buffers_backend_total",
        "Buffers that clients' processes had to write.",
    ),
    counter(
        "buffers_backend_fsync",
        "pg_stat_bgwriter_buffers_backend_fsync_total",
        "Times that clients' processes had to wait for the disk.",
    ),
];

pub(super) const COLLECTORS: &[Collector] = &[
    Collector {
        name: "stat_bgwriter",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT buffers_clean, maxwritten_clean, buffers_alloc, stats_reset FROM pg_stat_bgwriter",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: &[
            counter(
                "buffers_clean",
                "pg_stat_bgwriter_buffers_clean_total",
                "Buffers written by the background writer.",
            ),
            counter(
                "maxwritten_clean",
                "pg_stat_bgwriter_maxwritten_clean_total",
                "Times that the background writer stopped because it had written enough.",
            ),
            counter(
                "buffers_alloc",
                "pg_stat_bgwriter_buffers_alloc_total",
                "Buffers allocated.",
            ),
            counter(
                "stats_reset",
                "pg_stat_bgwriter_stats_reset_total",
                "When the counts were set back.",
            ),
        ],
    },
    Collector {
        name: "stat_bgwriter",
        versions: 0..=16,
        pace: Pace::Each,
        sql: "SELECT buffers_backend, buffers_backend_fsync FROM pg_stat_bgwriter",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: BACKENDS,
    },
    Collector {
        name: "stat_bgwriter",
        versions: 17..=u32::MAX,
        pace: Pace::Each,
        sql: "SELECT sum(writes) AS buffers_backend, sum(fsyncs) AS buffers_backend_fsync
              FROM pg_stat_io WHERE backend_type = 'client backend' AND object = 'relation'",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: BACKENDS,
    },
    Collector {
        name: "stat_checkpointer",
        versions: 0..=16,
        pace: Pace::Each,
        sql: "SELECT checkpoints_timed AS timed, checkpoints_req AS requested,
                checkpoint_write_time AS write_time, checkpoint_sync_time AS sync_time,
                buffers_checkpoint AS buffers, stats_reset AS reset FROM pg_stat_bgwriter",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: CHECKPOINTS,
    },
    Collector {
        name: "stat_checkpointer",
        versions: 17..=u32::MAX,
        pace: Pace::Each,
        sql: "SELECT *, num_timed AS timed, num_requested AS requested,
                buffers_written AS buffers, stats_reset AS reset FROM pg_stat_checkpointer",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: CHECKPOINTS,
    },
    Collector {
        name: "wal",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT count(*) AS segments, coalesce(sum(size), 0) AS size FROM pg_ls_waldir()
              WHERE name ~ '^[0-9A-F]{24}$'",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge("segments", "pg_wal_segments", "Files of the log of writes."),
            gauge("size", "pg_wal_size_bytes", "Size of these files."),
        ],
    },
    Collector {
        name: "stat_wal",
        versions: 14..=u32::MAX,
        pace: Pace::Each,
        sql: "SELECT wal_records, wal_fpi, wal_bytes, wal_buffers_full FROM pg_stat_wal",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: &[
            counter(
                "wal_records",
                "belfry_postgres_wal_records_total",
                "Records written to the log.",
            ),
            counter(
                "wal_fpi",
                "belfry_postgres_wal_full_pages_total",
                "Whole pages written to the log.",
            ),
            counter(
                "wal_bytes",
                "belfry_postgres_wal_bytes_total",
                "Bytes written to the log.",
            ),
            counter(
                "wal_buffers_full",
                "belfry_postgres_wal_buffers_full_total",
                "Times that the log's buffers were full.",
            ),
        ],
    },
    Collector {
        name: "postmaster",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT pg_postmaster_start_time() AS start",
        labels: &[],
        server: false,
        null: Null::Nothing,
        columns: &[scaled(
            "start",
            "pg_postmaster_start_time_seconds",
            Kind::Gauge,
            1.0,
            "When the server started.",
        )],
    },
    Collector {
        name: "system_identifier",
        versions: ALL,
        pace: Pace::Seldom,
        sql: "SELECT system_identifier, 1 AS one FROM pg_control_system()",
        labels: &["system_identifier"],
        server: false,
        null: Null::Nothing,
        columns: &[gauge(
            "one",
            "belfry_postgres_system_info",
            "Which cluster of data this is: replicas and restored copies share the number.",
        )],
    },
];
