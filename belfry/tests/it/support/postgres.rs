//! A real PostgreSQL with a data folder of its own, on a free port of loopback.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use super::claim::{self, Claim};
use super::process::Process;
use super::program;
use super::scratch::Scratch;

/// Debian's; PostgreSQL refuses to run as root.
const USER: &str = "postgres";
const BIN: &str = "/usr/lib/postgresql/15/bin";

/// A running server; user `postgres` needs no password from loopback.
pub(crate) struct Postgres {
    // First, so that the server ends before its folder.
    process: Process,
    port: Claim,
    _scratch: Scratch,
}

impl Postgres {
    /// Starts Debian's PostgreSQL 15.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let scratch = Scratch::new();
        let port = claim::port();
        let home = scratch.folder_for("postgres", USER);
        let data = home.join("data");
        let mut initdb = program::as_user(USER, &bin("initdb"));
        initdb
            .arg("--pgdata")
            .arg(&data)
            .args(["--username", USER, "--auth", "trust"]);
        program::run(
            initdb
                .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"])
                .current_dir(&home),
        );
        let mut command = program::as_user(USER, &bin("postgres"));
        command
            .arg("-D")
            .arg(&data)
            .args([
                "-p",
                &port.number.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
            ])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", home.display()))
            .current_dir(&home);
        let process = Process::spawn("postgres", &mut command, &scratch.path.join("postgres.log"));
        let mut postgres = Self {
            process,
            port,
            _scratch: scratch,
        };
        let mut ask = postgres.client("select 1");
        postgres
            .process
            .ready("postgres should answer", || program::attempt(&mut ask).ok());
        postgres
    }

    /// Its port on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port.number
    }

    /// Runs a statement as the superuser; rows come as lines, columns parted by `|`.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> String {
        program::run(&mut self.client(sql)).trim_end().to_owned()
    }

    fn client(&self, sql: &str) -> Command {
        let mut command = Command::new(bin("psql"));
        command
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                &self.port().to_string(),
                "--username",
                USER,
            ])
            .args([
                "--no-psqlrc",
                "--no-align",
                "--tuples-only",
                "--set",
                "ON_ERROR_STOP=1",
                "--command",
                sql,
            ]);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The fast way: sessions that are still open are not waited for.
        self.process.signal(Signal::INT);
    }
}

#[track_caller]
fn bin(name: &str) -> PathBuf {
    let file = PathBuf::from(BIN).join(name);
    if !file.exists() {
        program::missing(name, "postgresql-15");
    }
    file
}
