//! Containers that are stopped or paused around a run always run again.

use std::fs;
use std::sync::Arc;

use crate::backup_files::Place;
use crate::support::container::Container;
use crate::support::poll;

/// A job of a folder with a large file, and a container `app`.
fn place(extra: &str) -> Place {
    let place = Place::new(&format!("  - {{name: files, directory: DIR, {extra}}}\n"));
    let folder = place.scratch.path.join("files");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("one"), "one").unwrap();
    let config = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let config = config.replace("DIR", &folder.display().to_string());
    place.scratch.file("belfry.yml", &config);
    place.engine.run(&Container::named("app"));
    place.engine.run(&Container::named("other"));
    place
}

/// When a container was started.
fn started(place: &Place, name: &str) -> serde_json::Value {
    place.engine.inspect(name, "/State/StartedAt")
}

#[test]
fn containers_are_stopped_and_paused_around_a_run_and_commands_run_before_and_after() {
    let place = place(
        "stop: [app], pause: [other], before: [sh, -c, 'echo before $BELFRY_JOB >>hooks'], after: [sh, -c, 'echo after >>hooks']",
    );
    let (app, other) = (started(&place, "app"), started(&place, "other"));
    let told = place.expect(0, &["backup", "run", "files"]);
    let order: Vec<_> = told
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        order[..5],
        ["pause", "stop", "start", "start", "archive"],
        "{told}"
    );
    place.engine.wait_for_state("app", "running");
    place.engine.wait_for_state("other", "running");
    assert_ne!(started(&place, "app"), app, "it was stopped");
    assert_eq!(started(&place, "other"), other, "it was only paused");
    let hooks = fs::read_to_string(place.scratch.path.join("hooks")).unwrap();
    assert_eq!(hooks, "before files\nafter\n");
    // One that does not run is left as it is.
    place.engine.docker(&["stop", "app"]);
    place.expect(0, &["backup", "run", "files"]);
    place.engine.wait_for_state("app", "exited");
}

#[test]
fn a_run_that_fails_after_the_stop_starts_them_again() {
    for (extra, code, cause) in [
        (
            "stop: [app], before: [sh, -c, 'exit 7']",
            2,
            "the command before the run: sh ended with code 7",
        ),
        (
            "stop: [app], before: [sleep, '600'], hook_timeout: 1s",
            2,
            "it took longer than 1s",
        ),
        ("stop: [app, nobody]", 2, "there is no container nobody"),
        ("stop: [app], most: 1B", 2, "more than 1 bytes"),
        (
            "stop: [app], after: [sh, -c, 'exit 8']",
            1,
            "the command after the run: sh ended with code 8",
        ),
    ] {
        let place = place(extra);
        let told = place.expect(code, &["backup", "run", "files"]);
        assert!(told.contains(cause), "{cause}: {told}");
        assert_eq!(
            place.engine.inspect("app", "/State/Status"),
            "running",
            "{extra}"
        );
    }
}

#[test]
fn what_a_killed_run_had_stopped_is_started_by_the_next_one_and_by_the_watch() {
    let place = place("stop: [app, slow], pause: [other]");
    // Takes its time to end: so long the others are quiet.
    let slow = Container::named("slow")
        .script("trap '' TERM; while :; do sleep 1; done")
        .option("--stop-timeout", "20");
    place.engine.run(&slow);
    let states =
        || ["app", "other", "slow"].map(|name| place.engine.inspect(name, "/State/Status"));
    let kill_when_quiet = || {
        let mut run = place.begin(&["backup", "run", "files"]);
        poll::holds("both should be quiet", || {
            states() == ["exited", "paused", "running"]
        });
        run.kill();
        started(&place, "slow")
    };
    let before = kill_when_quiet();
    // The next run does, before anything else; also the one that was about to end.
    place.scratch.file(
        "belfry.yml",
        &fs::read_to_string(place.scratch.path.join("belfry.yml"))
            .unwrap()
            .replace("stop: [app, slow], pause: [other]", ""),
    );
    place.expect(0, &["backup", "run", "files"]);
    assert_eq!(states(), ["running"; 3]);
    assert_ne!(started(&place, "slow"), before);
    place.expect(0, &["backup", "run", "files"]);
}

#[test]
fn what_a_killed_run_had_stopped_is_started_by_a_watch_though_nothing_is_due() {
    let place = place("stop: [app, slow], pause: [other]");
    let slow = Container::named("slow")
        .script("trap '' TERM; while :; do sleep 1; done")
        .option("--stop-timeout", "15");
    place.engine.run(&slow);
    let states = || ["app", "other"].map(|name| place.engine.inspect(name, "/State/Status"));
    let config = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let (targets, _) = config.split_once("  jobs:").unwrap();
    // Also when the job, the last one, is there no more.
    for watched in [&*config, targets] {
        place.scratch.file("belfry.yml", &config);
        let mut run = place.begin(&["backup", "run", "files"]);
        poll::holds("both should be quiet", || states() == ["exited", "paused"]);
        run.kill();
        place.scratch.file("belfry.yml", watched);
        let mut watch = place.watch();
        poll::holds("the watch should start them", || states() == ["running"; 2]);
        watch.kill();
    }
}

#[test]
fn only_who_is_not_started_again_is_left() {
    // What it needs is taken away before it is stopped.
    let place = place("stop: [other, needy, app], before: [sh, -c, 'rmdir need && touch need']");
    let need = place.scratch.path.join("need");
    fs::create_dir(&need).unwrap();
    let needs = format!("{}:/need", need.display());
    place
        .engine
        .run(&Container::named("needy").option("--volume", &needs));
    let told = place.expect(1, &["backup", "run", "files"]);
    assert!(told.contains("needy is not started again"), "{told}");
    for name in ["app", "other"] {
        assert_eq!(place.engine.inspect(name, "/State/Status"), "running");
    }
    let setup = backup::Setup {
        config: Arc::default(),
        host: String::new(),
        version: String::new(),
        engine: None,
        work: place.scratch.path.join("data/backup"),
    };
    let left = backup::quiet::left(&setup);
    assert_eq!(left, [("files".to_owned(), "needy".to_owned())]);
    fs::remove_file(&need).unwrap();
    fs::create_dir(&need).unwrap();
    let config = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
    let (job, _) = config.split_once(", stop:").unwrap();
    place.scratch.file("belfry.yml", &format!("{job}}}\n"));
    place.expect(0, &["backup", "run", "files"]);
    place.engine.wait_for_state("needy", "running");
    assert_eq!(backup::quiet::left(&setup), []);
}
