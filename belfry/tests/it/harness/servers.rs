//! Browser, databases, clock and failing file systems do what the tests rely on.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::time::SystemTime;

use crate::support::chromium::Chromium;
use crate::support::clock::Clock;
use crate::support::fault::{HungMount, SmallDisk};
use crate::support::postgres::Postgres;
use crate::support::program;
use crate::support::redis::Redis;
use crate::support::scratch::Scratch;

#[test]
fn chromium_renders_a_page_at_any_width() {
    let scratch = Scratch::new();
    let page = "<!doctype html><style>body { margin: 0; background: #fff } @media (prefers-color-scheme: dark) \
                { body { background: #000 } }</style><div id=wide style='width: 500px'>x</div>\
                <script>document.title = 'made by ' + 'script'</script>";
    let url = format!("file://{}", scratch.file("page.html", page).display());
    let mut chromium = Chromium::start();

    chromium.open(&url, 320, 480);
    assert_eq!(chromium.document_width(), 500);
    assert_eq!(chromium.evaluate("innerWidth"), 320);
    assert!(chromium.html().contains("made by script"));
    let (light, dark) = (
        scratch.path.join("light.png"),
        scratch.path.join("dark.png"),
    );
    chromium.screenshot(&light);
    chromium.prefer_dark(true);
    chromium.screenshot(&dark);
    let light = fs::read(light).unwrap();
    assert_eq!(&light[1..4], b"PNG");
    assert_eq!(
        &light[16..24],
        [0, 0, 1, 64, 0, 0, 1, 224],
        "320 by 480 pixels"
    );
    assert_ne!(light, fs::read(dark).unwrap());
}

#[test]
fn postgres_answers_on_a_port_of_its_own() {
    let (first, second) = (Postgres::start(), Postgres::start());
    first.query(
        "create table places (name text, height int); insert into places values ('belfry', 47)",
    );
    assert_eq!(first.query("select name, height from places"), "belfry|47");
    assert_eq!(
        second.query("select count(*) from pg_tables where tablename = 'places'"),
        "0"
    );
    assert_ne!(first.port(), second.port());
    assert_eq!(second.query("show server_version_num").get(..2), Some("15"));
}

#[test]
fn redis_answers_on_a_port_of_its_own() {
    let (first, second) = (Redis::start(), Redis::start());
    assert_eq!(first.command(&["set", "bell", "rings"]), "OK");
    assert_eq!(first.command(&["get", "bell"]), "rings");
    assert_eq!(second.command(&["get", "bell"]), "");
    assert_ne!(first.port(), second.port());
}

#[test]
fn a_clock_steps_under_a_running_process() {
    let clock = Clock::new();
    let now = || {
        let mut date = Command::new("date");
        program::run(date.arg("+%s").envs(clock.environment()))
            .trim()
            .parse::<i64>()
            .unwrap()
    };
    let real = || {
        SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs()
            .cast_signed()
    };

    clock.step_to(-3600);
    assert!(now() < real() - 3000);
    clock.step_to(3600);
    assert!(now() > real() + 3000);
}

#[test]
fn a_small_disk_fills_up_and_empties() {
    let disk = SmallDisk::new(1 << 20);
    disk.fill();
    let err = fs::write(disk.path().join("more"), [0; 8192]).expect_err("no room is left");
    assert_eq!(err.kind(), ErrorKind::StorageFull);
    disk.empty();
    fs::write(disk.path().join("more"), [0; 8192]).unwrap();
}

#[test]
fn a_hung_mount_never_answers_and_goes_away() {
    let mount = HungMount::new();
    let path = mount.path();
    let mut look = Command::new("timeout");
    let look = look
        .args(["--signal", "KILL", "0.5", "stat", "--file-system"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(!look.success(), "the look was cut off, not answered");
    drop(mount);
    assert!(!path.exists());
}
