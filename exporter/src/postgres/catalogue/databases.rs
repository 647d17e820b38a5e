//! What the server counts for each of its databases, and its roles.

use exposition::Kind;

use crate::postgres::collector::{ALL, Collector, Null, Pace, counter, gauge, scaled, untyped};

pub(super) const COLLECTORS: &[Collector] = &[
    Collector {
        name: "database",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT datname, datconnlimit, age(datfrozenxid) AS xids,
                mxid_age(datminmxid) AS multixacts FROM pg_database",
        labels: &["datname"],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge(
                "datconnlimit",
                "pg_database_connection_limit",
                "The database's own limit of connections; -1 is none.",
            ),
            gauge(
                "xids",
                "pg_database_wraparound_age_datfrozenxid_seconds",
                "Transactions (not seconds) since all rows of the database were frozen.",
            ),
            gauge(
                "multixacts",
                "pg_database_wraparound_age_datminmxid_seconds",
                "Multixacts (not seconds) since all rows of the database were frozen.",
            ),
            gauge(
                "xids",
                "belfry_postgres_wraparound_transactions",
                "Transactions since all rows of the database were frozen; at 2^31 the server stops writing.",
            ),
            gauge(
                "multixacts",
                "belfry_postgres_wraparound_multixacts",
                "Multixacts since all rows of the database were frozen; at 2^32 the server stops writing.",
            ),
        ],
    },
    Collector {
        name: "database_size",
        versions: ALL,
        pace: Pace::Seldom,
        sql: "SELECT datname, pg_database_size(oid) AS size FROM pg_database
              WHERE has_database_privilege(oid, 'CONNECT')
                OR pg_has_role('pg_read_all_stats', 'MEMBER')",
        labels: &["datname"],
        server: false,
        null: Null::Nothing,
        columns: &[gauge(
            "size",
            "pg_database_size_bytes",
            "Size of the database on disk.",
        )],
    },
    Collector {
        name: "stat_database",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT * FROM pg_stat_database WHERE datname IS NOT NULL",
        labels: &["datid", "datname"],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge(
                "numbackends",
                "pg_stat_database_numbackends",
                "Connections to the database.",
            ),
            counter(
                "xact_commit",
                "pg_stat_database_xact_commit",
                "Transactions committed.",
            ),
            counter(
                "xact_rollback",
                "pg_stat_database_xact_rollback",
                "Transactions rolled back.",
            ),
            counter(
                "blks_read",
                "pg_stat_database_blks_read",
                "Blocks read from disk.",
            ),
            counter(
                "blks_hit",
                "pg_stat_database_blks_hit",
                "Blocks found in the cache.",
            ),
            counter(
                "tup_returned",
                "pg_stat_database_tup_returned",
                "Rows that scans looked at.",
            ),
            counter(
                "tup_fetched",
                "pg_stat_database_tup_fetched",
                "Rows fetched by way of an index.",
            ),
            counter(
                "tup_inserted",
                "pg_stat_database_tup_inserted",
                "Rows inserted.",
            ),
            counter(
                "tup_updated",
                "pg_stat_database_tup_updated",
                "Rows updated.",
            ),
            counter(
                "tup_deleted",
                "pg_stat_database_tup_deleted",
                "Rows deleted.",
            ),
            counter(
                "conflicts",
                "pg_stat_database_conflicts",
                "Queries cancelled by recovery.",
            ),
            counter(
                "temp_files",
                "pg_stat_database_temp_files",
                "Temporary files written.",
            ),
            counter(
                "temp_bytes",
                "pg_stat_database_temp_bytes",
                "Bytes of temporary files.",
            ),
            counter("deadlocks", "pg_stat_database_deadlocks", "Deadlocks."),
            counter(
                "blk_read_time",
                "pg_stat_database_blk_read_time",
                "Milliseconds reading blocks; 0 unless track_io_timing is on.",
            ),
            counter(
                "blk_write_time",
                "pg_stat_database_blk_write_time",
                "Milliseconds writing blocks; 0 unless track_io_timing is on.",
            ),
            counter(
                "stats_reset",
                "pg_stat_database_stats_reset",
                "When the counts were set back; 0 is never.",
            ),
            scaled(
                "active_time",
                "pg_stat_database_active_time_seconds_total",
                Kind::Counter,
                1e-3,
                "Seconds executing queries.",
            ),
            untyped(
                "active_time",
                "pg_stat_database_active_time",
                "Milliseconds executing queries.",
            ),
            untyped(
                "session_time",
                "pg_stat_database_session_time",
                "Milliseconds of sessions.",
            ),
            untyped(
                "idle_in_transaction_time",
                "pg_stat_database_idle_in_transaction_time",
                "Milliseconds idle within a transaction.",
            ),
            untyped("sessions", "pg_stat_database_sessions", "Sessions begun."),
            untyped(
                "sessions_abandoned",
                "pg_stat_database_sessions_abandoned",
                "Sessions whose client vanished.",
            ),
            untyped(
                "sessions_fatal",
                "pg_stat_database_sessions_fatal",
                "Sessions that ended with a fault.",
            ),
            untyped(
                "sessions_killed",
                "pg_stat_database_sessions_killed",
                "Sessions that an administrator ended.",
            ),
        ],
    },
    Collector {
        name: "checksums",
        versions: ALL,
        pace: Pace::Each,
        // Null where the server has no checksums: then there is nothing to tell.
        sql: "SELECT datid, datname, checksum_failures, checksum_last_failure
              FROM pg_stat_database WHERE datname IS NOT NULL",
        labels: &["datid", "datname"],
        server: false,
        null: Null::NaN,
        columns: &[
            untyped(
                "checksum_failures",
                "pg_stat_database_checksum_failures",
                "Pages whose checksum was wrong.",
            ),
            untyped(
                "checksum_last_failure",
                "pg_stat_database_checksum_last_failure",
                "When a checksum was wrong last.",
            ),
        ],
    },
    Collector {
        name: "stat_database_conflicts",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT * FROM pg_stat_database_conflicts",
        labels: &["datid", "datname"],
        server: true,
        null: Null::Zero,
        columns: &[
            counter(
                "confl_tablespace",
                "pg_stat_database_conflicts_confl_tablespace",
                "Queries cancelled because a tablespace was dropped.",
            ),
            counter(
                "confl_lock",
                "pg_stat_database_conflicts_confl_lock",
                "Queries cancelled because of a lock.",
            ),
            counter(
                "confl_snapshot",
                "pg_stat_database_conflicts_confl_snapshot",
                "Queries cancelled because their snapshot was too old.",
            ),
            counter(
                "confl_bufferpin",
                "pg_stat_database_conflicts_confl_bufferpin",
                "Queries cancelled because they held a buffer.",
            ),
            counter(
                "confl_deadlock",
                "pg_stat_database_conflicts_confl_deadlock",
                "Queries cancelled because of a deadlock.",
            ),
            counter(
                "confl_active_logicalslot",
                "pg_stat_database_conflicts_confl_active_logicalslot",
                "Uses of logical slots cancelled.",
            ),
        ],
    },
    Collector {
        name: "roles",
        versions: ALL,
        pace: Pace::Seldom,
        sql: "SELECT rolname, rolconnlimit FROM pg_roles ORDER BY rolname LIMIT 500",
        labels: &["rolname"],
        server: false,
        null: Null::Zero,
        columns: &[gauge(
            "rolconnlimit",
            "pg_roles_connection_limit",
            "The role's limit of connections; -1 is none.",
        )],
    },
];
