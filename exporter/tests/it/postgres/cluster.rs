//! A PostgreSQL of one version, in a folder of its own, and sessions in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use exporter::postgres::Server as Address;
use rustix::process::Signal;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::server::{Port, Scratch, Server, base, find, run};

/// PostgreSQL refuses to run as root.
pub(super) const USER: &str = "postgres";
/// What the user that reads logs in with.
pub(super) const PASSWORD: &str = "hunter2";
/// As the server keeps it, after fewer rounds than usual: a client that was built without
/// optimisation takes a good part of a second for these, at each login.
const KEPT: &str = "SCRAM-SHA-256$16:YmVsZnJ5IHRlc3Qgc2FsdA==$\
    UC61i1i2nlNtZNoXIlSaMV4TB9Itk8l6dxYayWdQ57c=:NvmYfFdQNPgbhml8TR/MHNtC7Bau1QBDQnco2Sb0ILU=";

/// A running server. It listens on a socket and on a port with TLS.
pub(super) struct Cluster {
    // First, so that the server ends before its folder.
    pub(super) server: Option<Server>,
    pub(super) version: u32,
    pub(super) folder: PathBuf,
    pub(super) port: Port,
    pub(super) scratch: Scratch,
}

/// A session that does what it is told and then waits.
pub(super) struct Session(pub(super) Client);

impl Cluster {
    /// Makes a cluster and starts it. User `watch` has a password and the
    /// rights that are advised, and may have two connections and one that ends.
    pub(super) async fn start(version: u32) -> Self {
        let scratch = Scratch::new();
        let folder = scratch.folder_for("pg", USER);
        let data = folder.join("data");
        let mut initdb = as_user(&bin(version, "initdb"));
        initdb.arg("--pgdata").arg(&data).current_dir(&folder);
        initdb.args(["--username", USER, "--auth", "trust", "--no-sync"]);
        run(initdb.args([
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--data-checksums",
        ]));
        certificate(&folder);
        let access = "local all watch scram-sha-256\nlocal all all trust\n\
            local replication all trust\nhostssl all watch 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), access).unwrap();
        let mut cluster = Self {
            server: None,
            version,
            folder,
            port: Port::claim(),
            scratch,
        };
        cluster.launch();
        let session = cluster.session("postgres", "setup").await;
        session
            .run(&format!(
                "CREATE ROLE watch LOGIN PASSWORD '{KEPT}' CONNECTION LIMIT 3;
                 GRANT pg_monitor TO watch; CREATE EXTENSION pg_stat_statements"
            ))
            .await;
        cluster
    }

    /// Starts the server, again if need be.
    pub(super) fn launch(&mut self) {
        let data = self.folder.join("data");
        self.server = None;
        self.server = Some(serve(self.version, &data, &self.folder, self.port.number));
        let socket = self.socket(&self.folder, self.port.number);
        let probe = || answers(&socket);
        self.server
            .as_mut()
            .unwrap()
            .ready(|| probe().then_some(()));
    }

    fn socket(&self, folder: &Path, port: u16) -> PathBuf {
        folder.join(format!(".s.PGSQL.{port}"))
    }

    /// Where it is, as the user that reads.
    pub(super) fn address(&self) -> Address {
        Address {
            url: settings::Secret::new(self.url("watch")),
            password: settings::Secret::new(PASSWORD),
            ..Address::default()
        }
    }

    pub(super) fn url(&self, user: &str) -> String {
        let (folder, port) = (self.folder.display(), self.port.number);
        format!("host={folder} port={port} user={user} dbname=postgres")
    }

    /// A session of the superuser.
    pub(super) async fn session(&self, database: &str, application: &str) -> Session {
        let mut config: tokio_postgres::Config = self.url(USER).parse().unwrap();
        config.dbname(database).application_name(application);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        Session(client)
    }

    /// A copy of the cluster that follows it, and its address.
    pub(super) fn replica(&self) -> (Server, Address) {
        let folder = self.scratch.folder_for("copy", USER);
        let data = folder.join("data");
        let mut copy = as_user(&bin(self.version, "pg_basebackup"));
        copy.arg("--pgdata").arg(&data).current_dir(&folder);
        copy.arg("--dbname")
            .arg(self.url(USER).replace(" dbname=postgres", ""));
        copy.args([
            "--write-recovery-conf",
            "--slot",
            "standby",
            "--checkpoint",
            "fast",
            "--no-sync",
        ]);
        run(&mut copy);
        let port = self.port.number;
        let mut server = serve(self.version, &data, &folder, port);
        let socket = self.socket(&folder, port);
        server.ready(|| answers(&socket).then_some(()));
        let address = Address {
            url: settings::Secret::new(format!(
                "host={} port={port} user=watch dbname=postgres",
                folder.display()
            )),
            ..self.address()
        };
        (server, address)
    }
}

impl Session {
    pub(super) async fn run(&self, sql: &str) {
        self.0
            .batch_execute(sql)
            .await
            .unwrap_or_else(|err| panic!("{sql}: {err:?}"));
    }

    /// The first cell of an answer.
    pub(super) async fn cell(&self, sql: &str) -> String {
        let answer = self
            .0
            .simple_query(sql)
            .await
            .unwrap_or_else(|err| panic!("{sql}: {err:?}"));
        let cell = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        cell.unwrap_or_default().to_owned()
    }

    pub(super) async fn number(&self, sql: &str) -> f64 {
        self.cell(sql).await.parse().unwrap()
    }
}

fn serve(version: u32, data: &Path, sockets: &Path, port: u16) -> Server {
    // A copy shares the port's number, but listens on its socket alone.
    let original = data.with_file_name("certificate.pem").exists();
    let mut command = as_user(&bin(version, "postgres"));
    command
        .arg("-D")
        .arg(data)
        .current_dir(sockets)
        .args(["-p", &port.to_string()]);
    let sockets_there = format!("unix_socket_directories={}", sockets.display());
    let mut set = |setting: &str| {
        command.args(["-c", setting]);
    };
    set(&sockets_there);
    set(if original {
        "listen_addresses=127.0.0.1"
    } else {
        "listen_addresses="
    });
    set("fsync=off");
    set("autovacuum=off");
    set("shared_preload_libraries=pg_stat_statements");
    set("max_connections=30");
    if original {
        set("ssl=on");
        set("ssl_cert_file=../certificate.pem");
        set("ssl_key_file=../key.pem");
    }
    // The fast way to stop: sessions that are still open are not waited for.
    Server::start(&mut command, &sockets.join("log"), Signal::INT)
}

/// Whether the server behind a socket takes connections, told without a client:
/// a start that wants an unknown protocol is answered once it does.
fn answers(socket: &Path) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket) else {
        return false;
    };
    let start = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    debug_assert_eq!(start.len(), 0x29);
    let mut kind = [0];
    stream.write_all(start).is_ok() && stream.read_exact(&mut kind).is_ok() && kind == *b"R"
}

fn certificate(folder: &Path) {
    let (chain, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let mut make = as_user(&find("openssl", "openssl"));
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    make.args(["-noenc", "-days", "30", "-subj", "/CN=localhost"]);
    make.args([
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=CA:FALSE",
    ]);
    run(make
        .arg("-out")
        .arg(&chain)
        .arg("-keyout")
        .arg(&key)
        .current_dir(folder));
}

/// A program of a version: Debian's for 15, the others are in `.tools`.
fn bin(version: u32, name: &str) -> PathBuf {
    let file = if version == 15 {
        PathBuf::from("/usr/lib/postgresql/15/bin").join(name)
    } else {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
        let tools = tools.canonicalize().unwrap_or(tools);
        open_to_all(tools.join(format!("postgres-{version}/native")))
            .join("bin")
            .join(name)
    };
    assert!(
        file.is_file(),
        "PostgreSQL {version} is not installed: run `make setup`, or `apt-get install postgresql-15` for 15"
    );
    file
}

/// The installation, or a copy of it if it lies in a folder that the cluster's
/// user must not enter: `initdb` asks with that user's own rights.
fn open_to_all(installed: PathBuf) -> PathBuf {
    let closed = |path: &Path| {
        let mode = path.metadata().map(|meta| meta.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o001 == 0)
    };
    if !rustix::process::geteuid().is_root() || !installed.ancestors().any(closed) {
        return installed;
    }
    static COPY: Mutex<()> = Mutex::new(());
    let _copy = COPY.lock().unwrap();
    let version = installed.parent().and_then(Path::file_name).unwrap();
    // Named after our process, for `scripts/sweep`.
    let name = format!("{}-{}", std::process::id(), version.display());
    let copy = base().join(name);
    if !copy.exists() {
        run(Command::new("cp").arg("-a").arg(&installed).arg(&copy));
    }
    copy
}

/// A command of the user that owns the cluster.
fn as_user(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let group = run(Command::new("id").args(["-gn", USER]));
    let switch = |extra: &[&str]| {
        let mut command = Command::new(find("setpriv", "util-linux"));
        command.args(["--reuid", USER, "--regid", group.trim(), "--clear-groups"]);
        command.args(extra).arg("--");
        command
    };
    let seen = switch(&[]).arg("test").arg("-x").arg(program).status();
    // The workspace may lie in a folder that this user must not enter.
    let enter = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
    let extra = if seen.is_ok_and(|status| status.success()) {
        &enter[..0]
    } else {
        &enter
    };
    let mut command = switch(extra);
    command.arg(program);
    command
}
