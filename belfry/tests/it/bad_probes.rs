//! Servers that send without an end to whoever probes them: bounded memory, and a good
//! one beside them that stays up.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::bad_targets::{peak_mib, serve};
use crate::probes::page;
use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::poll;

/// What the bombs are, unpacked: far beyond what the process may ever have.
const BOMB: &str = "head -c 1000000000 /dev/zero | gzip -1";

#[test]
fn probes_of_what_never_ends_take_bounded_memory_and_hinder_no_other() {
    let packed = Command::new("sh")
        .args(["-c", BOMB])
        .stderr(Stdio::inherit())
        .output()
        .expect("a shell")
        .stdout;
    let bomb = serve(move |stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes())?;
        stream.write_all(&packed)
    });
    let endless = serve(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        let piece = [b'x'; 64 << 10];
        loop {
            stream.write_all(&piece)?;
        }
    });
    let drip = serve(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(b"x")?;
            thread::sleep(Duration::from_millis(100));
        }
    });
    let banner = serve(|stream| {
        loop {
            stream.write_all(&[b'x'; 64 << 10])?;
        }
    });
    let (good, _status) = page();
    let mut targets = format!("{{name: good, target: 'http://127.0.0.1:{good}/', interval: 3s}}");
    for (kind, address, module) in [
        ("bomb", bomb, "packed"),
        ("endless", endless, "body"),
        ("drip", drip, "body"),
    ] {
        for at in 0..4 {
            targets.push_str(&format!(
                ", {{name: {kind}-{at}, target: 'http://{address}/{at}', module: {module}}}"
            ));
        }
    }
    targets.push_str(&format!(
        ", {{name: banner, target: '{banner}', module: talk}}"
    ));
    let body = "fail_if_body_not_matches_regexp: [never]";
    let setup = Setup::new().part(&format!(
        "probe:\n  up_after: 1\n  interval: 10s\n  modules:\n    body: {{timeout: 3s, http: {{{body}}}}}\n    \
         packed: {{timeout: 20s, http: {{compression: gzip, {body}}}}}\n    \
         talk: {{prober: tcp, timeout: 20s, tcp: {{query_response: [{{send: hello}}, {{expect: '^never'}}]}}}}\n  \
         targets: [{targets}]"
    ));
    let belfry = Launch::with(&setup.config()).start();
    let fails = |name: &str, reasons: &[&str]| {
        poll::holds(name, || {
            let page = belfry.get("/metrics/probe").body;
            let mut lines = page.lines();
            lines.any(|line| {
                line.starts_with("belfry_probe_failure_info{")
                    && line.contains(&format!("probe=\"{name}\""))
                    && line.ends_with(" 1")
                    && reasons
                        .iter()
                        .any(|reason| line.contains(&format!("reason=\"{reason}\"")))
            })
        });
    };
    for at in 0..4 {
        fails(&format!("bomb-{at}"), &["body_too_large"]);
        fails(
            &format!("endless-{at}"),
            &["body_too_large", "body_timeout"],
        );
        fails(&format!("drip-{at}"), &["body_timeout"]);
    }
    fails("banner", &["body_too_large"]);
    let looked = "sum(count_over_time(probe_success{probe=\"good\"}[1h])) >= 4";
    let path = format!(
        "/api/v1/query?query={}",
        crate::support::prometheus::escaped(looked)
    );
    poll::holds("all should be looked at again and again", || {
        let told = belfry.get(&path).json();
        told["data"]["result"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    });
    let path = format!(
        "/api/v1/query?query={}",
        crate::support::prometheus::escaped("min_over_time(belfry_probe_up{probe=\"good\"}[1h])")
    );
    let told = belfry.get(&path).json();
    assert_eq!(told["data"]["result"][0]["value"][1], "1", "{told}");
    // Four bodies of 16 MiB at once, each as it grows, and what it has anyway.
    let peak = peak_mib(belfry.pid());
    assert!(peak < 300, "{peak} MiB");
}
