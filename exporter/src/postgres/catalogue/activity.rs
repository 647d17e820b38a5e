//! Who is connected, what they do, and who waits for whom.

use crate::postgres::collector::{ALL, Collector, Null, Pace, gauge};

/// Their limits on rows keep users that invent names from flooding the page.
pub(super) const COLLECTORS: &[Collector] = &[
    Collector {
        name: "stat_activity",
        versions: ALL,
        pace: Pace::Each,
        // Six states of every database are named also without a connection.
        sql: "WITH groups AS (
                SELECT datname, state, usename, application_name, backend_type,
                  wait_event_type, wait_event, count(*) AS count,
                  coalesce(max(extract(epoch FROM now() - xact_start)), 0) AS max_tx
                FROM pg_stat_activity
                WHERE pid <> pg_backend_pid() AND datname IS NOT NULL
                GROUP BY 1, 2, 3, 4, 5, 6, 7),
              expected AS (
                SELECT datname, state FROM pg_database, unnest(ARRAY['active', 'idle',
                  'idle in transaction', 'idle in transaction (aborted)',
                  'fastpath function call', 'disabled']) AS states(state))
              SELECT coalesce(g.datname, e.datname) AS datname,
                coalesce(g.state, e.state) AS state, g.usename, g.application_name,
                g.backend_type, g.wait_event_type, g.wait_event,
                coalesce(g.count, 0) AS count, coalesce(g.max_tx, 0) AS max_tx
              FROM expected e FULL JOIN groups g ON g.datname = e.datname AND g.state = e.state
              WHERE coalesce(g.state, e.state) IS NOT NULL
              ORDER BY g.count DESC NULLS LAST, 1, 2 LIMIT 500",
        labels: &[
            "application_name",
            "backend_type",
            "datname",
            "state",
            "usename",
            "wait_event",
            "wait_event_type",
        ],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge(
                "count",
                "pg_stat_activity_count",
                "Connections in this state.",
            ),
            gauge(
                "max_tx",
                "pg_stat_activity_max_tx_duration",
                "Age of the oldest transaction in this state, in seconds.",
            ),
        ],
    },
    Collector {
        name: "connections",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT datname, usename, application_name, state, count(*) AS count,
                max(extract(epoch FROM clock_timestamp() - state_change))
                  FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
                max(extract(epoch FROM clock_timestamp() - query_start))
                  FILTER (WHERE state = 'active') AS longest_query,
                max(extract(epoch FROM clock_timestamp() - xact_start)) AS longest_transaction
              FROM pg_stat_activity
              WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
              GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 200",
        labels: &["application_name", "datname", "state", "usename"],
        server: false,
        null: Null::Nothing,
        columns: &[
            gauge(
                "count",
                "belfry_postgres_connections",
                "Connections of clients.",
            ),
            gauge(
                "idle_in_transaction",
                "belfry_postgres_idle_in_transaction_seconds",
                "How long the longest of them has done nothing within a transaction.",
            ),
            gauge(
                "longest_query",
                "belfry_postgres_longest_query_seconds",
                "How long the longest of their queries has run.",
            ),
            gauge(
                "longest_transaction",
                "belfry_postgres_longest_transaction_seconds",
                "How long the longest of their transactions has lasted.",
            ),
        ],
    },
    Collector {
        name: "connection_limits",
        versions: ALL,
        pace: Pace::Each,
        // Reserved for roles since 16: null before.
        sql: "SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS used,
                current_setting('max_connections')::int
                - current_setting('superuser_reserved_connections')::int
                - coalesce(current_setting('reserved_connections', true)::int, 0) AS most
              FROM pg_stat_activity",
        labels: &[],
        server: false,
        null: Null::Nothing,
        columns: &[
            gauge(
                "used",
                "belfry_postgres_connections_used",
                "Connections of clients, ours included.",
            ),
            gauge(
                "most",
                "belfry_postgres_connections_limit",
                "Connections that ordinary users can have at most.",
            ),
        ],
    },
    Collector {
        name: "long_running_transactions",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT count(*) AS count,
                coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) AS oldest
              FROM pg_stat_activity
              WHERE state <> 'idle' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()",
        labels: &[],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge(
                "count",
                "pg_long_running_transactions",
                "Transactions that are open.",
            ),
            gauge(
                "oldest",
                "pg_long_running_transactions_oldest_timestamp_seconds",
                "Age of the oldest open transaction.",
            ),
        ],
    },
    Collector {
        name: "locks",
        versions: ALL,
        pace: Pace::Each,
        sql: "SELECT d.datname, m.mode, coalesce(l.count, 0) AS count
              FROM pg_database d CROSS JOIN unnest(ARRAY['accesssharelock', 'rowsharelock',
                'rowexclusivelock', 'shareupdateexclusivelock', 'sharelock',
                'sharerowexclusivelock', 'exclusivelock', 'accessexclusivelock',
                'sireadlock']) AS m(mode)
              LEFT JOIN (
                SELECT database, lower(mode) AS mode, count(*) AS count FROM pg_locks
                WHERE database IS NOT NULL AND pid IS DISTINCT FROM pg_backend_pid()
                GROUP BY 1, 2) l ON l.database = d.oid AND l.mode = m.mode",
        labels: &["datname", "mode"],
        server: false,
        null: Null::Zero,
        columns: &[gauge(
            "count",
            "pg_locks_count",
            "Locks that are held or waited for.",
        )],
    },
    Collector {
        name: "blocked",
        versions: ALL,
        pace: Pace::Each,
        // Asking who blocks is dear: only those who wait, and not all of a crowd.
        sql: "WITH waiting AS (
                SELECT pid, datname, query_start FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND datname IS NOT NULL
                ORDER BY query_start LIMIT 50)
              SELECT d.datname, count(w.pid) AS blocked,
                coalesce(max(extract(epoch FROM clock_timestamp() - w.query_start)), 0) AS longest
              FROM pg_database d LEFT JOIN waiting w ON w.datname = d.datname
              WHERE d.datallowconn GROUP BY 1",
        labels: &["datname"],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge(
                "blocked",
                "belfry_postgres_blocked_queries",
                "Queries that wait for a lock; 50 count at most.",
            ),
            gauge(
                "longest",
                "belfry_postgres_blocked_longest_seconds",
                "How long the longest of these queries has run, its waiting included.",
            ),
        ],
    },
    Collector {
        name: "blockers",
        versions: ALL,
        pace: Pace::Each,
        // The root of each chain: who blocks and does not wait for a lock.
        sql: "WITH waiting AS (
                SELECT pid, pg_blocking_pids(pid) AS by FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' ORDER BY query_start LIMIT 50),
              roots AS (
                SELECT blocker, count(DISTINCT pid) AS blocks
                FROM waiting, unnest(by) AS blocker
                WHERE blocker NOT IN (SELECT pid FROM waiting) GROUP BY 1)
              SELECT a.datname, a.usename, a.application_name, a.state, sum(blocks) AS blocks,
                coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start)), 0) AS age
              FROM roots JOIN pg_stat_activity a ON a.pid = blocker
              GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 20",
        labels: &["application_name", "datname", "state", "usename"],
        server: false,
        null: Null::Zero,
        columns: &[
            gauge(
                "blocks",
                "belfry_postgres_blockers",
                "Queries that wait for a lock which connections of this group hold.",
            ),
            gauge(
                "age",
                "belfry_postgres_blockers_transaction_seconds",
                "Age of the oldest transaction of these connections.",
            ),
        ],
    },
];
