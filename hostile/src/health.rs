//! Pings of jobs, and modules for probes.

use std::fs;

use healthchecks::heartbeat::{self, Book, Ping, valid_name};
use healthchecks::probe;

use crate::NOW;

/// Takes pings: each line is what stands behind `/ping/`, a token, and what is carried.
///
/// # Panics
/// If a name is taken that is none, or the page about the jobs cannot be read.
pub fn ping(bytes: &[u8]) {
    let config: heartbeat::Config = match settings::read(
        "belfry.yml".as_ref(),
        "{create: true, ping_key: key, most: 20, body: 64B, expect: {known: {cron: '*/5 * * * *'}}}",
        &|_| None,
    ) {
        Ok(config) => config,
        Err(faults) => panic!("{faults:?}"),
    };
    let book = Book::new(&config, "Europe/Berlin", Vec::new(), NOW);
    let mut now_ms = NOW;
    for line in bytes.split(|byte| *byte == b'\n').take(200) {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let mut word = || String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
        let (path, token) = (word(), word());
        let taken = book.ping(
            &Ping {
                path: &path,
                token: &token,
                run: &token,
                create: token.len() % 2 == 1,
                body: words.next().unwrap_or_default(),
            },
            now_ms,
        );
        if let Ok(taken) = taken {
            assert!(valid_name(&taken.name), "{taken:?}");
        }
        now_ms += 7_000;
    }
    assert!(book.views(now_ms).len() <= 20);
    let page = book.page(now_ms);
    for entry in exposition::Format::Text.parse(&page) {
        assert!(entry.is_ok(), "{entry:?}\n{page}");
    }
}

pub(crate) fn ping_samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "known\nknown/start run-1\nknown/0 run-1 all is well\nknown/fail\nknown/255",
        "key/a.new-job_1\nkey/a.new-job_1/log - what\u{e9}ver\nother x\nother/start",
        "0ad3c1f2-6f1e-4c8c-9d0a-0d2a3c4b5e6f/fail\n/known\nknown//start\nknown/256\n%6bnown",
    ])
}

/// Reads a `blackbox.yml`.
///
/// # Panics
/// If it is refused without a word.
pub fn blackbox(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let file = folder.path().join("blackbox.yml");
    if fs::write(&file, bytes).is_err() {
        return;
    }
    let config = probe::Config {
        blackbox: file,
        ..probe::Config::default()
    };
    match config.load() {
        Ok(loaded) => assert!(!loaded.modules.is_empty()),
        Err(faults) => assert!(
            !faults.is_empty() && faults.iter().all(|fault| !fault.message.is_empty()),
            "{faults:?}"
        ),
    }
    let _ = config.faults();
}

pub(crate) fn blackbox_samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "modules:\n  a:\n    prober: http\n    timeout: 5s\n    http:\n      valid_status_codes: [200, 3xx]\n      method: POST\n      \
         headers: {Host: x}\n      fail_if_body_matches_regexp: ['(a+)+$', \"x{1,99}\"]\n      tls_config: {min_version: TLS12}\n",
        "modules: {t: {prober: tcp, tcp: {query_response: [{expect: '^SSH-(.*)', send: \"${1}\\n\"}, {starttls: true}], tls: false}}}",
        "modules: {d: {prober: dns, dns: {query_name: a.b, query_type: MX, valid_rcodes: [NOERROR], validate_answer_rrs: {fail_if_matches_regexp: ['.*']}}}}",
        "modules: &m {i: &i {prober: icmp, icmp: {ttl: 64, payload_size: 1e9}}, j: *i, g: {prober: grpc, grpc: {service: s}}}",
    ])
}
