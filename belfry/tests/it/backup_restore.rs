//! Restores with an application around them: it is stopped, migrated, started and
//! waited for, beside a real engine; and single tables and files at the terminal.

use std::fs;

use crate::backup_coverage::{postgres, sql, wait};
use crate::backup_files::Place;
use crate::support::container::Container;
use crate::support::poll;

const COUNT: &str = "SELECT count(*) FROM t";

/// An application.
fn web() -> Container {
    Container::named("web")
        .compose("shop", "web")
        .option("--env", "GREETING=hello")
        .option("--volume", "shop_notes:/notes")
        .health("true")
}

/// A database with 100 rows in a container, its backup, 7 rows since, and an
/// application that uses it.
fn place(restore: &str) -> Place {
    let place = Place::new(&format!(
        "  - {{name: db, container: shop-db-1, database: shop, user: owner, \
         restore: {{stop: [com.docker.compose.service=web], {restore}}}}}\n"
    ));
    place.engine.run(&postgres("shop-db-1", "shop_pg"));
    place.engine.run(&web());
    wait(&place, "shop-db-1");
    sql(&place, "shop-db-1", "postgres", "CREATE DATABASE shop");
    let make = "CREATE TABLE t AS SELECT generate_series(1, 100) n";
    sql(&place, "shop-db-1", "shop", make);
    place.expect(0, &["backup", "run", "db"]);
    sql(
        &place,
        "shop-db-1",
        "shop",
        "INSERT INTO t SELECT 0 FROM generate_series(1, 7)",
    );
    place
}

fn rows(place: &Place) -> String {
    sql(place, "shop-db-1", "shop", COUNT)
}

#[test]
fn an_application_is_stopped_migrated_started_and_waited_for_around_a_restore() {
    let place = place(
        "migrate: [sh, -c, 'echo $GREETING $BELFRY >/notes/migrated'], migrate_as: web, healthy: ['container:web']",
    );
    let started = place.engine.inspect("web", "/State/StartedAt");
    let told = place.expect(1, &["restore", "db", "--plan"]);
    for line in [
        "lost    public.t: 7 rows that are new or were changed since",
        "stop com.docker.compose.service=web",
        "wait until all is well: container:web",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    place.expect(2, &["restore", "db", "--yes"]);
    assert_eq!(rows(&place), "107");
    let told = place.expect(0, &["restore", "db", "--yes", "--lose-newer"]);
    let order: Vec<_> = told
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let at = |word: &str| order.iter().position(|one| *one == word).unwrap();
    assert!(
        at("stop") < at("migrate") && at("migrate") < at("start"),
        "{told}"
    );
    assert!(
        at("start") < at("well") && at("well") < at("swap"),
        "{told}"
    );
    assert_eq!(rows(&place), "100");
    assert_ne!(place.engine.inspect("web", "/State/StartedAt"), started);
    assert_eq!(
        place
            .engine
            .docker(&["exec", "web", "cat", "/notes/migrated"]),
        "hello"
    );
    let all = place
        .engine
        .docker(&["ps", "--all", "--format", "{{.Names}}"]);
    assert!(!all.contains("belfry-migrate"), "{all}");
    place.expect(0, &["restore", "db", "--undo"]);
    assert_eq!(rows(&place), "107");
}

#[test]
fn what_is_written_while_a_restore_goes_on_is_told_and_not_lost_unless_it_may_be() {
    let place = place("before: [sh, -c, 'touch waiting; while [ ! -e go ]; do sleep 0.1; done']");
    let waiting = place.scratch.path.join("waiting");
    let go = place.scratch.path.join("go");
    let log = place.scratch.path.join("begun.log");
    let written_during = |words: &[&str]| {
        let mut run = place.begin(words);
        poll::holds("it should wait", || waiting.exists());
        sql(
            &place,
            "shop-db-1",
            "shop",
            "INSERT INTO t VALUES (-1), (-2)",
        );
        place.scratch.file("go", "");
        poll::holds("the restore should end", || run.ended().is_some());
        fs::remove_file(&waiting).unwrap();
        fs::remove_file(&go).unwrap();
        fs::read_to_string(&log).unwrap()
    };
    // What was there when it was asked is in the newest backup.
    place.expect(0, &["backup", "run", "db"]);
    for replace in [&[] as &[&str], &["--replace"]] {
        let before: u64 = rows(&place).parse().unwrap();
        let told = written_during(&[&["restore", "db", "--yes"], replace].concat());
        for part in [
            "lost    public.t: ",
            "rows that are new or were changed since: written meanwhile",
            "--lose-newer goes on all the same, and restore.before_writes says what the command before writes; everything is as it was",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(rows(&place), (before + 2).to_string());
        assert_eq!(place.engine.inspect("web", "/State/Status"), "running");
        place.expect(0, &["backup", "run", "db"]);
    }
    // Who may lose it is told how much it was.
    let told = written_during(&["restore", "db", "--yes", "--lose-newer"]);
    let line = "lost    public.t: 2 rows that are new or were changed since: written meanwhile";
    assert!(told.contains(line), "{told}");
    assert_eq!(rows(&place), "111");
    place.expect(0, &["restore", "db", "--undo"]);
    assert_eq!(rows(&place), "113");
}

#[test]
fn a_migration_that_fails_leaves_the_database_and_the_application_as_they_were() {
    let place = place("migrate: [sh, -c, 'echo no such column >&2; exit 9'], migrate_as: web");
    let told = place.expect(2, &["restore", "db", "--yes", "--lose-newer"]);
    let cause = "the migration: sh ended with code 9: no such column; everything is as it was";
    assert!(told.contains(cause), "{told}");
    assert_eq!(rows(&place), "107");
    assert_eq!(place.engine.inspect("web", "/State/Status"), "running");
}

#[test]
fn a_migration_that_hangs_in_its_container_is_ended_and_everything_is_put_back() {
    let place = place("migrate: [sleep, '600'], migrate_as: web, hook_timeout: 3s");
    let told = place.expect(2, &["restore", "db", "--yes", "--lose-newer"]);
    let cause = "the migration: it took longer than 3s; everything is as it was";
    assert!(told.contains(cause), "{told}");
    assert_eq!(rows(&place), "107");
    assert_eq!(place.engine.inspect("web", "/State/Status"), "running");
    let all = place
        .engine
        .docker(&["ps", "--all", "--format", "{{.Names}}"]);
    assert!(!all.contains("belfry-migrate"), "{all}");
}

#[test]
fn a_container_that_is_made_anew_during_a_restore_is_started_by_its_name() {
    let place = place(
        "migrate: [sh, -c, 'touch migrating; while [ ! -e go ]; do sleep 0.1; done'], healthy: ['container:web']",
    );
    let before = place.engine.inspect("web", "/Id");
    let mut run = place.begin(&["restore", "db", "--yes", "--lose-newer"]);
    poll::holds("it should migrate", || {
        place.scratch.path.join("migrating").exists()
    });
    place.engine.docker(&["rm", "--force", "web"]);
    // As whoever deploys does it: made, and started by somebody else.
    let made = web().arguments();
    let mut words = vec!["create"];
    let options = made.iter().map(String::as_str);
    words.extend(options.filter(|word| !["run", "--detach"].contains(word)));
    place.engine.docker(&words);
    place.scratch.file("go", "");
    poll::holds("the restore should end", || run.ended().is_some());
    assert_ne!(place.engine.inspect("web", "/Id"), before);
    assert_eq!(place.engine.inspect("web", "/State/Status"), "running");
    assert_eq!(rows(&place), "100");
    // It ended well: what was there is kept.
    place.expect(0, &["restore", "db", "--undo"]);
    assert_eq!(rows(&place), "107");
}

#[test]
fn a_restore_that_is_killed_in_its_migration_is_put_back_by_the_watch() {
    let place = place("migrate: [sh, -c, 'touch migrating; exec sleep 120']");
    let mut run = place.begin(&["restore", "db", "--yes", "--lose-newer"]);
    poll::holds("it should migrate", || {
        place.scratch.path.join("migrating").exists()
    });
    assert_eq!(rows(&place), "100");
    assert_eq!(place.engine.inspect("web", "/State/Status"), "exited");
    run.kill();
    let _watch = place.watch();
    poll::holds("the application should run again", || {
        place.engine.inspect("web", "/State/Status") == "running"
    });
    assert_eq!(rows(&place), "107");
}

#[test]
fn a_migration_in_a_container_of_its_own_ends_with_the_restore_that_was_killed() {
    let place = place("migrate: [sh, -c, 'sleep 600'], migrate_as: web");
    let migration = || {
        let words = ["ps", "--all", "--format", "{{.Names}} {{.State}}"];
        let all = place.engine.docker(&words);
        let found = all.lines().find(|line| line.starts_with("belfry-migrate"));
        found.map(str::to_owned)
    };
    let restore = ["restore", "db", "--yes", "--lose-newer"];
    let mut run = place.begin(&restore);
    poll::holds("it should migrate", || {
        migration().as_deref() == Some("belfry-migrate-db running")
    });
    assert_eq!(rows(&place), "100");
    run.kill();
    assert!(migration().is_some(), "it goes on without us");
    let told = place.expect(1, &["restore", "db", "--plan"]);
    assert!(told.contains("left was put back"), "{told}");
    assert_eq!(migration(), None, "it would write into what was put back");
    assert_eq!(rows(&place), "107");
    // A container of somebody else that has its name is not ours to take away.
    place.engine.run(&Container::named("belfry-migrate-db"));
    let told = place.expect(2, &restore);
    let cause = "belfry-migrate-db is no container of ours, and stays; everything is as it was";
    assert!(told.contains(cause), "{told}");
    assert_eq!(migration().as_deref(), Some("belfry-migrate-db running"));
    assert_eq!(rows(&place), "107");
}

#[test]
fn a_database_that_was_dropped_for_its_backup_is_made_again_by_the_watch() {
    let place = place("migrate: [sh, -c, 'touch migrating; exec sleep 120']");
    let told = place.expect(1, &["restore", "db", "--plan", "--replace"]);
    for line in [
        "free on the server's disk",
        "close shop, dump it as it is now, read that back, and DROP it",
        "compare all rows",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let mut run = place.begin(&["restore", "db", "--yes", "--lose-newer", "--replace"]);
    poll::holds("it should migrate", || {
        place.scratch.path.join("migrating").exists()
    });
    assert_eq!(rows(&place), "100");
    let names =
        "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate";
    let databases = || sql(&place, "shop-db-1", "postgres", names);
    assert_eq!(databases(), "postgres shop", "there was no room for two");
    run.kill();
    let mut watch = place.watch();
    let words = [
        "exec",
        "shop-db-1",
        "psql",
        "-XqAt",
        "-U",
        "owner",
        "-d",
        "shop",
        "-c",
        "SELECT 1 / (count(*) = 107)::int FROM t",
    ];
    poll::holds("it should be as it was, and the application run", || {
        place.engine.tries(&words) && place.engine.inspect("web", "/State/Status") == "running"
    });
    watch.stop();
    assert_eq!(databases(), "postgres shop");
    // Again, without the migration: it is confirmed or undone as any other.
    let config = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let config = config.replace("sleep 120", "true");
    place.scratch.file("belfry.yml", &config);
    let replace = ["restore", "db", "--yes", "--lose-newer", "--replace"];
    let told = place.expect(0, &replace);
    let at = |word: &str| {
        told.lines()
            .position(|line| line.starts_with(word))
            .unwrap()
    };
    assert!(
        at("DROPS") < at("stop") && at("keep") < at("drop"),
        "{told}"
    );
    assert_eq!(rows(&place), "100");
    let told = place.expect(2, &replace);
    assert!(told.contains("confirm or undo that first"), "{told}");
    let told = place.expect(0, &["restore", "db", "--undo"]);
    assert!(told.contains("the restored one is gone"), "{told}");
    assert_eq!(rows(&place), "107");
    place.expect(0, &replace);
    let told = place.expect(0, &["restore", "db", "--confirm"]);
    assert!(
        told.contains("removed ") && told.contains("/kept/db"),
        "{told}"
    );
    place.expect(2, &["restore", "db", "--undo"]);
}

#[test]
fn single_tables_and_files_come_back_beside_the_live_ones_and_who_uses_a_volume_is_stopped() {
    let place = place("hook_timeout: 60s");
    let told = place.expect(0, &["restore", "db", "--table", "t", "--as", "t_before"]);
    assert!(told.contains("made    public.t_before: 100 rows"), "{told}");
    let count = "SELECT count(*), min(n) FROM t_before";
    assert_eq!(sql(&place, "shop-db-1", "shop", count), "100|1");
    assert_eq!(rows(&place), "107");

    let config = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let job = "  - {name: notes, volume: shop_notes}\n";
    place.scratch.file("belfry.yml", &(config + job));
    place.engine.docker(&[
        "exec",
        "web",
        "sh",
        "-c",
        "echo old >/notes/one; echo two >/notes/two",
    ]);
    place.expect(0, &["backup", "run", "notes"]);
    place
        .engine
        .docker(&["exec", "web", "sh", "-c", "echo new >/notes/one"]);
    let told = place.expect(0, &["restore", "notes", "--path", "one"]);
    let folder = told.split("look into ").nth(1).unwrap().trim();
    assert_eq!(
        fs::read_to_string(format!("{folder}/one")).unwrap(),
        "old\n"
    );
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    assert_eq!(
        place.engine.docker(&["exec", "web", "cat", "/notes/one"]),
        "new"
    );

    let told = place.expect(2, &["restore", "notes", "--yes", "--lose-newer"]);
    assert!(told.contains("web run(s) with it; --stop NAME"), "{told}");
    place.expect(
        0,
        &["restore", "notes", "--yes", "--lose-newer", "--stop", "web"],
    );
    place.engine.wait_for_state("web", "running");
    assert_eq!(
        place.engine.docker(&["exec", "web", "cat", "/notes/one"]),
        "old"
    );
}
