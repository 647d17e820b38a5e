//! Replication: as a replica, towards replicas, slots, and the archive.

use exposition::Kind;

use crate::postgres::collector::{ALL, Collector, Null, Pace, counter, gauge, scaled};

pub(super) const COLLECTORS: &[Collector] = &[
    Collector {
        name: "replication",
        versions: ALL,
        pace: Pace::Each,
        // A replica that has replayed all it received lags behind nothing.
        sql: "SELECT pg_is_in_recovery() AS replica,
                CASE WHEN NOT pg_is_in_recovery() THEN 0
                  WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                  ELSE greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()))
                END AS lag,
                extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) AS last",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge("replica", "pg_replication_is_replica", "Whether the server is a replica."),
            gauge("lag", "pg_replication_lag_seconds", "How far the replica is behind; 0 for others."),
            gauge("lag", "pg_replication_lag", "How far the replica is behind, in seconds; 0 for others."),
            gauge("last", "pg_replication_last_replay_seconds", "Seconds since the last replayed transaction was committed."),
        ],
    },
    Collector {
        name: "replication_slots",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT database, slot_name, active,
                CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                  ELSE pg_current_wal_lsn() END - restart_lsn AS kept
              FROM pg_replication_slots ORDER BY slot_name LIMIT 100",
        labels: &["database", "slot_name"],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge("active", "pg_replication_slots_active", "Whether the slot is in use."),
            gauge("kept", "pg_replication_slots_pg_wal_lsn_diff", "Bytes of log that are kept for the slot."),
        ],
    },
    Collector {
        name: "replication_slots",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT slot_name, slot_type, active, safe_wal_size,
                CASE WHEN active THEN confirmed_flush_lsn - '0/0' END AS confirmed,
                CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                  ELSE pg_current_wal_lsn() END - '0/0' AS current
              FROM pg_replication_slots ORDER BY slot_name LIMIT 100",
        labels: &["slot_name", "slot_type"],
        server: false,
        // A slot without a limit has no size that is safe.
        null: Null::Nothing,
        columns: &[
            gauge("active", "pg_replication_slots_slot_is_active", "Whether the slot is in use."),
            gauge("active", "pg_replication_slot_slot_is_active", "Whether the slot is in use."),
            gauge("current", "pg_replication_slots_slot_current_wal_lsn", "Where the log is, in bytes."),
            gauge("current", "pg_replication_slot_slot_current_wal_lsn", "Where the log is, in bytes."),
            gauge("confirmed", "pg_replication_slots_slot_confirmed_flush_lsn", "Up to where the user of the slot has confirmed, in bytes."),
            gauge("confirmed", "pg_replication_slot_slot_confirmed_flush_lsn", "Up to where the user of the slot has confirmed, in bytes."),
            gauge("safe_wal_size", "pg_replication_slots_safe_wal_size_bytes", "Bytes that can be written before the slot is lost."),
            gauge("safe_wal_size", "pg_replication_slot_safe_wal_size_bytes", "Bytes that can be written before the slot is lost."),
        ],
    },
    Collector {
        name: "replication_slots",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT slot_name, slot_type, wal_status, 1 AS one FROM pg_replication_slots
              WHERE wal_status IS NOT NULL ORDER BY slot_name LIMIT 100",
        labels: &["slot_name", "slot_type", "wal_status"],
        server: false,
        null: Null::Nothing,
        columns: &[
            gauge("one", "pg_replication_slots_wal_status", "Whether the log that the slot needs is there."),
            gauge("one", "pg_replication_slot_wal_status", "Whether the log that the slot needs is there."),
        ],
    },
    Collector {
        name: "stat_replication",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT r.application_name, r.client_addr, r.pid, s.slot_name, r.state,
                w.lsn - '0/0' AS current, w.lsn - r.replay_lsn AS behind
              FROM pg_stat_replication r
              LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid,
              (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END AS lsn) w
              ORDER BY r.pid LIMIT 100",
        labels: &["application_name", "client_addr", "pid", "slot_name", "state"],
        server: false,
        null: Null::Nothing,
        columns: &[
            gauge("current", "pg_stat_replication_pg_current_wal_lsn_bytes", "Where the log is."),
            gauge("behind", "pg_stat_replication_pg_wal_lsn_diff", "Bytes that the replica has yet to replay."),
        ],
    },
    Collector {
        name: "replicas",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT application_name, client_addr, count(*) AS count,
                max(extract(epoch FROM replay_lag)) AS lag
              FROM pg_stat_replication GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 100",
        labels: &["application_name", "client_addr"],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge("count", "belfry_postgres_replicas", "Replicas that are connected."),
            gauge("lag", "belfry_postgres_replica_lag_seconds", "How long the replica takes until it has replayed what is written."),
        ],
    },
    Collector {
        name: "stat_wal_receiver",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT slot_name, status, coalesce(sender_host, '') || ':' || coalesce(sender_port::text, '') AS upstream_host,
                receive_start_lsn, receive_start_tli, flushed_lsn, received_tli,
                last_msg_send_time, last_msg_receipt_time, latest_end_lsn, latest_end_time
              FROM pg_stat_wal_receiver",
        labels: &["slot_name", "status", "upstream_host"],
        server: false,
        null: Null::Nothing,
        columns: &[
            counter("flushed_lsn", "pg_stat_wal_receiver_flushed_lsn", "Up to where the log is on disk, in bytes."),
            counter("latest_end_lsn", "pg_stat_wal_receiver_latest_end_lsn", "What was last told to the sender, in bytes."),
            counter("latest_end_time", "pg_stat_wal_receiver_latest_end_time", "When it was told to the sender."),
            counter("last_msg_send_time", "pg_stat_wal_receiver_last_msg_send_time", "When the sender sent its last message."),
            counter("last_msg_receipt_time", "pg_stat_wal_receiver_last_msg_receipt_time", "When the last message came."),
            counter("receive_start_lsn", "pg_stat_wal_receiver_receive_start_lsn", "Where receiving began, in bytes."),
            gauge("receive_start_tli", "pg_stat_wal_receiver_receive_start_tli", "The timeline on which receiving began."),
            gauge("received_tli", "pg_stat_wal_receiver_received_tli", "The timeline that is received."),
        ],
    },
    Collector {
        name: "stat_archiver",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT archived_count, failed_count,
                extract(epoch FROM clock_timestamp() - last_archived_time) AS age
              FROM pg_stat_archiver",
        labels: &[],
        server: false,
        // Nothing was archived yet: no age is neither young nor old.
        null: Null::NaN,
        columns: &[
            counter("archived_count", "pg_stat_archiver_archived_count", "Pieces of log archived."),
            counter("failed_count", "pg_stat_archiver_failed_count", "Attempts to archive that failed."),
            gauge("age", "pg_stat_archiver_last_archive_age", "Seconds since the last piece of log was archived."),
        ],
    },
    Collector {
        name: "stat_archiver",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT last_failed_time,
                last_failed_time > coalesce(last_archived_time, '-infinity') AS failing
              FROM pg_stat_archiver",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: &[
            scaled("last_failed_time", "belfry_postgres_archiver_last_failure_timestamp_seconds", Kind::Gauge, 1.0, "When an attempt to archive failed last; 0 is never."),
            gauge("failing", "belfry_postgres_archiver_failing", "Whether the last attempt to archive failed."),
        ],
    },
];
