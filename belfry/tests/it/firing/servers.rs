//! PostgreSQL and Redis that are away, full, or in each other's way.

use std::path::Path;
use std::process::Command;

use super::Watched;
use crate::setup::Setup;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::process::Process;
use crate::support::program;
use crate::support::redis::Redis;

/// A client of PostgreSQL that does this and goes.
fn session(port: u16, sql: &str) -> Process {
    let address = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let mut command = Command::new(program::find("psql", "postgresql-client"));
    command.args(["--no-psqlrc", "--quiet", "--command", sql, &address]);
    Process::spawn("psql", &mut command, Path::new("/dev/null"))
}

fn setup(postgres: u16) -> Setup {
    Setup::new().exporter(&format!(
        "postgres: {{interval: 500ms, seldom: 1s, servers: [{{url: 'postgres://postgres@127.0.0.1:{postgres}/postgres'}}]}}"
    ))
}

#[test]
fn rules_about_postgresql_fire_for_locks_a_lack_of_connections_and_its_end() {
    let mut postgres = Postgres::start();
    for change in [
        "max_connections = 20",
        "max_wal_size = '32MB'",
        "min_wal_size = '32MB'",
        "archive_mode = on",
        "archive_command = 'false'",
        "deadlock_timeout = '20ms'",
    ] {
        postgres.query(&format!("alter system set {change}"));
    }
    postgres.query("create table seats as select generate_series(1, 20) as id");
    postgres.stop();
    postgres.start_again();
    let port = postgres.port();
    let watched = Watched::start(setup(port));
    watched.fires(&[("PostgresRestarted", "info")], || {});

    // Two that take the same rows in another order, again and again.
    let crossed = |first: u8, second: u8| {
        format!(
            "begin; update seats set id = id where id = {first}; select pg_sleep(0.1); \
             update seats set id = id where id = {second}; commit"
        )
    };
    let mut pairs: Vec<[Process; 2]> = Vec::new();
    watched.fires(&[("PostgresDeadlocks", "warning")], || {
        if pairs.iter_mut().flatten().all(|one| one.ended().is_some()) {
            pairs = vec![[session(port, &crossed(1, 2)), session(port, &crossed(2, 1))]];
        }
    });
    drop(pairs);

    // One that holds a table, and sixteen that wait for it.
    let holder = session(port, "begin; lock table seats; select pg_sleep(600)");
    poll::holds("the table should be locked", || {
        let locks = "select count(*) from pg_locks where granted and mode = 'AccessExclusiveLock' and relation = 'seats'::regclass";
        postgres.query(locks) == "1"
    });
    let wait = || session(port, "update seats set id = id");
    let waiting: Vec<Process> = (0..16).map(|_| wait()).collect();
    let mut turns = 0;
    watched.fires(
        &[
            ("PostgresBlocked", "critical"),
            ("PostgresBlocked", "warning"),
            ("PostgresConnections", "info"),
            ("PostgresConnections", "warning"),
            ("PostgresConnections", "critical"),
            ("PostgresArchiverFailing", "warning"),
            ("PostgresLogLarge", "warning"),
        ],
        || {
            turns += 1;
            if turns < 14 {
                // Each begins another file of the log, and none is archived.
                postgres.query("select pg_logical_emit_message(true, 'a', 'b'), pg_switch_wal()");
            }
        },
    );
    drop(waiting);
    drop(holder);

    postgres.stop();
    watched.fires(&[("PostgresDown", "critical")], || {});
}

#[test]
fn rules_about_redis_fire_for_a_full_store_refused_clients_and_its_end() {
    let mut redis = Redis::start();
    let port = redis.port();
    let watched = Watched::start(Setup::new().exporter(&format!(
        "redis: {{interval: 500ms, servers: [{{address: '127.0.0.1:{port}'}}]}}"
    )));
    watched.fires(&[("RedisRestarted", "info")], || {});

    redis.command(&["config", "set", "maxmemory-policy", "allkeys-lru"]);
    redis.command(&["config", "set", "maxmemory", "4mb"]);
    let more = "for i = 1, 200 do redis.call('set', KEYS[1] .. i, string.rep('x', 10000)) end";
    let mut turn = 0;
    watched.fires(
        &[
            ("RedisMemory", "info"),
            ("RedisMemory", "warning"),
            ("RedisMemory", "critical"),
            ("RedisEvicts", "warning"),
        ],
        || {
            turn += 1;
            redis.command(&["eval", more, "1", &format!("key{turn}-")]);
        },
    );
    redis.stop();
    watched.fires(&[("RedisDown", "critical")], || {});
}
