//! Input and output by kind of process, and vacuums in progress.

use exposition::Kind;

use crate::postgres::collector::{ALL, Collector, Column, Null, Pace, counter, gauge, scaled};

const IO: &[Column] = &[
    counter("reads", "belfry_postgres_io_reads_total", "Reads."),
    counter(
        "read_bytes",
        "belfry_postgres_io_read_bytes_total",
        "Bytes read.",
    ),
    scaled(
        "read_time",
        "belfry_postgres_io_read_seconds_total",
        Kind::Counter,
        1e-3,
        "Time spent reading; 0 unless track_io_timing is on.",
    ),
    counter("writes", "belfry_postgres_io_writes_total", "Writes."),
    counter(
        "write_bytes",
        "belfry_postgres_io_write_bytes_total",
        "Bytes written.",
    ),
    scaled(
        "write_time",
        "belfry_postgres_io_write_seconds_total",
        Kind::Counter,
        1e-3,
        "Time spent writing; 0 unless track_io_timing is on.",
    ),
    counter(
        "extends",
        "belfry_postgres_io_extends_total",
        "Times that a file was made longer.",
    ),
    counter(
        "extend_bytes",
        "belfry_postgres_io_extend_bytes_total",
        "Bytes by which files were made longer.",
    ),
    counter(
        "hits",
        "belfry_postgres_io_hits_total",
        "Blocks found in the cache.",
    ),
    counter(
        "evictions",
        "belfry_postgres_io_evictions_total",
        "Blocks thrown out of the cache.",
    ),
    counter(
        "fsyncs",
        "belfry_postgres_io_fsyncs_total",
        "Calls of fsync.",
    ),
];

const IO_LABELS: &[&str] = &["backend_type", "context", "object"];

pub(super) const COLLECTORS: &[Collector] = &[
    Collector {
        name: "stat_io",
        versions: 16..=17,
        pace: Pace::Each,
        sql: "SELECT *, reads * op_bytes AS read_bytes, writes * op_bytes AS write_bytes,
                extends * op_bytes AS extend_bytes FROM pg_stat_io
              WHERE coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0)
                + coalesce(hits, 0) > 0",
        labels: IO_LABELS,
        server: false,
        // What cannot happen is null.
        null: Null::Nothing,
        columns: IO,
    },
    Collector {
        name: "stat_io",
        versions: 18..=u32::MAX,
        pace: Pace::Each,
        sql: "SELECT * FROM pg_stat_io
              WHERE coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0)
                + coalesce(hits, 0) > 0",
        labels: IO_LABELS,
        server: false,
        null: Null::Nothing,
        columns: IO,
    },
    Collector {
        name: "stat_progress_vacuum",
        versions: ALL,
        pace: Pace::Each,
        // The tables of other databases have no name here, only a number. The
        // two columns on dead rows changed their names and became bytes in 17.
        sql: "SELECT p.datname, coalesce(c.relname, p.relid::text) AS relname,
                (to_jsonb(p) ->> 'heap_blks_total')::float8 AS blocks,
                (to_jsonb(p) ->> 'heap_blks_scanned')::float8 AS scanned,
                (to_jsonb(p) ->> 'heap_blks_vacuumed')::float8 AS vacuumed,
                (to_jsonb(p) ->> 'index_vacuum_count')::float8 AS rounds,
                coalesce(to_jsonb(p) ->> 'max_dead_tuple_bytes', to_jsonb(p) ->> 'max_dead_tuples')::float8 AS room,
                coalesce(to_jsonb(p) ->> 'dead_tuple_bytes', to_jsonb(p) ->> 'num_dead_tuples')::float8 AS dead
              FROM pg_stat_progress_vacuum p
              LEFT JOIN pg_class c ON c.oid = p.relid AND p.datname = current_database()",
        labels: &["datname", "relname"],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge("blocks", "pg_stat_progress_vacuum_heap_blks", "Blocks of the table."),
            gauge("scanned", "pg_stat_progress_vacuum_heap_blks_scanned", "Blocks that were scanned."),
            gauge("vacuumed", "pg_stat_progress_vacuum_heap_blks_vacuumed", "Blocks that were vacuumed."),
            gauge("rounds", "pg_stat_progress_vacuum_index_vacuums", "Rounds over the indexes."),
            gauge("room", "pg_stat_progress_vacuum_max_dead_tuples", "Room for dead rows before a round over the indexes: rows, and bytes since version 17."),
            gauge("dead", "pg_stat_progress_vacuum_num_dead_tuples", "Dead rows since the last round: rows, and bytes since version 17."),
        ],
    },
    Collector {
        name: "stat_progress_vacuum",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT p.datname, coalesce(c.relname, p.relid::text) AS relname,
                phases.phase, p.phase = phases.phase AS now
              FROM pg_stat_progress_vacuum p
              CROSS JOIN unnest(ARRAY['initializing', 'scanning heap', 'vacuuming indexes',
                'vacuuming heap', 'cleaning up indexes', 'truncating heap',
                'performing final cleanup']) AS phases(phase)
              LEFT JOIN pg_class c ON c.oid = p.relid AND p.datname = current_database()",
        labels: &["datname", "phase", "relname"],
        server: false,
        null: Null::Zero,
        columns: &[gauge("now", "pg_stat_progress_vacuum_phase", "Whether the vacuum is in this phase.")],
    },
];
