//! The page of figures beside the one of Debian's Alertmanager.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::alertmanager::Alone;
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::{claim, http, program};

const CONFIG: &str = "route: {receiver: ops}\n\
    receivers: [{name: ops, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n";

/// What speaks of how Alertmanager works inside, or of its cluster; here no such
/// thing exists, and a figure that is always zero would be a lie.
const LEFT_OUT: [&str; 19] = [
    "alertmanager_dispatcher_alert_processing_duration_seconds",
    "alertmanager_http_concurrency_limit_exceeded_total",
    "alertmanager_http_requests_in_flight",
    "alertmanager_nflog_gc_duration_seconds",
    "alertmanager_nflog_gossip_messages_propagated_total",
    "alertmanager_nflog_queries_total",
    "alertmanager_nflog_query_duration_seconds",
    "alertmanager_nflog_query_errors_total",
    "alertmanager_nflog_snapshot_duration_seconds",
    "alertmanager_nflog_snapshot_size_bytes",
    "alertmanager_silences_gc_duration_seconds",
    "alertmanager_silences_gossip_messages_propagated_total",
    "alertmanager_silences_queries_total",
    "alertmanager_silences_query_duration_seconds",
    "alertmanager_silences_query_errors_total",
    "alertmanager_silences_snapshot_duration_seconds",
    "alertmanager_silences_snapshot_size_bytes",
    "alertmanager_http_request_duration_seconds",
    "alertmanager_http_response_size_bytes",
];

fn families(page: &str) -> BTreeSet<(String, String)> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let own = types.filter(|it| it.starts_with("alertmanager_"));
    own.filter_map(|it| it.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

fn hash(page: &str) -> f64 {
    let mut lines = page.lines();
    let line = lines.find_map(|line| line.strip_prefix("alertmanager_config_hash "));
    line.unwrap().parse().unwrap()
}

#[test]
fn figures_have_alertmanagers_names_and_kinds_but_for_those_of_its_insides() {
    let ours = Alone::start(CONFIG, &[]);
    let ours = http::get(&ours.address(), "/metrics").unwrap().body;
    let scratch = Scratch::new();
    let file = scratch.file("alertmanager.yml", CONFIG);
    let port = claim::port();
    let address = format!("127.0.0.1:{}", port.number);
    let package = "prometheus-alertmanager";
    let mut command = Command::new(program::find(package, package));
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.path={}",
            scratch.path.join("data").display()
        ))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=");
    let mut peer = Process::spawn("the peer", &mut command, &scratch.path.join("log"));
    peer.ready("it should serve", || {
        http::get(&address, "/-/ready").ok().map(drop)
    });
    let theirs = http::get(&address, "/metrics").unwrap().body;
    let known = families(&ours);
    let missing: Vec<_> = families(&theirs)
        .into_iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&&**name))
        .filter(|family| !known.contains(family))
        .collect();
    assert_eq!(missing, [], "{ours}");
    assert_eq!(hash(&ours), hash(&theirs), "of one text both say the same");
}
