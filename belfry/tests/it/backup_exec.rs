//! Programs and commands of a run inside a container: how they end is what counts, and
//! none of them outlives the run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::backup_coverage::{postgres, sql, wait};
use crate::backup_files::Place;
use crate::support::container::Container;
use crate::support::poll;

const PG_DUMP: &str = "/usr/lib/postgresql/15/bin/pg_dump";

/// Whether a process whose line has these words runs in a container.
fn runs(place: &Place, container: &str, words: &str) -> bool {
    let told = place.engine.docker(&["top", container, "-eo", "pid,args"]);
    told.contains(words)
}

/// From now on `pg_dump` in the container is this shell script.
fn becomes(place: &Place, script: &str) {
    let file = place.scratch.path.join("pg_dump");
    let text = format!(
        "#!/bin/sh\ncase $1 in --version|-V) exec /real_pg_dump --version ;; esac\n{script}\n"
    );
    // The same file: it is mounted.
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_dump_in_a_container_that_fails_or_is_given_up_leaves_no_copy_and_no_process() {
    let place = Place::new(
        "  - {name: db, container: shop-db-1, database: shop, user: owner, timeout: 20s}\n  \
         - {name: slow, container: shop-db-1, database: shop, user: owner}\n",
    );
    becomes(&place, "exit 3");
    let own = place.scratch.path.join("pg_dump");
    let mount = format!("{}:{PG_DUMP}:ro", own.display());
    let server = postgres("shop-db-1", "shop_pg")
        .option("--volume", &mount)
        .option("--volume", &format!("{PG_DUMP}:/real_pg_dump:ro"));
    place.engine.run(&server);
    wait(&place, "shop-db-1");
    sql(&place, "shop-db-1", "postgres", "CREATE DATABASE shop");

    for (script, cause) in [
        (
            "echo 'pg_dump: error: no luck' >&2; exit 3",
            "pg_dump ended with code 3: pg_dump: error: no luck",
        ),
        ("kill -KILL $$", "pg_dump was killed"),
        (
            "touch /tmp/begun; exec sleep 7771",
            "it took longer than 20s",
        ),
    ] {
        becomes(&place, script);
        let told = place.expect(2, &["backup", "run", "db"]);
        assert!(told.contains(cause), "{script}: {told}");
    }
    let begun = ["exec", "shop-db-1", "test", "-e", "/tmp/begun"];
    assert!(place.engine.tries(&begun));
    poll::holds("a dump should not outlive its time", || {
        !runs(&place, "shop-db-1", "sleep 7771")
    });

    becomes(&place, "exec sleep 7772");
    let mut run = place.begin(&["backup", "run", "slow"]);
    poll::holds("the dump should begin", || {
        runs(&place, "shop-db-1", "sleep 7772")
    });
    assert_eq!(run.stop().code(), Some(2));
    poll::holds("nobody should go on with a dump that was given up", || {
        !runs(&place, "shop-db-1", "sleep 7772")
    });
    assert_eq!(place.expect(0, &["backup", "list"]), "no backups\n");
}

#[test]
fn commands_around_a_run_in_a_container_count_by_their_end_and_are_ended_in_time() {
    let place = Place::new("    []\n");
    let file = place.scratch.path.join("belfry.yml");
    let config = fs::read_to_string(&file).unwrap();
    let folder = place.scratch.path.join("copies");
    place.engine.run(&Container::named("app"));
    let run = |code, around: &str| {
        let job = format!(
            "  - {{name: files, directory: {folder:?}, exclude: ['*'], hook_container: app, {around}}}\n"
        );
        fs::write(&file, config.replace("    []\n", &job)).unwrap();
        place.expect(code, &["backup", "run", "files"])
    };
    run(
        0,
        "before: [sh, -c, 'echo before $BELFRY_JOB >/hooks'], after: [sh, -c, 'echo after >>/hooks']",
    );
    let hooks = ["exec", "app", "cat", "/hooks"];
    assert_eq!(place.engine.docker(&hooks), "before files\nafter");
    for (around, cause) in [
        (
            "before: [sh, -c, 'echo no luck >&2; exit 7']",
            "the command before the run: sh ended with code 7: no luck",
        ),
        (
            "before: [sh, -c, 'touch /begun; exec sleep 7773'], hook_timeout: 5s",
            "the command before the run: it took longer than 5s",
        ),
    ] {
        let told = run(2, around);
        assert!(told.contains(cause), "{around}: {told}");
    }
    assert!(place.engine.tries(&["exec", "app", "test", "-e", "/begun"]));
    poll::holds("a command should not outlive its time", || {
        !runs(&place, "app", "sleep 7773")
    });
    let listed = place.expect(0, &["backup", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}
