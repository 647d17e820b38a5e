//! An engine that hangs, dies and comes back: the page always comes, and says
//! so.

use std::time::Duration;

use exporter::container::{Config, State};
use rustix::process::Signal;
use tokio::net::UnixListener;

use crate::engine::Engine;
use crate::watch::{Watch, page_with, value, within};

fn hasty() -> Config {
    Config {
        deadline: Duration::from_secs(2),
        ping: Duration::from_millis(200),
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_dies_and_returns_is_followed_and_readings_go_on() {
    let mut engine = Engine::start();
    engine.run("lasting", &["--restart=always"], "sleep 1000");
    let watch = Watch::start(&engine.socket(), Config::default());
    watch
        .container("lasting", |container| container.pid.is_some())
        .await;
    engine.kill();
    let down = watch.engine(|engine| !engine.up).await;
    assert!(down.last_error.is_some() && !down.version.is_empty());
    let page = watch.containers.page().await;
    assert_eq!(value(&page, "belfry_engine_up", &[]), Some(0.0));
    assert_eq!(
        value(
            &page,
            "belfry_container_state",
            &["name=\"lasting\"", "state=\"running\""]
        ),
        Some(1.0)
    );
    page_with(&watch, |page| {
        value(page, "container_memory_usage_bytes", &["name=\"lasting\""]).is_some()
    })
    .await;

    engine.launch();
    let back = watch.engine(|engine| engine.up).await;
    assert!(back.reconnects >= 1, "{back:?}");
    // The engine started it anew, as another process.
    let pid = engine
        .docker(&["inspect", "--format", "{{.State.Pid}}", "lasting"])
        .parse()
        .unwrap();
    watch
        .container("lasting", |container| container.pid == Some(pid))
        .await;
    engine.run("after", &[], "exit 4");
    watch
        .container("after", |container| {
            container.exit_code == Some(4) && container.state == State::Exited
        })
        .await;
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_is_down_and_comes_back() {
    let engine = Engine::start();
    engine.run("steady", &[], "sleep 1000");
    let watch = Watch::start(&engine.socket(), hasty());
    watch
        .container("steady", |container| container.pid.is_some())
        .await;
    engine.signal(Signal::STOP);
    let down = watch.engine(|engine| !engine.up).await;
    assert!(down.last_error.unwrap().contains("in time"));
    let page = watch.containers.page().await;
    assert_eq!(value(&page, "belfry_engine_up", &[]), Some(0.0));
    page_with(&watch, |page| {
        let labels = ["name=\"steady\""];
        value(page, "container_cpu_usage_seconds_total", &labels).is_some()
    })
    .await;
    engine.signal(Signal::CONT);
    watch.engine(|engine| engine.up).await;
    engine.docker(&["kill", "steady"]);
    watch
        .container("steady", |container| container.exit_code == Some(137))
        .await;
    watch.stop().await;
}

#[tokio::test]
async fn a_socket_that_accepts_and_never_answers_is_an_engine_that_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // Long enough for us to look at it meanwhile.
    let patient = Config {
        deadline: Duration::from_secs(15),
        ..hasty()
    };
    let watch = Watch::start(&socket, patient);
    let (_held, _) = within(listener.accept()).await.unwrap();
    // The question is out and unanswered; the page does not wait for it.
    assert_eq!(watch.containers.engine().since_ms, None);
    let page = watch.containers.page().await;
    assert_eq!(value(&page, "belfry_engine_up", &[]), Some(0.0));
    let down = watch.engine(|engine| engine.since_ms.is_some()).await;
    assert!(down.last_error.unwrap().contains("in time"));
    // It is tried again.
    let (_again, _) = within(listener.accept()).await.unwrap();
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_installed_later_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let watch = Watch::start(&socket, hasty());
    watch
        .engine(|engine| {
            engine
                .last_error
                .as_deref()
                .is_some_and(|err| err.contains("no engine"))
        })
        .await;
    let engine = Engine::start();
    std::os::unix::fs::symlink(engine.socket(), &socket).unwrap();
    watch
        .engine(|engine| engine.up && !engine.api_version.is_empty())
        .await;
    watch.stop().await;
}
