//! What is backed up and what is not, and a configuration for all of it, beside a
//! real engine with a real PostgreSQL in a container.

use std::fs;

use crate::backup_files::{Place, command};
use crate::support::belfry::Launch;
use crate::support::claim;
use crate::support::container::Container;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::scratch::Scratch;

/// Makes a cluster of the user `owner` where there is none, and serves it.
pub(crate) const SERVE: &str = "set -e; mkdir -p /tmp /var/run/postgresql; chmod 1777 /tmp
            echo 'postgres:x:999:999::/data:/bin/sh' >>/etc/passwd; echo 'postgres:x:999:' >>/etc/group
            mkdir -p /data/pg; chown -R 999:999 /data
            [ -e /data/pg/PG_VERSION ] || /bin/busybox su postgres -c '/usr/lib/postgresql/15/bin/initdb -U owner -A trust -E UTF8 --locale C.UTF-8 -D /data/pg'
            exec /bin/busybox su postgres -c 'exec /usr/lib/postgresql/15/bin/postgres -D /data/pg -k /tmp -c listen_addresses='";

/// A container in which this host's own PostgreSQL runs: its programs are mounted.
pub(crate) fn postgres(name: &str, volume: &str) -> Container {
    let mut container = Container::named(name);
    for folder in ["/usr", "/lib", "/lib64", "/etc/ssl"] {
        container = container.option("--volume", &format!("{folder}:{folder}:ro"));
    }
    container
        .option("--volume", &format!("{volume}:/data"))
        .option("--env", "PGDATA=/data/pg")
        .option("--env", "POSTGRES_USER=owner")
        .option("--env", "PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin")
        .option("--env", "PGHOST=/tmp")
        .option("--shm-size", "64m")
        .compose("shop", "db")
        .script(SERVE)
}

/// Asks the server in a container.
pub(crate) fn sql(place: &Place, container: &str, database: &str, sql: &str) -> String {
    let words = [
        "exec", container, "psql", "-XqAt", "-U", "owner", "-d", database, "-c", sql,
    ];
    place.engine.docker(&words)
}

/// Waits until the server in a container answers.
pub(crate) fn wait(place: &Place, container: &str) {
    poll::holds("PostgreSQL should answer in its container", || {
        let words = [
            "exec", container, "psql", "-XqAt", "-U", "owner", "-d", "postgres", "-c", "SELECT 1",
        ];
        place.engine.tries(&words)
    });
}

#[test]
fn every_volume_and_database_is_listed_and_gets_a_job_that_works() {
    let place = Place::new("    []\n");
    for volume in ["shop_pg", "shop_up", "shop_cache"] {
        let short = volume.strip_prefix("shop_").unwrap();
        let label = format!("--label=com.docker.compose.volume={short}");
        let words = [
            "volume",
            "create",
            "--label=com.docker.compose.project=shop",
            &label,
            volume,
        ];
        place.engine.docker(&words);
    }
    let words = [
        "volume",
        "create",
        "--label=com.docker.compose.project=shop",
        "--label=com.docker.compose.volume=git",
        "repositories",
    ];
    place.engine.docker(&words);
    place.engine.run(&postgres("shop-db-1", "shop_pg"));
    place
        .engine
        .run(&Container::named("web").option("--volume", "shop_up:/up"));
    wait(&place, "shop-db-1");
    sql(&place, "shop-db-1", "postgres", "CREATE DATABASE shop");
    sql(
        &place,
        "shop-db-1",
        "shop",
        "CREATE TABLE t AS SELECT generate_series(1, 100) n",
    );

    let told = place.expect(1, &["backup", "coverage"]);
    assert!(told.lines().all(|line| line.len() <= 80), "{told}");
    for line in [
        "UNKNOWN   database  shop-db-1/shop",
        "UNKNOWN   volume    shop_pg",
        "UNKNOWN   volume    shop_up",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(
        !told.contains("shop-db-1/postgres"),
        "nobody uses it: {told}"
    );

    let folder = &place.scratch.path;
    let config = fs::read_to_string(folder.join("belfry.yml")).unwrap();
    let excluded = "  exclude_volumes: {shop_cache: rebuilt at each start}\n";
    place
        .scratch
        .file("belfry.yml", &format!("{config}{excluded}"));
    // What is proposed is a configuration, and its jobs back up.
    place.expect(0, &["init", "--write", "proposed.yml"]);
    place.expect(2, &["init", "--write", "proposed.yml"]);
    let (head, _) = config.split_once("backup:").unwrap();
    let proposed = fs::read_to_string(folder.join("proposed.yml")).unwrap();
    let copies = folder.join("copies").display().to_string();
    let proposed = proposed.replace("/var/backups/belfry", &copies) + excluded;
    let whole = format!("{head}{proposed}");
    place.scratch.file("belfry.yml", &whole);
    let told = place.expect(0, &["backup", "coverage"]);
    for line in [
        "backed up database  shop-db-1/shop",
        "by shop-shop",
        "excluded  volume    shop_cache",
        "rebuilt at each start",
        "backed up volume    shop_pg",
        "backed up volume    shop_up",
        "backed up volume    repositories",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let told = place.expect(0, &["backup", "run", "shop-shop"]);
    assert!(told.contains("1 tables, 100 rows, whole"), "{told}");
    place.expect(0, &["backup", "run", "shop_up"]);
    // By the name that the compose file has for it, as a job may say it too.
    let by_project = whole.replace("volume: repositories", "volume: git\n      project: shop");
    assert_ne!(by_project, whole);
    // The watch tells it of every volume too, though no container mounts it.
    let watched = by_project.replace("data: data\n", "");
    let belfry = Launch::with(&watched).data(&folder.join("watched")).start();
    for (volume, known) in [("repositories", "backed_up"), ("shop_cache", "excluded")] {
        let series = format!(
            "belfry_backup_volume_coverage{{volume=\"{volume}\",project=\"shop\",coverage=\"{known}\"}}"
        );
        poll::holds("the watch should know the volume", || {
            belfry.metric(&series) == Some(1.0)
        });
    }
    drop(belfry);
    place.scratch.file("belfry.yml", &by_project);
    place.expect(0, &["backup", "run", "repositories"]);
    let told = place.expect(0, &["backup", "coverage"]);
    assert!(told.contains("by repositories"), "{told}");
    let told = place.expect(0, &["init"]);
    assert!(told.contains("    []"), "nothing is left: {told}");
    let told = place.expect(0, &["backup", "coverage", "--json"]);
    let all: serde_json::Value = serde_json::from_str(told.trim()).unwrap();
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .any(|row| row["job"] == "shop-shop"),
        "{all}"
    );
}

#[test]
fn databases_of_servers_that_the_configuration_names_are_listed_without_an_engine_too() {
    let postgres = Postgres::start();
    for name in ["shop", "old", "notes"] {
        postgres.query(&format!("create database {name}"));
    }
    let (scratch, port) = (Scratch::new(), postgres.port());
    let down = claim::port();
    let config = |servers: &str, more: &str| {
        let text = format!(
            "host: here\ndata: data\nexporter:\n  engine: /nowhere.sock\n  postgres: {{servers: [{{url: 'postgres://postgres@127.0.0.1:{port}/postgres'}}{servers}]}}\n\
             backup:\n  targets: [{{name: local, folder: copies}}]\n  exclude_databases: {{here/old: frozen}}\n\
             \x20 jobs: [{{name: db, database: shop, host: 127.0.0.1, port: {port}}}{more}]\n"
        );
        scratch.file("belfry.yml", &text);
    };
    let coverage = || {
        let done = command(&scratch.path, &["backup", "coverage"])
            .output()
            .unwrap();
        // Nobody can tell of volumes here.
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&done.stdout), text(&done.stderr))
    };
    config("", "");
    let (told, said) = coverage();
    let rows: Vec<_> = told
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .collect();
    let wanted = [
        vec!["UNKNOWN", "database", "here/notes"],
        vec!["excluded", "database", "here/old", "frozen"],
        vec!["backed", "up", "database", "here/shop", "by", "db"],
    ];
    assert_eq!(rows, wanted, "{told}");
    assert!(
        said.contains("volumes and containers cannot be told: "),
        "{said}"
    );
    // Of two servers each is meant by its place, and one that is down is told.
    let down = format!(
        ", {{name: second, url: 'postgres://postgres@127.0.0.1:{}/postgres'}}",
        down.number
    );
    config(
        &down,
        ", {name: more, database: notes, host: 127.0.0.1, port: 1}",
    );
    let (told, said) = coverage();
    assert!(told.contains(&format!("127.0.0.1:{port}/notes")), "{told}");
    let closed = "the databases of second cannot be told: cannot connect";
    assert!(said.contains(closed), "{said}");
}
