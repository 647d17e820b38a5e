//! Heartbeats: what jobs tell, how it is kept, and what becomes of hostile pings.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::http;
use crate::support::poll;
use crate::support::program;
use crate::support::sink::{Act, Sink};

const UUID: &str = "3f8e8f0a-6c1b-4a53-9b43-7f0a1d2c3b4e";

fn config(heartbeat: &str) -> String {
    Setup::new()
        .part(&format!("heartbeat: {heartbeat}"))
        .config()
}

/// Asks as a cron line does.
fn curl(belfry: &Belfry, arguments: &[&str], path: &str) -> String {
    curl_at(belfry, arguments, &format!("ping/{path}"))
}

fn curl_at(belfry: &Belfry, arguments: &[&str], path: &str) -> String {
    let url = format!("http://{}/{path}", belfry.address());
    let mut curl = Command::new(program::find("curl", "curl"));
    curl.args(["--silent", "--show-error", "--max-time", "30"]);
    program::run(curl.args(arguments).arg(url))
}

fn heartbeats(belfry: &Belfry) -> Vec<serde_json::Value> {
    let page = belfry.get("/api/belfry/v1/health").json();
    page["heartbeats"].as_array().unwrap().clone()
}

#[track_caller]
fn one(belfry: &Belfry, name: &str) -> serde_json::Value {
    let all = heartbeats(belfry);
    let found = all.iter().find(|one| one["name"] == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {all:?}"))
        .clone()
}

fn ping(belfry: &Belfry, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
    command
        .arg("--data")
        .arg(belfry.data())
        .arg("ping")
        .args(arguments);
    command.output().expect("the binary runs")
}

#[test]
fn cron_lines_made_for_healthchecks_only_change_the_host() {
    let belfry = Launch::with(&config(&format!(
        "{{ping_key: s3cret, token: word, create: true, expect: {{job: {{uuid: {UUID}}}}}}}"
    )))
    .start();
    let state = |expected: &str| assert_eq!(one(&belfry, "job")["state"], expected);
    state("new");
    for (arguments, path, expected) in [
        // As the documentation of Healthchecks has them.
        (&["-fsS", "-m", "10", "--retry", "5"][..], UUID, "up"),
        (&["--data-raw", "it broke"], &format!("{UUID}/fail"), "down"),
        (&["--request", "POST"], &format!("{UUID}/start"), "down"),
        (&["--head"], &format!("{UUID}/0"), "up"),
        (&["--data-raw", "note"], &format!("{UUID}/log"), "up"),
        (&[], "s3cret/job/7", "down"),
        (&[], "s3cret/job", "up"),
        (&["--header", "Authorization: Bearer word"], "job/1", "down"),
        (&[], "job?token=word", "up"),
    ] {
        let said = curl(&belfry, arguments, path);
        assert!(
            said.starts_with("OK") || said.starts_with("HTTP/1.1 200"),
            "{path}: {said}"
        );
        state(expected);
    }
    let job = one(&belfry, "job");
    assert_eq!(
        (&job["body"], &job["exit_code"]),
        (&"note".into(), &1.into())
    );
    assert!(job["duration_ms"].is_i64(), "{job}");
    assert_eq!(curl(&belfry, &[], "s3cret/made?create=1"), "Created");
    // Two runs at once, each with its own end.
    let (one_run, other_run) = (format!("rid={UUID}"), "rid=0e1f".to_owned());
    for path in [
        format!("{UUID}/start?{one_run}"),
        format!("{UUID}/start?{other_run}"),
        format!("{UUID}?{one_run}"),
    ] {
        assert_eq!(curl(&belfry, &[], &path), "OK");
    }
    assert_eq!(one(&belfry, "job")["running"], true);
    assert_eq!(curl(&belfry, &[], &format!("{UUID}?{other_run}")), "OK");
    assert_eq!(one(&belfry, "job")["running"], false);
    // At hc-ping.com they stand without `/ping`.
    for (arguments, path, expected) in [
        (
            &["--data-raw", "bare"][..],
            &format!("{UUID}/fail")[..],
            "down",
        ),
        (&["--head"], UUID, "up"),
        (&[], "s3cret/job/7", "down"),
        (&[], "s3cret/job", "up"),
    ] {
        let said = curl_at(&belfry, arguments, path);
        assert!(
            said.starts_with("OK") || said.starts_with("HTTP/1.1 200"),
            "{path}: {said}"
        );
        state(expected);
    }
    assert_eq!(one(&belfry, "job")["body"], "bare");
    // Whose name can be guessed has no such path.
    for path in ["job", "job/fail", "wrong/job/fail"] {
        assert!(
            curl_at(&belfry, &[], path).starts_with("not found"),
            "{path}"
        );
    }
    state("up");
    poll::holds("the states should be samples", || {
        let page = belfry.get("/metrics/heartbeat").body;
        page.contains("belfry_heartbeat_pings_total{heartbeat=\"job\",kind=\"fail\"} 5")
            && page.contains("belfry_heartbeat_state{heartbeat=\"made\",state=\"up\"} 1")
    });
    let query = "/api/v1/query?query=belfry_heartbeat_up%7Bheartbeat=%22job%22%7D";
    poll::holds("rules should see them", || {
        belfry.get(query).body.contains("\"1\"")
    });
}

#[test]
fn one_that_does_not_come_is_late_and_then_down_and_a_page_follows_until_it_comes() {
    let rules = "\
- alert: HeartbeatDown
  expr: belfry_heartbeat_up == 0
  labels: {severity: critical}
  annotations: {summary: '{{ $labels.heartbeat }} is down'}
";
    let setup = Setup::new()
        .rules(rules)
        .part("heartbeat: {expect: {job: {period: 1s, grace: 8s}, idle: {period: 1s, grace: 1s}}}");
    let belfry = Launch::with(&setup.config()).start();
    curl(&belfry, &[], "job");
    for expected in ["late", "down"] {
        poll::holds(expected, || one(&belfry, "job")["state"] == expected);
    }
    let firing = || belfry.get("/api/v1/alerts").body.contains("job is down");
    poll::holds("the alert should fire", firing);
    assert_eq!(
        one(&belfry, "idle")["state"],
        "new",
        "nothing was ever heard of it"
    );
    poll::holds("the alert should end", || {
        curl(&belfry, &[], "job");
        !firing()
    });
}

#[test]
fn what_was_heard_is_known_after_a_restart_and_after_a_crash() {
    let mut belfry = Launch::with(&config("{create: true, expect: {job: {}}}")).start();
    curl(&belfry, &["--data-raw", "first"], "job/3");
    belfry.signal(Signal::TERM);
    belfry.wait();
    belfry.restart();
    let job = one(&belfry, "job");
    assert_eq!(
        (&job["state"], &job["body"]),
        (&"down".into(), &"first".into())
    );
    curl(&belfry, &["--data-raw", "second"], "job");
    curl(&belfry, &[], "made");
    // A moment later it is on the disk; how soon is not the point here.
    let file = belfry.data().join("belfry.db-wal");
    poll::holds("it should be written", || {
        let written = std::fs::read(&file).unwrap_or_default();
        let has = |word: &[u8]| written.windows(word.len()).any(|part| part == word);
        has(b"second") && has(b"\"name\":\"made\"")
    });
    belfry.kill();
    belfry.restart();
    let job = one(&belfry, "job");
    assert_eq!(
        (&job["state"], &job["body"]),
        (&"up".into(), &"second".into())
    );
    assert_eq!(one(&belfry, "made")["state"], "up");
}

#[test]
fn a_job_is_run_timed_and_told_and_its_output_and_code_are_passed_on() {
    let belfry = Launch::with(&config("{expect: {job: {}}}")).start();
    let script = "echo to out; echo to err >&2; test $(curl -s ADDRESS/metrics/heartbeat | grep -c 'running.* 1') = 1 || echo not running; exit 7";
    let script = script.replace("ADDRESS", belfry.address());
    let output = ping(&belfry, &["job", "--", "sh", "-c", &script]);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(output.stdout, b"to out\n");
    assert_eq!(output.stderr, b"to err\n");
    let job = one(&belfry, "job");
    assert_eq!(
        (&job["state"], &job["exit_code"]),
        (&"down".into(), &7.into())
    );
    let body = job["body"].as_str().unwrap();
    assert!(
        body.contains("to out\n") && body.contains("to err\n"),
        "{body}"
    );
    assert!(job["duration_ms"].is_i64());

    let output = ping(&belfry, &["job", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(output.status.code(), Some(137), "as a shell tells it");
    let output = ping(&belfry, &["job", "--", "/no/such/program"]);
    assert_eq!(output.status.code(), Some(127));
    assert_eq!(one(&belfry, "job")["exit_code"], 127);
    for (arguments, state) in [
        (&["job"][..], "up"),
        (&["job", "--fail", "-m", "why"], "down"),
        (&["job", "--exit-code", "0"], "up"),
    ] {
        assert_eq!(ping(&belfry, arguments).status.code(), Some(0));
        assert_eq!(one(&belfry, "job")["state"], state);
    }
    let unknown = ping(&belfry, &["unknown"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("404"));
    // Whatever becomes of the ping, the job runs.
    let nobody = ping(
        &belfry,
        &["--url", "http://127.0.0.1:9", "job", "--", "echo", "ran"],
    );
    assert_eq!(
        (nobody.status.code(), &*nobody.stdout),
        (Some(0), &b"ran\n"[..])
    );
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("not told"));
}

#[test]
fn hostile_pings_are_refused_cut_and_bounded_and_hinder_nobody() {
    let belfry = Launch::with(&config(
        "{create: true, most: 3, body: 1KiB, expect: {job: {}}}",
    ))
    .start();
    let long = "x".repeat(5000);
    for (path, status) in [
        ("/ping/a%20b", 400),
        ("/ping/..%2f..%2fetc", 400),
        ("/ping/%00", 400),
        ("/ping/job/start/now", 400),
        ("/ping/job/256", 400),
        ("/ping/%3Cscript%3E", 400),
        (&format!("/ping/{long}"), 400),
        ("/ping/job?token=%ff&rid=%00", 200),
        ("/ping/two", 201),
        ("/ping/three", 201),
        ("/ping/four", 429),
    ] {
        assert_eq!(belfry.get(path).status, status, "{path}");
    }
    let put = http::send(
        belfry.address(),
        &format!(
            "PUT /ping/job HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            belfry.address()
        ),
    );
    assert_eq!(put.unwrap().status, 405);
    let foreign = format!(
        "GET /ping/job HTTP/1.1\r\nHost: {}\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\n\r\n",
        belfry.address()
    );
    assert_eq!(
        http::send(belfry.address(), &foreign).unwrap().status,
        403,
        "a page of another site"
    );

    // Slow senders and one without an end: each is answered, and of a body the start is kept.
    let head = format!(
        "POST /ping/job HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000000\r\n\r\nstart of it",
        belfry.address()
    );
    let mut slow: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(belfry.address()).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(
        belfry.get("/ping/job").status,
        200,
        "others are served meanwhile"
    );
    assert_eq!(belfry.get("/health/live").status, 200);
    let mut endless = TcpStream::connect(belfry.address()).unwrap();
    endless
        .set_write_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    endless.write_all(head.as_bytes()).unwrap();
    let piece = [b'y'; 4096];
    // It ends by a reset, or with the answer in hand.
    let mut sent = 0_u64;
    while sent < 1_000_000_000 && endless.write_all(&piece).is_ok() {
        sent += 4096;
    }
    assert!(sent < 1_000_000_000, "all of it was read");
    let body = one(&belfry, "job")["body"].as_str().unwrap().to_owned();
    assert!(
        body.len() <= 1024 && body.starts_with("start of it"),
        "{}",
        body.len()
    );
    let mut answer = String::new();
    let stream = &mut slow[0];
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut byte = [0; 15];
    stream.read_exact(&mut byte).unwrap();
    answer.push_str(&String::from_utf8_lossy(&byte));
    assert_eq!(answer, "HTTP/1.1 200 OK");
    let refused = |reason: &str| {
        belfry.metric(&format!(
            "belfry_heartbeat_refused_total{{reason=\"{reason}\"}}"
        ))
    };
    poll::holds("refusals should be counted", || {
        refused("invalid") == Some(7.0) && refused("full") == Some(1.0)
    });
}

#[test]
fn three_of_many_that_are_lost_together_make_one_mail() {
    let sink = Sink::start(&[Act::Accept]);
    // What the others send holds for a day.
    let expect: String = (0..3)
        .map(|at| {
            format!("job-{at}: {{period: 1s, grace: 12s}}, well-{at}: {{}}, fine-{at}: {{}}, ")
        })
        .collect();
    let setup = Setup::new()
        .part(&format!("heartbeat: {{expect: {{{expect}}}}}"))
        .part(&format!(
            "mail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@example.org, tls: none}}",
            sink.port()
        ));
    let belfry = Launch::with(&setup.config()).start();
    let state = |state: &str| belfry.metric(&format!("belfry_heartbeats{{state=\"{state}\"}}"));
    assert_eq!(state("new"), Some(9.0));
    for at in 0..3 {
        for job in ["job", "well", "fine"] {
            assert_eq!(belfry.get(&format!("/ping/{job}-{at}")).status, 200);
        }
    }
    poll::holds("three should be lost", || state("down") == Some(3.0));
    let about = || {
        let all = sink.received().into_iter();
        let subjects = all.map(|got| got.mail.header("Subject").to_owned());
        subjects
            .filter(|subject| subject.contains("sign"))
            .collect::<Vec<_>>()
    };
    poll::holds("it should be mailed", || !about().is_empty());
    // None of the three will be mailed while this one fires.
    poll::holds("all three should be hidden", || {
        let alerts = belfry.get("/api/v2/alerts").json();
        let missing = alerts.as_array().unwrap().iter().filter(|alert| {
            alert["labels"]["alertname"] == "HeartbeatMissing"
                && alert["status"]["inhibitedBy"]
                    .as_array()
                    .is_some_and(|by| by.len() == 1)
        });
        missing.count() == 3
    });
    assert_eq!(about().len(), 1, "{:?}", about());
    assert!(about()[0].contains("3 jobs"), "{:?}", about());
}
