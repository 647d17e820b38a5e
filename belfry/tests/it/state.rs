//! The data folder: full, closed, taken, damaged; and a clock that is stepped.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::clock::Clock;
use crate::support::fault::{FreezableDisk, HungMount, SmallDisk};
use crate::support::poll;
use crate::support::sink::{Act, Sink};

fn evaluations(belfry: &Belfry) -> f64 {
    belfry
        .metric("belfry_evaluations_total")
        .unwrap_or_default()
}

fn rounds_pass(belfry: &Belfry, count: f64) {
    let before = evaluations(belfry);
    poll::holds("some rounds should pass", || {
        evaluations(belfry) >= before + count
    });
}

fn belfry(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .args(arguments)
        .output()
        .expect("the binary runs");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn a_second_belfry_refuses_the_folder_and_leaves_the_first_alone() {
    let setup = Setup::switched("0s");
    let first = Launch::with(&setup.config()).start();
    let (code, log) = Launch::with(&setup.config()).data(&first.data()).fail();
    assert_eq!(code, Some(2), "{log}");
    assert!(
        log.contains(&format!("another belfry (process {})", first.pid())),
        "{log}"
    );
    assert_eq!(first.get("/health/live").status, 200);
    let address = fs::read_to_string(first.data().join("address")).unwrap();
    assert_eq!(
        address.trim(),
        first.address(),
        "the address is still the first one's"
    );
}

#[test]
fn a_full_disk_costs_only_what_a_restart_would_have_known() {
    let disk = SmallDisk::new(12 << 20);
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let mut belfry = Launch::with(&setup.config())
        .data(&disk.path().join("data"))
        .start();
    rounds_pass(&belfry, 2.0);
    disk.fill();
    poll::holds("the full disk should be noticed", || {
        belfry.metric("belfry_state_writable") == Some(0.0)
    });
    belfry.wait_for_status("/health/ready", 503);
    setup.switch(true);
    poll::holds("the page should go out all the same", || {
        sink.received().len() == 1
    });

    disk.empty();
    poll::holds("it should write again by itself", || {
        belfry.metric("belfry_state_writable") == Some(1.0)
    });
    belfry.wait_for_status("/health/ready", 200);
    rounds_pass(&belfry, 3.0);
    assert_eq!(sink.received().len(), 1);

    // What happened on the full disk is known after a restart.
    poll::holds("it should be ready again", || {
        belfry.get("/health/ready").status == 200
    });
    belfry.kill();
    belfry.restart();
    rounds_pass(&belfry, 4.0);
    assert_eq!(sink.received().len(), 1, "the page is not sent twice");
    belfry.kill();
    let (code, said) = self::belfry(&[
        "state",
        "check",
        "--data",
        &belfry.data().display().to_string(),
    ]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_disk_that_hangs_delays_no_page() {
    let mut disk = FreezableDisk::new();
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("3s").mail(sink.port(), "1h");
    let data = disk.path().join("data");
    let belfry = Launch::with(&setup.config()).data(&data).start();
    rounds_pass(&belfry, 2.0);
    disk.freeze();
    setup.switch(true);
    poll::holds("the page should go out all the same", || {
        sink.received().len() == 1
    });
    poll::holds("the disk should be reported", || {
        let ready = belfry.get("/health/ready?format=text");
        ready.status == 503 && ready.body.contains("the disk does not answer")
    });
    rounds_pass(&belfry, 3.0);
    assert_eq!(belfry.get("/health/live").status, 200);

    disk.thaw();
    belfry.wait_for_status("/health/ready", 200);
    rounds_pass(&belfry, 3.0);
    assert_eq!(sink.received().len(), 1);
    drop(belfry);
}

#[test]
fn a_folder_that_cannot_be_written_is_no_reason_not_to_watch() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    setup.switch(true);
    // Root may write anywhere; a file where the folder should be stops even root.
    let file = setup.file("not-a-folder", "");
    let claim = crate::support::claim::port();
    let listen = format!("127.0.0.1:{}", claim.number);
    let belfry = Launch::with(&setup.config())
        .data(&file)
        .listen(&listen)
        .start_unwritten();
    poll::holds("the page should go out", || sink.received().len() == 1);
    assert_eq!(belfry.metric("belfry_state_writable"), Some(0.0));
    assert_eq!(belfry.get("/health/ready").status, 503);
    assert!(
        belfry.log().contains("a restart will forget everything"),
        "{}",
        belfry.log()
    );
}

#[test]
fn a_damaged_database_is_refused_and_named() {
    let setup = Setup::switched("0s");
    let mut belfry = Launch::with(&setup.config()).start();
    // An orderly end, after which nothing is left in the write-ahead log.
    belfry.signal(rustix::process::Signal::TERM);
    belfry.wait();
    let file = belfry.data().join("belfry.db");
    let mut bytes = fs::read(&file).unwrap();
    bytes.iter_mut().take(64).for_each(|byte| *byte = b'x');
    fs::write(&file, &bytes).unwrap();
    let (code, said) = self::belfry(&[
        "state",
        "check",
        "--data",
        &belfry.data().display().to_string(),
    ]);
    assert_eq!(code, Some(2), "{said}");
    let (code, log) = Launch::with(&setup.config()).data(&belfry.data()).fail();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("belfry.db"), "{log}");
    assert_eq!(
        fs::read(&file).unwrap(),
        bytes,
        "nothing of it is overwritten"
    );
}

#[test]
fn series_files_that_were_torn_do_not_stop_a_start() {
    let setup = Setup::switched("0s");
    let mut belfry = Launch::with(&setup.config()).start();
    poll::holds("series should be on the disk", || {
        let files = fs::read_dir(belfry.data().join("series")).ok();
        files.is_some_and(|mut files| {
            files.any(|file| {
                file.is_ok_and(|file| file.metadata().is_ok_and(|data| data.len() > 100))
            })
        })
    });
    belfry.kill();
    for file in fs::read_dir(belfry.data().join("series")).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - bytes.len() / 3]).unwrap();
    }
    belfry.restart();
    rounds_pass(&belfry, 2.0);
    assert_eq!(belfry.get("/health/live").status, 200);
}

#[test]
fn a_clock_stepped_by_an_hour_disturbs_no_page() {
    for hour in [3600, -3600] {
        let clock = Clock::new();
        let sink = Sink::start(&[Act::Accept]);
        let setup = Setup::switched("20s").mail(sink.port(), "20m");
        setup.switch(true);
        let mut belfry = Launch::with(&setup.config()).clock(&clock).start();
        poll::holds("it should be pending", || {
            belfry.metric("belfry_alerts{state=\"pending\"}") == Some(1.0)
        });
        clock.step_to(hour);
        poll::holds("the step should be noticed", || {
            belfry.metric("belfry_clock_steps_total") == Some(1.0)
        });
        assert_eq!(
            sink.received().len(),
            0,
            "an hour that nobody lived through does not end the wait"
        );
        poll::holds("the page should go out", || sink.received().len() == 1);

        clock.step_to(0);
        poll::holds("the step back should be noticed", || {
            belfry.metric("belfry_clock_steps_total") == Some(2.0)
        });
        rounds_pass(&belfry, 4.0);
        assert_eq!(
            sink.received().len(),
            1,
            "an hour that nobody lived through brings no repeat"
        );
        poll::holds("and ends nothing", || {
            belfry.metric("belfry_alerts{state=\"firing\"}") == Some(1.0)
        });

        belfry.kill();
        belfry.restart();
        rounds_pass(&belfry, 4.0);
        assert_eq!(sink.received().len(), 1, "nor does a restart after it");
        setup.switch(false);
        poll::holds("the end should be told", || sink.received().len() == 2);
    }
}

#[test]
fn a_dead_mount_delays_nothing_and_is_reported() {
    let hung = HungMount::new();
    let belfry = Launch::with(&Setup::new().config()).start();
    rounds_pass(&belfry, 4.0);
    let error = format!("mountpoint=\"{}\"", hung.path().display());
    poll::holds("the mount should be reported", || {
        let page = belfry.get("/metrics/host").body;
        page.lines().any(|line| {
            line.starts_with("node_filesystem_device_error{")
                && line.contains(&error)
                && line.ends_with(" 1")
        })
    });
    assert!(belfry.metric("node_load1").is_some());
    let threads =
        || fs::read_dir(format!("/proc/{}/task", belfry.pid())).map_or(0, Iterator::count);
    // How many there are wavers a little with what else goes on.
    let before = threads();
    rounds_pass(&belfry, 12.0);
    assert!(
        threads() <= before + 6,
        "no thread is added for each look at it"
    );
}

#[test]
fn what_cannot_be_read_below_proc_costs_only_itself() {
    let belfry = Launch::with(&Setup::new().config())
        .binary(Path::new(env!("CARGO_BIN_EXE_belfry")))
        .user("nobody")
        .start();
    rounds_pass(&belfry, 2.0);
    for family in [
        "node_load1",
        "node_memory_MemAvailable_bytes",
        "node_boot_time_seconds",
    ] {
        assert!(belfry.metric(family).is_some(), "{family}");
    }
    assert_eq!(belfry.get("/health/live").status, 200);
}
