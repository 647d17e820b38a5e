//! The page of figures beside the one of Debian's Alertmanager.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::alertmanager::Alone;
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::{claim, http, program};

const CONFIG: &str = "route: {receiver: ops}\n\
    receivers: [{name: ops, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n";

/// What speaks of how Alertmanager works inside, or of its cluster, is left out, and
/// listed there with the reasons; a figure that is always zero would be a lie.
const DOCUMENT: &str = include_str!("../../../docs/alertmanager.md");

/// The families of the document's table, each of which has a reason.
fn left_out() -> BTreeSet<&'static str> {
    let rows = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("| `alertmanager_"));
    rows.map(|row| {
        let (name, reason) = row.split_once("` | ").expect("a name and a reason");
        assert!(reason.len() > 5, "{row}");
        name
    })
    .collect()
}

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
    // Some of its families begin with the first request.
    assert_eq!(http::get(&address, "/api/v2/status").unwrap().status, 200);
    let theirs = http::get(&address, "/metrics").unwrap().body;
    let (known, theirs_known) = (families(&ours), families(&theirs));
    let missing = theirs_known.difference(&known);
    let missing: BTreeSet<_> = missing
        .filter_map(|(name, _)| name.strip_prefix("alertmanager_"))
        .collect();
    assert_eq!(
        missing,
        left_out(),
        "docs/alertmanager.md lists what is left out"
    );
    assert_eq!(hash(&ours), hash(&theirs), "of one text both say the same");
}
