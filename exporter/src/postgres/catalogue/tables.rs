//! The tables of one database: which are shown, how large they are, and what
//! was done to them.
//!
//! None of this waits behind a change of a table but asking for sizes, and
//! those of a table that is being changed are not asked for.

use crate::postgres::collector::{ALL, Collector, Column, Null, Pace, counter, gauge};

/// Which tables are shown: those that are among the largest or the busiest.
pub(in crate::postgres) fn pick(most: usize) -> String {
    format!(
        "SELECT oid, relname, total FROM (
           SELECT c.oid, c.relname, count(*) OVER () AS total,
             rank() OVER (ORDER BY c.relpages DESC) AS size_rank,
             rank() OVER (ORDER BY pg_stat_get_tuples_inserted(c.oid)
               + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid)
               + pg_stat_get_numscans(c.oid) DESC) AS work_rank
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
             AND n.nspname NOT IN ('pg_catalog', 'information_schema')
             AND n.nspname !~ '^pg_toast') ranked
         ORDER BY least(size_rank, work_rank), oid LIMIT {most}"
    )
}

/// How large these tables are. It takes a lock that a change of the table
/// excludes, so tables that are being changed, and what belongs to them, are
/// left out.
pub(in crate::postgres) fn sizes(oids: &str) -> String {
    format!(
        "WITH changing AS (
           SELECT relation FROM pg_locks
           WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
         SELECT c.oid, n.nspname AS schemaname, c.relname, current_database() AS datname,
           pg_table_size(c.oid) AS table_size, pg_indexes_size(c.oid) AS index_size
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = ANY ('{{{oids}}}'::oid[])
           AND NOT EXISTS (SELECT FROM changing WHERE relation IN (c.oid, c.reltoastrelid)
             OR relation IN (SELECT indexrelid FROM pg_index WHERE indrelid = c.oid))"
    )
}

/// What was done to these tables.
pub(in crate::postgres) fn activity(oids: &str) -> String {
    format!(
        "SELECT current_database() AS datname, s.*,
           io.heap_blks_read, io.heap_blks_hit, io.idx_blks_read, io.idx_blks_hit,
           io.toast_blks_read, io.toast_blks_hit, io.tidx_blks_read, io.tidx_blks_hit
         FROM pg_stat_user_tables s LEFT JOIN pg_statio_user_tables io ON io.relid = s.relid
           AND io.relid = ANY ('{{{oids}}}'::oid[])
         WHERE s.relid = ANY ('{{{oids}}}'::oid[])"
    )
}

/// What the indexes of these tables were used for, the busiest first.
pub(in crate::postgres) fn indexes(oids: &str, most: usize) -> String {
    format!(
        "SELECT current_database() AS datname, s.schemaname, s.relname, s.indexrelname,
           s.idx_scan, io.idx_blks_read, io.idx_blks_hit
         FROM pg_stat_user_indexes s JOIN pg_statio_user_indexes io ON io.indexrelid = s.indexrelid
         WHERE s.relid = ANY ('{{{oids}}}'::oid[])
         ORDER BY s.idx_scan DESC, s.indexrelid LIMIT {most}"
    )
}

const LABELS: &[&str] = &["datname", "relname", "schemaname"];

/// Writes what [`indexes`] answers.
pub(in crate::postgres) const INDEXES: Collector = Collector {
    name: "statio_user_indexes",
    versions: ALL,
    pace: Pace::Each,
    sql: "",
    labels: &["datname", "indexrelname", "relname", "schemaname"],
    server: false,
    null: Null::Zero,
    columns: &[
        counter(
            "idx_scan",
            "belfry_postgres_index_scans_total",
            "Scans of the index.",
        ),
        counter(
            "idx_blks_read",
            "pg_statio_user_indexes_idx_blks_read_total",
            "Blocks of the index read.",
        ),
        counter(
            "idx_blks_hit",
            "pg_statio_user_indexes_idx_blks_hit_total",
            "Blocks of the index found in the cache.",
        ),
    ],
};

/// Writes what [`sizes`] answers.
pub(in crate::postgres) const SIZES: Collector = Collector {
    name: "stat_user_tables",
    versions: ALL,
    pace: Pace::Seldom,
    sql: "",
    labels: LABELS,
    server: false,
    null: Null::Nothing,
    columns: &[
        gauge(
            "table_size",
            "pg_stat_user_tables_table_size_bytes",
            "Size of the table without its indexes.",
        ),
        gauge(
            "index_size",
            "pg_stat_user_tables_index_size_bytes",
            "Size of the table's indexes.",
        ),
    ],
};

/// Writes what [`activity`] answers.
pub(in crate::postgres) const ACTIVITY: Collector = Collector {
    name: "stat_user_tables",
    versions: ALL,
    pace: Pace::Each,
    sql: "",
    labels: LABELS,
    server: false,
    null: Null::Zero,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    counter(
        "seq_scan",
        "pg_stat_user_tables_seq_scan",
        "Scans through the whole table.",
    ),
    counter(
        "seq_tup_read",
        "pg_stat_user_tables_seq_tup_read",
        "Rows that scans through the table read.",
    ),
    counter(
        "idx_scan",
        "pg_stat_user_tables_idx_scan",
        "Scans of the table's indexes.",
    ),
    counter(
        "idx_tup_fetch",
        "pg_stat_user_tables_idx_tup_fetch",
        "Rows that scans of indexes fetched.",
    ),
    counter(
        "n_tup_ins",
        "pg_stat_user_tables_n_tup_ins",
        "Rows inserted.",
    ),
    counter(
        "n_tup_upd",
        "pg_stat_user_tables_n_tup_upd",
        "Rows updated.",
    ),
    counter(
        "n_tup_del",
        "pg_stat_user_tables_n_tup_del",
        "Rows deleted.",
    ),
    counter(
        "n_tup_hot_upd",
        "pg_stat_user_tables_n_tup_hot_upd",
        "Rows updated without touching an index.",
    ),
    gauge(
        "n_live_tup",
        "pg_stat_user_tables_n_live_tup",
        "Rows that live, estimated.",
    ),
    gauge(
        "n_dead_tup",
        "pg_stat_user_tables_n_dead_tup",
        "Rows that are dead, estimated.",
    ),
    gauge(
        "n_mod_since_analyze",
        "pg_stat_user_tables_n_mod_since_analyze",
        "Rows changed since the table was analyzed.",
    ),
    gauge(
        "last_vacuum",
        "pg_stat_user_tables_last_vacuum",
        "When the table was vacuumed by hand; 0 is never.",
    ),
    gauge(
        "last_autovacuum",
        "pg_stat_user_tables_last_autovacuum",
        "When the table was vacuumed by itself; 0 is never.",
    ),
    gauge(
        "last_analyze",
        "pg_stat_user_tables_last_analyze",
        "When the table was analyzed by hand; 0 is never.",
    ),
    gauge(
        "last_autoanalyze",
        "pg_stat_user_tables_last_autoanalyze",
        "When the table was analyzed by itself; 0 is never.",
    ),
    counter(
        "vacuum_count",
        "pg_stat_user_tables_vacuum_count",
        "Vacuums by hand.",
    ),
    counter(
        "autovacuum_count",
        "pg_stat_user_tables_autovacuum_count",
        "Vacuums by itself.",
    ),
    counter(
        "analyze_count",
        "pg_stat_user_tables_analyze_count",
        "Analyses by hand.",
    ),
    counter(
        "autoanalyze_count",
        "pg_stat_user_tables_autoanalyze_count",
        "Analyses by itself.",
    ),
    counter(
        "heap_blks_read",
        "pg_statio_user_tables_heap_blocks_read",
        "Blocks of the table read.",
    ),
    counter(
        "heap_blks_hit",
        "pg_statio_user_tables_heap_blocks_hit",
        "Blocks of the table found in the cache.",
    ),
    counter(
        "idx_blks_read",
        "pg_statio_user_tables_idx_blocks_read",
        "Blocks of the table's indexes read.",
    ),
    counter(
        "idx_blks_hit",
        "pg_statio_user_tables_idx_blocks_hit",
        "Blocks of the table's indexes found in the cache.",
    ),
    counter(
        "toast_blks_read",
        "pg_statio_user_tables_toast_blocks_read",
        "Blocks of the table's large values read.",
    ),
    counter(
        "toast_blks_hit",
        "pg_statio_user_tables_toast_blocks_hit",
        "Blocks of the table's large values found in the cache.",
    ),
    counter(
        "tidx_blks_read",
        "pg_statio_user_tables_tidx_blocks_read",
        "Blocks of the large values' index read.",
    ),
    counter(
        "tidx_blks_hit",
        "pg_statio_user_tables_tidx_blocks_hit",
        "Blocks of the large values' index found in the cache.",
    ),
];
