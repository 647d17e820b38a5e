//! The whole of it: a platform with a database, repositories, secrets, certificates and
//! an application is lost with its host, and comes back from the bucket and the key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::backup_coverage::{postgres, sql, wait};
use crate::backup_files::Place;
use crate::support::claim;
use crate::support::container::Container;
use crate::support::poll;
use crate::support::program;

#[path = "../../../backup/tests/it/store.rs"]
pub(crate) mod store;

/// How a person would start the platform again.
fn start_script(containers: &[Container]) -> String {
    let quoted = |word: &String| format!("'{}'", word.replace('\'', "'\\''"));
    let line = |container: &Container| {
        let words: Vec<_> = container.arguments().iter().map(quoted).collect();
        format!("docker {}\n", words.join(" "))
    };
    let lines: String = containers.iter().map(line).collect();
    format!("#!/bin/sh\nset -e\n{lines}")
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let settings = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "safe.directory=*",
    ];
    program::run(
        Command::new("git")
            .current_dir(folder)
            .args(settings)
            .args(arguments),
    )
}

/// A certificate and its key, as a proxy keeps them.
fn certify(folder: &Path) {
    let words = "req -x509 -newkey rsa:2048 -nodes -subj /CN=shop.example -days 30 -keyout site.key -out site.pem";
    let mut openssl = Command::new("openssl");
    program::run(openssl.current_dir(folder).args(words.split(' ')));
    fs::set_permissions(folder.join("site.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// The public key of the certificate, which is that of its key.
fn certified(folder: &Path) -> String {
    let public = |words: &str| {
        let mut openssl = Command::new("openssl");
        program::run(openssl.current_dir(folder).args(words.split(' ')))
    };
    let of_certificate = public("x509 -in site.pem -noout -pubkey");
    assert_eq!(of_certificate, public("pkey -in site.key -pubout"));
    of_certificate
}

/// A configuration with the bucket, and whatever else.
fn config(place: &Place, port: u16, rest: &str) {
    let socket = place.engine.socket();
    let text = format!(
        "host: HOST\ndata: data\nexporter: {{engine: {socket:?}}}\nbackup:\n  identity_file: key\n  targets:\n    \
         - {{name: r2, bucket: {}, endpoint: 'http://127.0.0.1:{port}', prefix: all, access_key_id: {}, secret_access_key: {}}}\n{rest}",
        store::BUCKET,
        store::KEY_ID,
        store::SECRET,
    );
    place.scratch.file("belfry.yml", &text);
}

const COUNTS: &str = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM users), (SELECT sum(hashtext(o::text)) FROM orders o)";

#[test]
fn a_platform_that_is_lost_with_its_host_comes_back_from_the_bucket_and_the_key() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(store::Store::start());
    // The one path that is the same on the next host.
    let home = tempfile::tempdir().unwrap();
    let platform = home.path().join("platform");
    let key = backup::age::Identity::generate().unwrap();
    let other = backup::age::Identity::generate().unwrap();
    let keys = format!("{}\n{}\n", &*key.expose(), &*other.expose());

    let containers = [
        postgres("shop-db-1", "shop_pg"),
        Container::named("shop-web-1")
            .compose("shop", "web")
            .option("--volume", "shop_www:/www")
            .option("--volume", "shop_certs:/certs:ro")
            .script("exec httpd -f -p 80 -h /www"),
    ];
    let answer = |place: &Place| {
        place.engine.docker(&[
            "exec",
            "shop-web-1",
            "wget",
            "-qO-",
            "http://127.0.0.1/index.html",
        ])
    };
    let (wanted, certificate) = {
        let place = Place::new("    []\n");
        place.scratch.file("key", &keys);
        fs::create_dir_all(platform.join("secrets")).unwrap();
        let script = platform.join("start.sh");
        fs::write(&script, start_script(&containers)).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o750)).unwrap();
        let secret = platform.join("secrets/master.key");
        fs::write(&secret, "0123456789abcdef").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o400)).unwrap();
        for container in &containers {
            place.engine.run(container);
        }
        let volume = |name: &str| {
            let words = ["volume", "inspect", "--format", "{{.Mountpoint}}", name];
            std::path::PathBuf::from(place.engine.docker(&words))
        };
        fs::write(volume("shop_www").join("index.html"), "the shop is open").unwrap();
        certify(&volume("shop_certs"));
        place.engine.docker(&["volume", "create", "shop_git"]);
        let repositories = volume("shop_git");
        git(&repositories, &["init", "--quiet", "--bare", "shop.git"]);
        let work = tempfile::tempdir().unwrap();
        let bare = repositories.join("shop.git").display().to_string();
        git(work.path(), &["clone", "--quiet", &bare, "."]);
        fs::write(work.path().join("file"), "content").unwrap();
        git(work.path(), &["add", "."]);
        git(work.path(), &["commit", "--quiet", "-m", "one"]);
        git(work.path(), &["push", "--quiet", "origin", "HEAD:main"]);
        wait(&place, "shop-db-1");
        sql(
            &place,
            "shop-db-1",
            "postgres",
            "CREATE ROLE seller LOGIN PASSWORD 'hunter2'",
        );
        sql(
            &place,
            "shop-db-1",
            "postgres",
            "CREATE DATABASE shop OWNER seller",
        );
        sql(
            &place,
            "shop-db-1",
            "shop",
            "CREATE TABLE orders AS SELECT n, md5(n::text) FROM generate_series(1, 5000) n",
        );
        sql(
            &place,
            "shop-db-1",
            "shop",
            "CREATE TABLE users AS SELECT n FROM generate_series(1, 300) n; ALTER TABLE orders OWNER TO seller",
        );
        config(
            &place,
            store.port,
            &format!(
                "  recipients: [{}]\n  jobs:\n    - {{name: platform, directory: {platform:?}}}\n    - {{name: www, volume: shop_www}}\n    \
                 - {{name: certs, volume: shop_certs, secret: true, recipients: [{}]}}\n    \
                 - {{name: git, volume: shop_git, importance: 1}}\n    - {{name: db, container: shop-db-1, database: shop, user: owner}}\n",
                key.recipient(),
                other.recipient()
            )
            .replace("HOST", "old"),
        );
        let text = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
        place
            .scratch
            .file("belfry.yml", &text.replace("HOST", "old"));
        for job in ["platform", "www", "certs", "git", "db"] {
            place.expect(0, &["backup", "run", job]);
        }
        place.expect(0, &["backup", "drill", "git"]);
        assert_eq!(answer(&place), "the shop is open");
        let counts = sql(&place, "shop-db-1", "shop", COUNTS);
        (counts, certified(&volume("shop_certs")))
    };
    // All of it is gone: the engine with its volumes, the folders, what we knew.
    fs::remove_dir_all(&platform).unwrap();

    let place = Place::new("    []\n");
    place.scratch.file("key", &keys);
    config(&place, store.port, "");
    let text = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    place
        .scratch
        .file("belfry.yml", &text.replace("HOST", "new"));
    let told = place.expect(0, &["restore", "--bootstrap", "--plan"]);
    let order: Vec<_> = told
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    let folder = format!("{}:", platform.display());
    // By name the certificates would come before the repositories, which matter most.
    let wanted_order = [&*folder, "shop_git:", "shop_certs:", "shop_www:", "shop:"];
    assert_eq!(order, wanted_order, "{told}");
    place.expect(2, &["restore", "--bootstrap"]);
    assert!(!platform.exists(), "nobody was asked");

    let start = format!("sh {}", platform.join("start.sh").display());
    let mut command = place.command(&["restore", "--bootstrap", "--yes", "--start", &start]);
    let done = command
        .env("DOCKER_HOST", place.engine.host())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(
        told.contains("5 things are back") && !told.contains("hunter2"),
        "{told}"
    );
    poll::holds("the shop should be open", || {
        place.engine.tries(&[
            "exec",
            "shop-web-1",
            "wget",
            "-qO-",
            "http://127.0.0.1/index.html",
        ])
    });
    assert_eq!(answer(&place), "the shop is open");
    assert_eq!(sql(&place, "shop-db-1", "shop", COUNTS), wanted);
    let owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'orders'";
    assert_eq!(sql(&place, "shop-db-1", "shop", owner), "seller");
    let about = fs::metadata(platform.join("secrets/master.key")).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o400);
    let volume = |name: &str| {
        let words = ["volume", "inspect", "--format", "{{.Mountpoint}}", name];
        std::path::PathBuf::from(place.engine.docker(&words))
    };
    let certificates = volume("shop_certs");
    assert_eq!(certified(&certificates), certificate);
    let about = fs::metadata(certificates.join("site.key")).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    let seen = ["exec", "shop-web-1", "cat", "/certs/site.pem"];
    let pem = fs::read_to_string(certificates.join("site.pem")).unwrap();
    assert_eq!(place.engine.docker(&seen).trim(), pem.trim());
    let log = git(
        &volume("shop_git").join("shop.git"),
        &["log", "--format=%s", "main"],
    );
    assert_eq!(log.trim(), "one");

    // Once more changes nothing: what is there is left alone.
    let told = place.expect(1, &["restore", "--bootstrap", "--yes"]);
    assert_eq!(
        told.matches("is not empty, and is left alone").count(),
        5,
        "{told}"
    );
    assert_eq!(sql(&place, "shop-db-1", "shop", COUNTS), wanted);
}
