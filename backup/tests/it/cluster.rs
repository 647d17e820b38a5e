//! A PostgreSQL with a folder of its own, reached by its socket alone.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// PostgreSQL refuses to run as root.
const USER: &str = "postgres";
pub(crate) const BIN: &str = "/usr/lib/postgresql/15/bin";

/// A running server.
pub(crate) struct Cluster {
    pub(crate) server: Child,
    pub(crate) sockets: PathBuf,
    /// The folder of its version's pg_dump and pg_restore.
    pub(crate) clients: PathBuf,
    _folder: TempDir,
}

impl Cluster {
    /// Makes a cluster and starts it; anybody on this host is let in but `locked`.
    pub(crate) fn start() -> Self {
        Self::of(15)
    }

    /// The same of another version.
    pub(crate) fn of(version: u32) -> Self {
        Self::on(version, |_| {}).0
    }

    /// The same, with what the folder of its data may need to be; that goes first.
    pub(crate) fn on<T>(version: u32, prepare: impl FnOnce(&Path) -> T) -> (Self, T) {
        let quick = [
            "fsync=off",
            // Its log of writes is not what fills a small disk.
            "max_wal_size=64MB",
            "wal_level=minimal",
            "max_wal_senders=0",
        ];
        Self::set(version, prepare, &quick)
    }

    /// The same as PostgreSQL comes but for these settings.
    pub(crate) fn set<T>(
        version: u32,
        prepare: impl FnOnce(&Path) -> T,
        settings: &[&str],
    ) -> (Self, T) {
        let folder = tempfile::Builder::new()
            .prefix("belfry-pg")
            .tempdir()
            .unwrap();
        let home = folder.path().to_owned();
        run(Command::new("chown").arg(USER).arg(&home));
        run(Command::new("chmod").arg("755").arg(&home));
        let (programs, clients) = if version == 15 {
            (PathBuf::from(BIN), PathBuf::from(BIN))
        } else {
            other(version, &home)
        };
        let data = home.join("data");
        let prepared = prepare(&data);
        if data.exists() {
            run(Command::new("chown").arg(USER).arg(&data));
        }
        let mut initdb = as_user(&programs, "initdb");
        initdb.args([
            "--username",
            USER,
            "--auth",
            "trust",
            "--no-sync",
            "--encoding",
            "UTF8",
        ]);
        run(initdb
            .args(["--locale", "C.UTF-8", "--pgdata"])
            .arg(&data)
            .current_dir(&home));
        let access = "local all locked scram-sha-256\nlocal all all trust\n";
        std::fs::write(data.join("pg_hba.conf"), access).unwrap();
        let log = std::fs::File::create(home.join("log")).unwrap();
        let mut postgres = as_user(&programs, "postgres");
        postgres.arg("-D").arg(&data).current_dir(&home);
        let alone = ["listen_addresses=", "max_connections=100", "port=5432"];
        for setting in alone.iter().chain(settings) {
            postgres.args(["-c", setting]);
        }
        postgres
            .arg("-c")
            .arg(format!("unix_socket_directories={}", home.display()));
        let server = postgres
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let cluster = Self {
            server,
            sockets: home,
            clients,
            _folder: folder,
        };
        let started = Instant::now();
        while cluster.attempt("postgres", "SELECT 1").is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(120),
                "it should answer"
            );
            std::thread::sleep(Duration::from_millis(30));
        }
        (cluster, prepared)
    }

    /// Runs statements as the superuser; rows come as lines, columns parted by `|`.
    #[track_caller]
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        self.attempt(database, sql)
            .unwrap_or_else(|said| panic!("{sql}: {said}"))
    }

    fn attempt(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = self.psql(database).args(["-c", sql]).output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// The names of all databases but the templates, in order.
    pub(crate) fn databases(&self) -> String {
        self.sql(
            "postgres",
            "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate",
        )
    }

    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(bin("psql"));
        command
            .arg("--host")
            .arg(&self.sockets)
            .args(["--username", USER, "--dbname", database]);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        command
    }

    /// A database with a bit of everything that a dump can lose.
    pub(crate) fn shop(&self) {
        self.sql("postgres", "CREATE ROLE seller LOGIN PASSWORD 'hunter2'");
        self.sql(
            "postgres",
            "CREATE DATABASE shop OWNER seller TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
        );
        self.sql(
            "postgres",
            "ALTER DATABASE shop SET work_mem = '8MB'; COMMENT ON DATABASE shop IS 'the shop'",
        );
        self.sql("shop", include_str!("shop.sql"));
    }

    /// The schema and all rows of a database, for comparing.
    pub(crate) fn fingerprint(&self, database: &str) -> String {
        let mut dump = Command::new(self.clients.join("pg_dump"));
        dump.arg("--host")
            .arg(&self.sockets)
            .args(["--username", USER, "--schema-only", database]);
        let schema = run(&mut dump);
        let tables = "SELECT format(CASE relkind WHEN 'S' THEN 'SELECT %L, last_value, is_called FROM %I.%I' ELSE 'SELECT %L, count(*), md5(string_agg(ROW(t.*)::text, chr(10) ORDER BY ROW(t.*)::text)) \
            FROM ONLY %I.%I t' END, c.oid::regclass, n.nspname, c.relname) FROM pg_class c \
            JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'm', 'S') \
            AND nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1 \\gexec\n";
        let mut psql = self
            .psql(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut psql.stdin.take().unwrap(), tables.as_bytes()).unwrap();
        let rows = psql.wait_with_output().unwrap();
        assert!(rows.status.success());
        let rows = String::from_utf8_lossy(&rows.stdout).into_owned();
        let objects = self.sql(
            database,
            "SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1",
        );
        // Words of a restriction differ from dump to dump.
        let schema: Vec<_> = schema
            .lines()
            .filter(|line| !line.starts_with('\\'))
            .collect();
        format!("{}\n{rows}\n{objects}", schema.join("\n"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The fast way: sessions that are still open are not waited for. Through a
        // shell's own kill, since the child is setpriv and then the server itself.
        let _ = Command::new("kill")
            .args(["-INT", &self.server.id().to_string()])
            .status();
        let _ = self.server.wait();
    }
}

/// A program of the usual version.
#[track_caller]
pub(crate) fn bin(name: &str) -> PathBuf {
    installed(Path::new(BIN), name)
}

/// A program in a folder where it has to be.
#[track_caller]
fn installed(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    assert!(
        file.is_file(),
        "{name} is not installed: run `make setup`, or `apt-get install postgresql-15`"
    );
    file
}

/// The programs of a server of this version, as a copy that its user can reach, and
/// the folder of its clients. Both come from registries, see `scripts/setup`.
#[track_caller]
fn other(version: u32, home: &Path) -> (PathBuf, PathBuf) {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    let server = tools.join(format!("postgres-{version}/native"));
    let clients = tools.join(format!("pgclients/{version}/bin"));
    assert!(
        server.is_dir() && clients.join("pg_dump").is_file(),
        "PostgreSQL {version} is not installed: run `make setup`"
    );
    let copy = home.join("programs");
    run(Command::new("cp").arg("-a").arg(server).arg(&copy));
    (copy.join("bin"), clients.canonicalize().unwrap())
}

fn as_user(programs: &Path, name: &str) -> Command {
    let program = installed(programs, name);
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"])
        .arg(program);
    command
}

/// Runs a command to its end; panics with its own words unless it succeeds.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|err| panic!("{command:?}: {err}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
