//! An engine with words of its own, as other engines have them, and one that
//! answers with nonsense.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exporter::container::{Config, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::watch::{Watch, page_with, value};

/// Answers each question by its path, over and over, until it is dropped.
#[derive(Debug)]
pub(crate) struct Liar(JoinHandle<()>);

impl Drop for Liar {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Liar {
    pub(crate) fn listen(
        socket: &Path,
        answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let answer = Arc::new(answer);
        Self(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(one(stream, Arc::clone(&answer)));
            }
        }))
    }
}

async fn one(mut stream: UnixStream, answer: Arc<impl Fn(&str) -> Option<String>>) {
    let mut asked = Vec::new();
    let mut bytes = [0; 1024];
    while !asked.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match stream.read(&mut bytes).await {
            Ok(read) if read > 0 => asked.extend_from_slice(&bytes[..read]),
            _ => return,
        }
    }
    let asked = String::from_utf8_lossy(&asked).into_owned();
    let path = asked.split(' ').nth(1).unwrap_or_default();
    // Behind the version of the interface.
    let versioned = path
        .strip_prefix("/v1.")
        .and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    let path = versioned.unwrap_or(path);
    // A stream of events has no end.
    let Some(body) = answer(path) else {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = stream.write_all(head.as_bytes()).await;
        return std::future::pending().await;
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nApi-Version: 1.41\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all((head + &body).as_bytes()).await;
}

const VERSION: &str = r#"{"Version":"4.3.1","ApiVersion":"1.41","MinAPIVersion":"1.24"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_we_do_not_know_costs_no_other_container() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let id = |letter: &str| letter.repeat(64);
    let (a, b) = (id("a"), id("b"));
    let rows = format!(
        r#"[{{"Id":"{a}","Names":["/ended"],"Image":"i","State":"stopped","Status":"Exited (0) 1 minute ago"}},
            {{"Id":"{b}","Names":["/odd"],"Image":"i","State":"improper state","Status":"","Mounts":7}}]"#
    );
    let asked = Arc::new(AtomicUsize::new(0));
    let versions = Arc::clone(&asked);
    let _liar = Liar::listen(&socket, move |path| {
        let path = path.split('?').next().unwrap_or_default();
        Some(match path {
            "/events" => return None,
            "/version" => {
                versions.fetch_add(1, Ordering::Relaxed);
                VERSION.to_owned()
            }
            "/_ping" => "OK".to_owned(),
            "/containers/json" => rows.clone(),
            path if path.contains(&"a".repeat(64)) => {
                r#"{"Name":"/ended","State":{"Status":"stopped","ExitCode":3,"FinishedAt":"2026-01-01T00:00:00Z"},"HostConfig":{"Memory":64,"RestartPolicy":{"Name":"weekly"}}}"#.to_owned()
            }
            path if path.contains(&"e".repeat(64)) => r#"{"Config":{"Env":["A=1"]}}"#.to_owned(),
            path if path.starts_with("/containers/") => r#"{"State":"confused"}"#.to_owned(),
            _ => "{\"this\": [".to_owned(),
        })
    });
    // Asked once, however slow the machine is.
    let config = Config {
        deadline: Duration::from_secs(60),
        ..Config::default()
    };
    let watch = Watch::start(&socket, config);
    let ended = watch
        .container("ended", |container| container.exit_code.is_some())
        .await;
    assert_eq!(
        (ended.state, ended.exit_code, ended.memory_limit),
        (State::Exited, Some(3), 64)
    );
    watch.container("odd", |_| true).await;
    let engine = watch.containers.engine();
    assert!(engine.up && engine.last_error.is_none(), "{engine:?}");
    let page = page_with(&watch, |page| {
        page.contains("belfry_engine_disk_read_success 0\n")
    })
    .await;
    assert_eq!(value(&page, "belfry_engine_up", &[]), Some(1.0));
    let environment = watch.containers.environment(&id("e"), &["A"]).await;
    assert_eq!(environment.unwrap().len(), 1);
    watch.stop().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_ports_without_number_are_bounded_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let labels: Vec<String> = (0..5000)
        .map(|at| format!(r#""l{at}":"{}""#, "x".repeat(100)))
        .collect();
    let ports: Vec<String> = (1..5000)
        .map(|at| {
            format!(r#"{{"IP":"0.0.0.0","PrivatePort":{at},"PublicPort":{at},"Type":"tcp"}}"#)
        })
        .collect();
    let networks: Vec<String> = (0..5000).map(|at| format!(r#""n{at}":{{}}"#)).collect();
    let rows = format!(
        r#"[{{"Id":"{}","Names":["/wide"],"Image":"{}","State":"running","Labels":{{{}}},"Ports":[{}],"NetworkSettings":{{"Networks":{{{}}}}}}}]"#,
        "c".repeat(64),
        "i".repeat(100_000),
        labels.join(","),
        ports.join(","),
        networks.join(",")
    );
    let _liar = Liar::listen(&socket, move |path| {
        Some(match path.split('?').next().unwrap_or_default() {
            "/events" => return None,
            "/version" => VERSION.to_owned(),
            "/containers/json" => rows.clone(),
            _ => "[]".to_owned(),
        })
    });
    let watch = Watch::start(&socket, Config::default());
    watch
        .container("wide", |container| !container.ports.is_empty())
        .await;
    let page = watch.containers.page().await;
    let count = |family: &str| page.matches(&format!("\n{family}{{")).count();
    assert_eq!(count("belfry_container_published_port_info"), 64);
    assert_eq!(count("belfry_container_network_info"), 32);
    assert!(page.len() < 200_000, "{} bytes", page.len());
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_networks_are_like_is_remembered_while_the_engine_does_not_tell() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let rows = format!(
        r#"[{{"Id":"{}","Names":["/joined"],"Image":"i","State":"running",
            "NetworkSettings":{{"Networks":{{"n":{{"NetworkID":"1"}},"untold":{{"NetworkID":"2"}}}}}}}}]"#,
        "c".repeat(64)
    );
    let asked = Arc::new(AtomicUsize::new(0));
    let times = Arc::clone(&asked);
    let _liar = Liar::listen(&socket, move |path| {
        Some(match path.split('?').next().unwrap_or_default() {
            "/events" => return None,
            "/version" => VERSION.to_owned(),
            "/containers/json" => rows.clone(),
            "/networks" if times.fetch_add(1, Ordering::Relaxed) < 2 => {
                r#"[{"Name":"n","Id":"1","Labels":{"a":"b"}}]"#.to_owned()
            }
            "/networks" => "nonsense".to_owned(),
            _ => "[]".to_owned(),
        })
    });
    let config = Config {
        relist: Duration::from_millis(50),
        ..Config::default()
    };
    let watch = Watch::start(&socket, config);
    let silence = "belfry_engine_list_success{kind=\"networks\"} 0\n";
    page_with(&watch, |page| {
        page.contains(silence) && asked.load(Ordering::Relaxed) > 10
    })
    .await;
    // It was asked for the other one too: that it tells nothing of it is no reason to wait.
    let found = watch.containers.discovered();
    assert_eq!(found.containers.len(), 1);
    let label = found
        .network("n")
        .and_then(|network| network.labels.clone());
    assert_eq!(label.unwrap()["a"], "b");
    assert!(found.network("untold").is_none());
    watch.stop().await;
}
