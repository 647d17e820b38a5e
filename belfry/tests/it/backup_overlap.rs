//! Runs of backup jobs that take long: those that are due meanwhile, and one that is killed.

use std::process::Command;
use std::time::Duration;

use crate::support::belfry::Launch;
use crate::support::clock::Clock;
use crate::support::poll;
use crate::support::program;
use crate::support::scratch::Scratch;

#[test]
fn a_run_that_takes_longer_than_its_period_is_alone_and_those_meanwhile_are_skipped() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path.join(name).display().to_string();
    for folder in ["files", "copies"] {
        std::fs::create_dir(scratch.path.join(folder)).unwrap();
    }
    let wait = format!(
        "echo x >>{}; until [ -e {} ]; do sleep 0.1; done",
        at("begun"),
        at("go")
    );
    let clock = Clock::new();
    let belfry = Launch::with(&format!(
        "backup:\n  targets: [{{name: local, folder: {}}}]\n  jobs:\n    - {{name: files, directory: {}, schedule: '* * * * *', jitter: 0s, before: [sh, -c, '{wait}']}}\n",
        at("copies"),
        at("files"),
    ))
    .clock(&clock);
    let mut belfry = belfry.start();
    let state = belfry.data().join("belfry.db");
    let runs = |status: &str| {
        let sql = format!("SELECT count(*) FROM backup_runs WHERE status = '{status}'");
        let count = program::run(
            Command::new("sqlite3")
                .args(["-readonly", "-cmd", ".timeout 20000"])
                .arg(&state)
                .arg(sql),
        );
        count.trim().parse::<usize>().unwrap()
    };
    let begun = || std::fs::read_to_string(scratch.path.join("begun")).unwrap_or_default();
    poll::within(Duration::from_secs(90), "the first should begin", || {
        (!begun().is_empty()).then_some(())
    });
    for skipped in 1..=3 {
        clock.step_to(i64::try_from(skipped).unwrap() * 61);
        poll::within(
            Duration::from_secs(90),
            "the next should be skipped",
            || (runs("skipped") >= skipped).then_some(()),
        );
        assert_eq!((begun().as_str(), runs("running")), ("x\n", 1));
    }
    std::fs::write(scratch.path.join("go"), "").unwrap();
    poll::holds("the first should be good", || runs("ok") > 0);
    assert!(belfry.log().contains("the one before it still goes on"));

    // The next one is killed with us: whoever comes then knows that.
    std::fs::remove_file(scratch.path.join("go")).unwrap();
    clock.step_to(4 * 61);
    poll::within(Duration::from_secs(90), "another should begin", || {
        (begun().lines().count() == 2).then_some(())
    });
    assert_eq!((runs("running"), runs("interrupted")), (1, 0));
    belfry.kill();
    belfry.restart();
    poll::holds("it should be interrupted", || runs("interrupted") == 1);
    // Its command is left over, and ends by itself.
    std::fs::write(scratch.path.join("go"), "").unwrap();
}

#[test]
fn a_task_whose_lock_somebody_holds_is_skipped_and_one_whose_lock_cannot_be_had_has_failed() {
    let scratch = Scratch::new();
    let at = |name: &str| scratch.path.join(name).display().to_string();
    for folder in ["files", "copies"] {
        std::fs::create_dir(scratch.path.join(folder)).unwrap();
    }
    let clock = Clock::new();
    let belfry = Launch::with(&format!(
        "backup:\n  targets: [{{name: local, folder: {}, reserve: 1MiB}}]\n  jobs: [{{name: files, directory: {}, \
         schedule: '* * * * *', verify: '* * * * *', drill: '* * * * *', jitter: 0s}}]\n",
        at("copies"),
        at("files"),
    ))
    .clock(&clock);
    let belfry = belfry.start();
    let data = belfry.data();
    // How many of the three tasks have ended so, for such a reason.
    let tasks = |status: &str, why: &str| {
        let sql = format!(
            "SELECT count(DISTINCT task) FROM backup_runs WHERE status = '{status}' AND error LIKE '%{why}%'"
        );
        let mut command = Command::new("sqlite3");
        command.args(["-readonly", "-cmd", ".timeout 20000"]);
        let count = program::run(command.arg(data.join("belfry.db")).arg(sql));
        count.trim().parse::<usize>().unwrap()
    };
    let mut minute = 0;
    let mut until = |what: &str, status: &str, why: &str| {
        poll::within(Duration::from_secs(90), what, || {
            minute += 1;
            clock.step_to(minute * 61);
            std::thread::sleep(Duration::from_secs(6));
            (tasks(status, why) == 3).then_some(())
        });
    };
    until("each should be good", "ok", "");
    let locks = data.join("backup/locks");
    let held = std::fs::File::open(locks.join("files.lock")).unwrap();
    held.lock().unwrap();
    until(
        "each should be skipped",
        "skipped",
        "another run of files goes on",
    );
    assert_eq!(tasks("failed", ""), 0);
    drop(held);
    // As where the disk takes nothing.
    std::fs::remove_dir_all(&locks).unwrap();
    std::fs::write(&locks, "").unwrap();
    until("each should have failed", "failed", "files.lock: ");
    poll::holds("a failure should be told", || {
        let success = "belfry_backup_last_run_success{job_name=\"files\",task=\"drill\"}";
        belfry.metric(success) == Some(0.0)
    });
}
