//! An empty host made what it was where a database asks for a password, which no backup
//! says: the configuration that comes back with the folders does.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

use crate::backup_files::command;
use crate::support::certificate::Certificate;
use crate::support::postgres::Postgres;
use crate::support::scratch::Scratch;

#[test]
fn a_database_that_asks_for_a_password_comes_back_with_the_configuration_that_has_it() {
    let postgres = Postgres::start();
    let access = "local all all trust\nhost all keeper 127.0.0.1/32 scram-sha-256\n\
                  host all all 127.0.0.1/32 trust\n";
    fs::write(postgres.data().join("pg_hba.conf"), access).unwrap();
    postgres.query("CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'hunter2'");
    postgres.query("SELECT pg_reload_conf()");
    postgres.query("CREATE DATABASE shop");
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path.join(name);
    for folder in ["copies", "etc"] {
        fs::create_dir(at(folder)).unwrap();
    }
    let bare = format!(
        "host: here\ndata: data\nexporter: {{engine: /nowhere.sock}}\nbackup:\n  \
         targets: [{{name: local, folder: {:?}, reserve: 1MiB}}]\n",
        at("copies")
    );
    let whole = format!(
        "{bare}  jobs:\n    - {{name: etc, directory: {:?}}}\n    \
         - {{name: db, database: shop, host: 127.0.0.1, port: {}, user: keeper, password: hunter2}}\n",
        at("etc"),
        postgres.port()
    );
    scratch.file("etc/belfry.yml", &whole);
    scratch.file("belfry.yml", &bare);
    let expect = |code: i32, arguments: &[&str]| {
        let done = command(&scratch.path, arguments).output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
        told.into_owned()
    };
    for job in ["etc", "db"] {
        expect(0, &["--config", "etc/belfry.yml", "backup", "run", job]);
    }
    let lost = || {
        fs::remove_dir_all(at("etc")).unwrap();
        let _ = postgres.attempt("DROP DATABASE shop WITH (FORCE)");
    };
    lost();
    let bootstrap = ["restore", "--bootstrap", "--yes", "--wait", "1"];
    // Nobody knows the password, and the rest is back.
    let told = expect(2, &bootstrap);
    assert!(
        told.contains("FAILED") && told.contains("password"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(at("etc/belfry.yml")).unwrap(), whole);
    let there = "SELECT count(*) FROM pg_database WHERE datname = 'shop'";
    assert_eq!(postgres.query(there), "0");
    lost();
    let told = expect(0, &[&bootstrap[..], &["--jobs", "etc/belfry.yml"]].concat());
    assert!(told.contains("2 things are back"), "{told}");
    assert_eq!(postgres.query(there), "1");
    // One that does not come back is told before a database is begun.
    lost();
    let told = expect(2, &[&bootstrap[..], &["--jobs", "etc/other.yml"]].concat());
    assert!(told.contains("etc/other.yml"), "{told}");
    assert_eq!(postgres.query(there), "0");
}

#[test]
fn a_host_that_has_the_programs_elsewhere_than_the_lost_one_finds_them() {
    let postgres = Postgres::start();
    postgres.query("CREATE DATABASE shop");
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path.join(name);
    fs::create_dir(at("copies")).unwrap();
    symlink("/usr/lib/postgresql/15/bin", at("programs")).unwrap();
    let bare = format!(
        "host: here\ndata: data\nexporter: {{engine: /nowhere.sock}}\nbackup:\n  \
         targets: [{{name: local, folder: {:?}, reserve: 1MiB}}]\n",
        at("copies")
    );
    let (port, programs) = (postgres.port(), at("programs"));
    let job = format!(
        "  jobs: [{{name: db, database: shop, host: 127.0.0.1, port: {port}, bin: {programs:?}}}]\n"
    );
    scratch.file("belfry.yml", &format!("{bare}{job}"));
    let expect = |arguments: &[&str]| {
        let done = command(&scratch.path, arguments).output().unwrap();
        assert_eq!(done.status.code(), Some(0), "{done:?}");
    };
    expect(&["backup", "run", "db"]);
    scratch.file("belfry.yml", &bare);
    fs::remove_file(programs).unwrap();
    postgres.query("DROP DATABASE shop");
    expect(&["restore", "--bootstrap", "--yes", "--wait", "1"]);
    let there = "SELECT count(*) FROM pg_database WHERE datname = 'shop'";
    assert_eq!(postgres.query(there), "1");
}

#[test]
fn a_server_whose_authorities_are_not_on_the_new_host_is_told_first_and_reached_with_others() {
    let postgres = Postgres::start();
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path.join(name);
    for folder in ["copies", "etc", "pki"] {
        fs::create_dir(at(folder)).unwrap();
    }
    let certificate = Certificate::for_host("localhost", &at("pki"));
    let data = postgres.data();
    let owner = fs::metadata(&data).unwrap();
    for (from, to) in [
        (&certificate.chain, "server.crt"),
        (&certificate.key, "server.key"),
    ] {
        let to = data.join(to);
        fs::copy(from, &to).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    postgres.query("ALTER SYSTEM SET ssl = on");
    postgres.query("SELECT pg_reload_conf()");
    postgres.query("CREATE DATABASE shop");
    let bare = format!(
        "host: here\ndata: data\nexporter: {{engine: /nowhere.sock}}\nbackup:\n  \
         targets: [{{name: local, folder: {:?}, reserve: 1MiB}}]\n",
        at("copies")
    );
    let (ours, theirs) = (at("ours.pem"), at("etc/theirs.pem"));
    for file in [&ours, &theirs] {
        fs::copy(&certificate.authority, file).unwrap();
    }
    let server = format!("host: localhost, port: {}, tls: true", postgres.port());
    scratch.file(
        "belfry.yml",
        &format!(
            "{bare}  jobs:\n    - {{name: etc, directory: {:?}}}\n    \
             - {{name: db, database: shop, {server}, ca_file: {ours:?}}}\n    \
             - {{name: roles, globals: true, {server}, ca_file: {theirs:?}}}\n",
            at("etc")
        ),
    );
    let expect = |code: i32, arguments: &[&str]| {
        let done = command(&scratch.path, arguments).output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
        told.into_owned()
    };
    for job in ["etc", "db", "roles"] {
        expect(0, &["backup", "run", job]);
    }
    fs::remove_dir_all(at("etc")).unwrap();
    fs::remove_file(&ours).unwrap();
    postgres.query("DROP DATABASE shop");
    scratch.file("belfry.yml", &bare);
    let told = expect(1, &["restore", "--bootstrap", "--plan"]);
    for line in [
        format!(
            "needs   roles: its ca_file {}, which should come back with etc",
            theirs.display()
        ),
        format!(
            "warn    db: its ca_file {} is not on this host",
            ours.display()
        ),
    ] {
        assert!(told.contains(&line), "{line}: {told}");
    }
    let bootstrap = ["restore", "--bootstrap", "--yes"];
    let told = expect(2, &[&bootstrap[..], &["--ca-file", "nowhere.pem"]].concat());
    assert!(told.contains("--ca-file: nowhere.pem: "), "{told}");
    assert!(!at("etc").exists(), "nothing was touched");
    // All else is back, and nothing is waited for that cannot come.
    let told = expect(2, &[&bootstrap[..], &["--wait", "86400"]].concat());
    let failed = format!(
        "FAILED  its ca_file {} is not on this host; --ca-file FILE names another",
        ours.display()
    );
    assert_eq!(told.matches("FAILED").count(), 1, "{told}");
    assert!(told.contains(&failed), "{told}");
    assert!(theirs.exists());
    let there = "SELECT count(*) FROM pg_database WHERE datname = 'shop'";
    assert_eq!(postgres.query(there), "0");
    let authority = certificate.authority.display().to_string();
    expect(1, &[&bootstrap[..], &["--ca-file", &authority]].concat());
    assert_eq!(postgres.query(there), "1");
    // Authorities that are there stay those by which a server is known.
    postgres.query("DROP DATABASE shop");
    fs::copy(&certificate.authority, &ours).unwrap();
    fs::create_dir(at("other")).unwrap();
    let other = Certificate::for_host("localhost", &at("other"));
    let other = other.authority.display().to_string();
    let more = ["--ca-file", &other, "--wait", "5"];
    expect(1, &[&bootstrap[..], &more].concat());
    assert_eq!(postgres.query(there), "1");
}
