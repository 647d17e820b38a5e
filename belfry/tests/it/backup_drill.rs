//! Drills in a container of their own, beside a real engine with an image that has
//! PostgreSQL in it.

use std::fs;
use std::process::Command;

use crate::backup_coverage::{SERVE, sql, wait};
use crate::backup_files::Place;
use crate::support::container::Container;
use crate::support::{poll, program};

const IMAGE: &str = "belfry-test/postgres";
/// This host's PostgreSQL with what it needs, and nothing more, in the folder `root`.
const GATHER: &str = r#"set -e; pg=/usr/lib/postgresql/15; mkdir -p root$pg/bin root$pg/lib root/usr/share/postgresql root/lib64
for name in postgres initdb psql pg_dump pg_dumpall pg_restore; do cp $pg/bin/$name root$pg/bin/; done
cp $pg/lib/plpgsql.so $pg/lib/dict_snowball.so $pg/lib/libpqwalreceiver.so $pg/lib/*_and_*.so root$pg/lib/
cp -r /usr/share/postgresql/15 root/usr/share/postgresql/
ldd $pg/bin/* $pg/lib/plpgsql.so | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | while read -r library; do cp -L --parents "$library" root; done
cp -L /lib64/ld-linux-x86-64.so.2 root/lib64/
cp -r --parents /usr/lib/locale/C.utf8 /usr/share/zoneinfo/UTC /usr/share/zoneinfo/Etc root"#;
/// Goes on when there is a file, and is true then.
const HELD: &str = "SELECT count(*) = 100 AND (SELECT count(*) FROM generate_series(1, 6000) i, \
    LATERAL (SELECT pg_sleep(0.1) WHERE i > 0 AND (pg_stat_file(''/tmp/go'', true)).size IS NULL) s) >= 0 FROM t";

/// What the live server preloads is there, and nothing of it does anything by itself.
const PRELOADED: &str = "SELECT current_setting(''shared_preload_libraries'') = ''plpgsql'' \
    AND current_setting(''max_worker_processes'') = ''0''";

/// A database with 100 rows, and a backup of it whose drill waits to be looked at.
pub(crate) fn place() -> Place {
    let place = Place::new(&format!(
        "  - {{name: db, container: shop-db-1, database: shop, user: owner, \
         drill_container: true, drill_memory: 256MiB, checks: ['{HELD}', '{PRELOADED}']}}\n"
    ));
    let folder = place.scratch.path.join("image");
    fs::create_dir(&folder).unwrap();
    program::run(
        Command::new("bash")
            .args(["-c", GATHER])
            .current_dir(&folder),
    );
    let text = format!(
        "FROM {}\nCOPY root /\nENV PATH=/usr/lib/postgresql/15/bin:/bin\nENV POSTGRES_PASSWORD=hunter2hunter2\nVOLUME /data\n",
        crate::support::engine::IMAGE
    );
    fs::write(folder.join("Dockerfile"), text).unwrap();
    place.engine.build(IMAGE, &folder);
    fs::remove_dir_all(&folder).unwrap();
    let server = Container::named("shop-db-1")
        .image(IMAGE)
        .option("--volume", "shop_pg:/data")
        .option("--env", "PGDATA=/data/pg")
        .option("--env", "POSTGRES_USER=owner")
        .option("--env", "PGHOST=/tmp")
        .option("--env", "SECRET=hunter2")
        .compose("shop", "db")
        .script(SERVE);
    place.engine.run(&server);
    wait(&place, "shop-db-1");
    let preload = "ALTER SYSTEM SET shared_preload_libraries = 'plpgsql'";
    sql(&place, "shop-db-1", "postgres", preload);
    place.engine.docker(&["restart", "shop-db-1"]);
    wait(&place, "shop-db-1");
    sql(
        &place,
        "shop-db-1",
        "postgres",
        "CREATE ROLE seller; CREATE ROLE reader",
    );
    sql(
        &place,
        "shop-db-1",
        "postgres",
        "CREATE DATABASE shop OWNER seller",
    );
    let make = "CREATE TABLE t AS SELECT generate_series(1, 100) n; ALTER TABLE t OWNER TO seller; GRANT SELECT ON t TO reader";
    sql(&place, "shop-db-1", "shop", make);
    place.expect(0, &["backup", "run", "db"]);
    place
}

fn volumes(place: &Place) -> usize {
    place
        .engine
        .docker(&["volume", "ls", "--quiet"])
        .lines()
        .count()
}

pub(crate) fn is_there(place: &Place) -> bool {
    place
        .engine
        .tries(&["container", "inspect", "belfry-drill-db"])
}

/// Waits until the questions are asked of what was restored.
fn asked(place: &Place) {
    let words = [
        "exec",
        "belfry-drill-db",
        "psql",
        "-XqAt",
        "-h",
        "/tmp/belfry-drill",
        "-U",
        "postgres",
        "-c",
        "SELECT 1 / count(*) FROM pg_stat_activity WHERE query LIKE '%pg_stat_file%' AND pid <> pg_backend_pid()",
    ];
    poll::holds("the questions should be asked", || {
        place.engine.tries(&words)
    });
}

#[test]
fn a_drill_in_a_container_of_its_own_is_shut_in_bounded_and_leaves_nothing() {
    let place = place();
    let volumes_before = volumes(&place);
    let mut run = place.begin(&["backup", "drill", "db"]);
    asked(&place);
    let look = |at: &str| place.engine.inspect("belfry-drill-db", at);
    assert_eq!(look("/HostConfig/NetworkMode"), "none");
    assert_eq!(look("/HostConfig/Memory"), 256 << 20);
    assert_eq!(look("/HostConfig/MemorySwap"), 256 << 20);
    assert_eq!(look("/HostConfig/PidsLimit"), 200);
    assert_eq!(look("/HostConfig/CapDrop"), serde_json::json!(["ALL"]));
    assert_eq!(look("/HostConfig/AutoRemove"), true);
    let told = |name: &str| place.engine.inspect(name, "/Config/Env").to_string();
    assert!(told("shop-db-1").contains("SECRET="));
    // What the image itself holds is in every container of it.
    assert!(!told("belfry-drill-db").contains("SECRET="));
    assert_eq!(look("/NetworkSettings/Ports"), serde_json::json!({}));
    assert_eq!(look("/Image"), place.engine.inspect("shop-db-1", "/Image"));
    let mounts = look("/Mounts");
    let of_the_live_one = mounts
        .as_array()
        .unwrap()
        .iter()
        .any(|mount| mount["Name"] == "shop_pg");
    assert!(!of_the_live_one, "{mounts}");
    let names =
        "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate";
    assert_eq!(sql(&place, "shop-db-1", "postgres", names), "postgres shop");
    place
        .engine
        .docker(&["exec", "belfry-drill-db", "touch", "/tmp/go"]);
    poll::holds("the drill should end", || run.ended().is_some());
    // The engine takes it away by itself, with its volumes.
    poll::holds("nothing should be left", || {
        !is_there(&place) && volumes(&place) == volumes_before
    });
    let reports = fs::read_dir(place.scratch.path.join("data/backup/drills")).unwrap();
    let reports: Vec<_> = reports.map(|file| file.unwrap().path()).collect();
    let markdown = reports
        .iter()
        .find(|file| file.extension().is_some_and(|is| is == "md"));
    let text = fs::read_to_string(markdown.unwrap()).unwrap();
    for line in [
        "# Drill of db: passed",
        "- restored into: a container of its own",
        "- rows: 100, the same",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let told = place.expect(0, &["backup", "list"]);
    assert!(told.contains("drilled"), "{told}");
}

#[test]
fn a_drill_that_outgrows_its_disk_or_its_time_is_ended_and_the_copy_stays_good() {
    let place = place();
    let volumes_before = volumes(&place);
    let file = place.scratch.path.join("belfry.yml");
    let config = fs::read_to_string(&file).unwrap();
    for (bound, cause) in [
        // A server has more before anything is in it.
        ("drill_disk: 8MiB", "and may have 8388608"),
        ("timeout: 60s", "it took longer than 1m"),
    ] {
        // The questions wait, and nobody lets them go on.
        let bounded = config.replace("drill_memory:", &format!("{bound}, drill_memory:"));
        assert_ne!(bounded, config);
        fs::write(&file, bounded).unwrap();
        let told = place.expect(2, &["backup", "drill", "db"]);
        for line in ["begun   a server of shop-db-1's image", cause] {
            assert!(told.contains(line), "{bound}: {told}");
        }
        assert!(!is_there(&place), "{bound}");
        assert_eq!(volumes(&place), volumes_before, "{bound}");
        let told = place.expect(0, &["backup", "list"]);
        assert!(!told.contains("drilled"), "{bound}: {told}");
    }
}

#[test]
fn what_a_killed_drill_left_is_taken_away_by_the_watch_and_nobody_elses_container() {
    let place = place();
    let mut run = place.begin(&["backup", "drill", "db"]);
    asked(&place);
    run.kill();
    assert!(is_there(&place));
    let mut watch = place.watch();
    poll::holds("the watch should take it away", || !is_there(&place));
    watch.stop();
    // What only has its name stays, and is told.
    place.engine.run(&Container::named("belfry-drill-db"));
    let told = place.expect(2, &["backup", "drill", "db"]);
    assert!(
        told.contains("belfry-drill-db is no container of ours, and stays"),
        "{told}"
    );
    assert_eq!(
        place.engine.inspect("belfry-drill-db", "/State/Status"),
        "running"
    );
    let told = place.expect(0, &["backup", "list"]);
    assert!(!told.contains("drilled"), "{told}");
}
