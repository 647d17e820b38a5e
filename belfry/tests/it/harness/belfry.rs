//! The program can be started, asked, told and ended in every way that the tests need.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::support::belfry::Launch;
use crate::support::clock::Clock;
use crate::support::engine::Engine;
use crate::support::fault::SmallDisk;
use crate::support::poll;

#[test]
fn belfry_serves_reloads_and_comes_back_on_its_data() {
    let engine = Engine::start();
    let config = "interval: 1s\n";
    let mut belfry = Launch::with(config).engine(&engine).start();
    let first = belfry.pid();

    assert_eq!(belfry.get("/health/live").status, 200);
    let status = belfry.get("/api/belfry/v1/status");
    assert_eq!(status.header("content-type"), Some("application/json"));
    assert!(status.json().is_object());
    poll::holds("the host should be read", || {
        belfry.metric("node_load1").is_some()
    });
    assert_eq!(belfry.post("/-/reload", "").status, 200);
    belfry.reload(&format!("{config}host: renamed\n"));
    poll::holds("the second reload should be logged", || {
        belfry.log().matches("configuration reloaded").count() == 2
    });

    belfry.kill();
    belfry.restart();
    assert_ne!(belfry.pid(), first);
    assert!(belfry.data().join("belfry.db").exists());
    assert!(!belfry.wait_for_status("/health/live", 200).body.is_empty());
    belfry.signal(Signal::TERM);
    assert_eq!(belfry.wait().code(), Some(0), "{}", belfry.log());
}

#[test]
fn belfry_gives_up_on_a_wrong_configuration_and_on_a_taken_port() {
    let (code, log) = Launch::with("no_such_key: 1\n").fail();
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("no_such_key"), "{log}");

    let first = Launch::with("").start();
    let (code, log) = Launch::with("").listen(first.address()).fail();
    assert_ne!(code, Some(0), "{log}");
    assert!(log.contains(first.address()), "{log}");
}

#[test]
fn belfry_runs_as_another_user_by_another_clock_on_another_disk() {
    let (clock, disk) = (Clock::new(), SmallDisk::new(64 << 20));
    clock.step_to(-86_400);
    let launch = Launch::with("interval: 1s\n")
        .user("nobody")
        .clock(&clock)
        .data(&disk.path());
    let belfry = launch.env("TZ", "UTC").start();

    let status = fs::read_to_string(
        Path::new("/proc")
            .join(belfry.pid().to_string())
            .join("status"),
    )
    .unwrap();
    assert!(status.contains("\nUid:\t65534\t"), "{status}");
    assert!(disk.path().join("address").exists());
    let yesterday = || {
        belfry
            .metric("node_time_seconds")
            .map(|seconds| seconds < now() - 80_000.0)
    };
    assert!(poll::until("the time should be told", yesterday));
    clock.step_to(0);
    poll::holds("the clock should be right again", || {
        yesterday() == Some(false)
    });
}

fn now() -> f64 {
    std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs_f64()
}
