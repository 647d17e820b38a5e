//! A real PostgreSQL with a data folder of its own, on a free port of loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::claim::{self, Claim};
use super::engine::Engine;
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
    host: String,
    port: u16,
    _claim: Option<Claim>,
    namespace: Option<i64>,
    home: PathBuf,
    scratch: Scratch,
}

impl Postgres {
    /// Starts Debian's PostgreSQL 15.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let claim = claim::port();
        Self::launch("127.0.0.1".to_owned(), Some(claim), None)
    }

    /// Starts it where a container is: at its address in a network, on the
    /// usual port. User `postgres` needs a password there.
    #[track_caller]
    pub(crate) fn in_container(
        engine: &Engine,
        container: &str,
        network: &str,
        password: &str,
    ) -> Self {
        let pid = engine.inspect(container, "/State/Pid").as_i64();
        let mut postgres = Self::launch(engine.address(container, network), None, pid);
        let socket = postgres.home.display().to_string();
        let sql = format!("alter role {USER} password '{password}'");
        postgres.process.ready("postgres should answer", || {
            program::attempt(&mut client(&socket, postgres.port, &sql)).ok()
        });
        postgres
    }

    #[track_caller]
    fn launch(host: String, claim: Option<Claim>, namespace: Option<i64>) -> Self {
        let scratch = Scratch::new();
        let home = scratch.folder_for("postgres", USER);
        make(&home);
        Self::serve(scratch, home, host, claim, namespace)
    }

    /// Starts a copy of another server, which goes on to follow it.
    #[track_caller]
    pub(crate) fn replica_of(other: &Self) -> Self {
        let scratch = Scratch::new();
        let home = scratch.folder_for("postgres", USER);
        let mut copy = program::as_user(USER, &bin("pg_basebackup"));
        copy.args(["--write-recovery-conf", "--no-sync", "--checkpoint=fast"])
            .args(["--username", USER, "--port", &other.port.to_string()])
            .arg("--host")
            .arg(&other.home)
            .arg("--pgdata")
            .arg(home.join("data"))
            .current_dir(&home);
        program::run(&mut copy);
        let claim = claim::port();
        Self::serve(scratch, home, "127.0.0.1".to_owned(), Some(claim), None)
    }

    #[track_caller]
    fn serve(
        scratch: Scratch,
        home: PathBuf,
        host: String,
        claim: Option<Claim>,
        namespace: Option<i64>,
    ) -> Self {
        let port = claim.as_ref().map_or(5432, |claim| claim.number);
        let process = spawn(&scratch, &home, &host, port, namespace);
        let mut postgres = Self {
            process,
            host,
            port,
            _claim: claim,
            namespace,
            home,
            scratch,
        };
        postgres.wait_until_it_answers();
        postgres
    }

    /// Stops it; sessions that are still open are not waited for.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.process.signal(Signal::INT);
        self.process.wait();
    }

    /// Starts it again, after [`Postgres::stop`], on the same data and port.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.process = spawn(
            &self.scratch,
            &self.home,
            &self.host,
            self.port,
            self.namespace,
        );
        self.wait_until_it_answers();
    }

    /// The folder of its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Has new and empty data from its next start on, as on a volume that was lost.
    #[track_caller]
    pub(crate) fn lose_data(&self) {
        fs::remove_dir_all(self.data()).expect("data of our own");
        make(&self.home);
    }

    /// Runs one of PostgreSQL's programs on the data, while the server is stopped.
    #[track_caller]
    pub(crate) fn tool(&self, name: &str, arguments: &[&str]) {
        let mut command = program::as_user(USER, &bin(name));
        command
            .args(arguments)
            .arg("-D")
            .arg(self.data())
            .current_dir(&self.home);
        program::run(&mut command);
    }

    #[track_caller]
    fn wait_until_it_answers(&mut self) {
        let socket = self.home.display().to_string();
        let mut ask = client(&socket, self.port, "select 1");
        self.process
            .ready("postgres should answer", || program::attempt(&mut ask).ok());
    }

    /// Its port on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs a statement as the superuser; rows come as lines, columns parted by `|`.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> String {
        program::run(&mut self.client(sql)).trim_end().to_owned()
    }

    /// Runs a statement that may fail.
    pub(crate) fn attempt(&self, sql: &str) -> Result<String, String> {
        program::attempt(&mut self.client(sql))
    }

    fn client(&self, sql: &str) -> Command {
        client(&self.home.display().to_string(), self.port, sql)
    }
}

/// Makes an empty cluster in the folder `data`.
#[track_caller]
fn make(home: &Path) {
    let data = home.join("data");
    let mut initdb = program::as_user(USER, &bin("initdb"));
    initdb
        .arg("--pgdata")
        .arg(&data)
        .args(["--username", USER, "--auth", "trust"])
        .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"])
        .current_dir(home);
    program::run(&mut initdb);
    let access = "local all all trust\nlocal replication all trust\nhost all postgres 127.0.0.1/32 trust\n\
        host all all 127.0.0.1/32 scram-sha-256\nhost all all 10.213.0.0/16 scram-sha-256\n";
    fs::write(data.join("pg_hba.conf"), access).expect("who may log in");
}

/// Through the socket in a folder: it is there whatever network the server is in.
fn client(socket: &str, port: u16, sql: &str) -> Command {
    let mut command = Command::new(bin("psql"));
    command
        .args(["--host", socket, "--port", &port.to_string()])
        .args(["--username", USER, "--no-psqlrc", "--no-align"])
        .args(["--tuples-only", "--set", "ON_ERROR_STOP=1"])
        .args(["--command", sql]);
    command
}

#[track_caller]
fn spawn(scratch: &Scratch, home: &Path, host: &str, port: u16, namespace: Option<i64>) -> Process {
    let server = program::as_user(USER, &bin("postgres"));
    let mut command = program::in_network(namespace, server);
    command
        .arg("-D")
        .arg(home.join("data"))
        .args(["-p", &port.to_string(), "-c", "fsync=off", "-c"])
        .arg(format!("listen_addresses={host}"))
        .arg("-c")
        .arg(format!("unix_socket_directories={}", home.display()))
        .current_dir(home);
    Process::spawn("postgres", &mut command, &scratch.path.join("postgres.log"))
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
