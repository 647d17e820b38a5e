//! The engine is a real one, of the test's own, and leaves nothing behind.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::container::Container;
use crate::support::engine::{Engine, LOOKALIKES};
use crate::support::{http, poll};

#[test]
fn an_engine_runs_containers_of_its_own() {
    let engine = Engine::start();
    let page = "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www";
    let web = Container::named("web")
        .image("caddy:2")
        .script(page)
        .compose("shop", "web")
        .network("front");
    engine.create_network("front");
    let id = engine.run(
        &web.option("--memory", "32m")
            .health("test -e /www/index.html"),
    );

    assert_eq!(engine.inspect("web", "/Id"), id.as_str());
    assert_eq!(engine.inspect("web", "/HostConfig/Memory"), 32 << 20);
    assert_eq!(
        engine.inspect("web", "/Config/Labels/com.docker.compose.service"),
        "web"
    );
    let address = format!("{}:80", engine.address("web", "front"));
    let answer = poll::until("the container should serve", || {
        http::get(&address, "/").ok()
    });
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello\n"));
    poll::holds("the container should be healthy", || {
        engine.inspect("web", "/State/Health/Status") == "healthy"
    });
    assert_eq!(
        engine.docker(&["ps", "--quiet", "--no-trunc"]),
        id,
        "no container of another test"
    );
}

#[test]
fn an_engine_stops_kills_and_restarts_containers() {
    let engine = Engine::start();
    engine.run(&Container::named("polite").image(LOOKALIKES[0]));
    engine.run(&Container::named("killed"));
    engine.run(
        &Container::named("failing")
            .script("exit 7")
            .option("--restart", "on-failure:2"),
    );

    engine.docker(&["stop", "polite"]);
    engine.docker(&["kill", "killed"]);
    engine.wait_for_state("failing", "exited");

    assert_eq!(engine.inspect("polite", "/State/ExitCode"), 0);
    assert_eq!(engine.inspect("killed", "/State/ExitCode"), 137);
    assert_eq!(engine.inspect("failing", "/State/ExitCode"), 7);
    assert_eq!(engine.inspect("failing", "/RestartCount"), 2);
}

#[test]
fn an_engine_hangs_crashes_and_returns() {
    let mut engine = Engine::start();
    engine.run(&Container::named("database").option("--restart", "always"));

    engine.freeze();
    let mut hung = UnixStream::connect(engine.socket()).expect("a frozen engine still accepts");
    hung.set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    hung.write_all(b"GET /_ping HTTP/1.0\r\n\r\n").unwrap();
    let err = hung
        .read(&mut [0; 16])
        .expect_err("a frozen engine never answers");
    assert_eq!(err.kind(), std::io::ErrorKind::WouldBlock);
    engine.thaw();
    engine.wait_for_state("database", "running");

    engine.crash();
    UnixStream::connect(engine.socket()).expect_err("a dead engine refuses");
    engine.revive();
    engine.wait_for_state("database", "running");
}

#[test]
fn an_engine_leaves_nothing_when_its_test_panics() {
    let lost = std::thread::spawn(|| {
        let engine = Engine::start();
        engine.create_network("front");
        engine.run(&Container::named("lost").network("front"));
        let pid = engine.inspect("lost", "/State/Pid").as_i64().unwrap();
        std::panic::panic_any((pid, engine.socket()));
    });
    let panic = lost.join().expect_err("the thread panics");
    let (pid, socket) = panic
        .downcast_ref::<(i64, PathBuf)>()
        .expect("what it panicked with");
    assert!(
        !Path::new(&format!("/proc/{pid}")).exists(),
        "the container's process is gone"
    );
    assert!(
        !socket.parent().unwrap().exists(),
        "the engine's folder is gone"
    );
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(
        !mounts.contains(socket.parent().unwrap().to_str().unwrap()),
        "nothing is mounted: {mounts}"
    );
}
