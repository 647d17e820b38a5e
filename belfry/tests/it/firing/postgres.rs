//! PostgreSQL with sessions that never end, numbers that run out, a damaged
//! page, a replica that stands, and data that are not the same any more.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::process::{Child, Command, Stdio};

use super::Watched;
use crate::setup::Setup;
use crate::support::postgres::Postgres;
use crate::support::program;

fn server(port: u16) -> String {
    format!("{{url: 'postgres://postgres@127.0.0.1:{port}/postgres'}}")
}

fn setup(servers: &str) -> Setup {
    Setup::new().exporter(&format!(
        "postgres: {{interval: 500ms, seldom: 1s, visit: 1s, servers: [{servers}]}}"
    ))
}

/// A session that has said this and waits for what its user says next.
struct Session(Child);

impl Session {
    fn saying(port: u16, sql: &str) -> Self {
        let address = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut command = Command::new(program::find("psql", "postgresql-client"));
        command
            .args(["--no-psqlrc", "--quiet", &address])
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut child = command.spawn().expect("psql starts");
        let words = child.stdin.as_mut().expect("its input");
        writeln!(words, "{sql};").expect("it listens");
        Self(child)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes over a piece of a file.
fn damage(file: &std::path::Path, at: u64) {
    let mut file = fs::File::options().write(true).open(file).expect("a file");
    file.seek(SeekFrom::Start(at)).expect("its middle");
    file.write_all(b"this was not here before").expect("room");
}

#[test]
fn rules_about_postgresql_fire_for_endless_sessions_worn_numbers_and_damage() {
    let mut postgres = Postgres::start();
    // Else a vacuum would renew the numbers at once.
    postgres.query("alter system set autovacuum_freeze_max_age = 2000000000");
    postgres.query("create table seats as select generate_series(1, 1000) as id");
    postgres.query("select pg_create_physical_replication_slot('reader', true)");
    let seats = postgres.query("select pg_relation_filepath('seats')");
    postgres.stop();
    // As if 1.6 billion transactions had been made, and 12 GiB of log written,
    // of which the reader has taken nothing.
    let log = "000000010000000300000000";
    postgres.tool("pg_resetwal", &["-f", "-x", "1600000000", "-l", log]);
    // Those were all undone, says an empty page of it.
    let states = postgres.data().join("pg_xact/05F5");
    fs::write(&states, vec![0; 256 << 10]).expect("room for the states");
    program::run(Command::new("chown").arg("postgres").arg(&states));
    postgres.tool("pg_checksums", &["--enable", "--no-sync"]);
    damage(&postgres.data().join(seats), 5000);
    postgres.start_again();
    let port = postgres.port();
    let watched = Watched::start(setup(&server(port)));
    let idle = Session::saying(port, "begin; select 1");
    let long = Session::saying(port, "select pg_sleep(600)");
    postgres.query("create table crowd (id int) with (autovacuum_enabled = false)");
    postgres.query("insert into crowd select generate_series(1, 150000)");
    postgres.query("delete from crowd where id > 30000");
    watched.fires(
        &[
            ("PostgresIdleInTransaction", "warning"),
            ("PostgresLongQuery", "warning"),
            ("PostgresWraparound", "warning"),
            ("PostgresWraparound", "critical"),
            ("PostgresSlotKeepsLog", "warning"),
            ("PostgresSlotKeepsLog", "critical"),
            ("PostgresChecksumFailure", "critical"),
            ("PostgresNotVacuumed", "info"),
        ],
        || {
            let read = postgres.attempt("select sum(id) from seats");
            assert!(read.is_err(), "the damage is not seen: {read:?}");
        },
    );
    drop((idle, long));
}

#[test]
fn rules_about_postgresql_fire_for_a_replica_that_stands_and_for_other_data() {
    let mut postgres = Postgres::start();
    postgres.query("create table seats as select generate_series(1, 20) as id");
    let replica = Postgres::replica_of(&postgres);
    let servers = [postgres.port(), replica.port()].map(server).join(", ");
    let watched = Watched::start(setup(&servers));
    postgres.query("insert into seats values (21)");
    watched.is_known("pg_replication_is_replica == 1");
    replica.query("select pg_wal_replay_pause()");
    let mut next = 100;
    let fires = [
        ("PostgresReplicaBehind", "warning"),
        ("BackupDatabaseUnknown", "warning"),
    ];
    watched.fires(&fires, || {
        next += 1;
        postgres.query(&format!("insert into seats values ({next})"));
    });
    drop(replica);
    postgres.stop();
    postgres.lose_data();
    postgres.start_again();
    watched.fires(&[("PostgresOtherData", "critical")], || {});
}
