//! Mutual watch, on hosts in network namespaces: what is paged when a host dies,
//! stands still, or cannot be reached by one of the others.

mod three;

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::certificate::Certificate;
use crate::support::claim;
use crate::support::lan::Lan;
use crate::support::poll;
use crate::support::process::Process;
use crate::support::program;
use crate::support::scratch::Scratch;
use three::{RULES, Three};

#[test]
fn a_host_that_is_killed_or_frozen_is_paged_by_one_survivor_and_resolves() {
    let mut three = Three::start();
    three.belfry_mut("c").signal(Signal::STOP);
    poll::holds("one survivor should page", || {
        three.pages(&["a", "b"]) == ["a: c is dead"]
    });
    poll::holds("the other survivor should not see it either", || {
        three.metric("b", "belfry_peer_up", "c") == Some(0.0)
    });
    three.belfry_mut("c").signal(Signal::CONT);
    poll::holds("it should resolve", || three.pages(&["a", "b"]).is_empty());
    poll::holds("that should be mailed too", || three.mails().len() == 2);
    three.belfry_mut("a").kill();
    poll::holds("the other one should page", || {
        three.pages(&["b", "c"]) == ["b: a is dead"]
    });
    poll::holds("that should be mailed", || three.mails().len() >= 3);
    for host in ["b", "c"] {
        three.rounds_pass(host);
    }
    assert_eq!(three.ever(&["c"]), [""; 0]);
    assert_eq!(
        three.mails(),
        [
            "a: [SEV-1] c is dead",
            "a: [OK] c is dead",
            "b: [SEV-1] a is dead"
        ],
        "one page for each, and not by each"
    );
}

#[test]
fn who_pages_for_a_dead_host_goes_on_after_a_restart_and_no_other_begins() {
    let mut three = Three::start();
    three.belfry_mut("c").kill();
    poll::holds("one survivor should page", || {
        three.pages(&["a", "b"]) == ["a: c is dead"] && three.mails().len() == 1
    });
    for host in ["a", "b"] {
        let belfry = three.belfry_mut(host);
        belfry.signal(Signal::TERM);
        belfry.wait();
        belfry.restart();
        poll::holds("it should have asked the others", || {
            ["a", "b"]
                .iter()
                .any(|other| three.metric(host, "belfry_peer_up", other) == Some(1.0))
        });
        three.rounds_pass(host);
        assert_eq!(three.pages(&["a", "b"]), ["a: c is dead"], "after {host}");
    }
    assert_eq!(three.ever(&["b"]), [""; 0]);
    assert_eq!(three.mails(), ["a: [SEV-1] c is dead"]);
    three.belfry_mut("c").restart();
    poll::holds("it should end", || three.pages(&["a", "b"]).is_empty());
}

#[test]
fn survivors_that_are_started_anew_as_a_host_dies_page_once() {
    // Long beside what a start takes: until then both are to be there again.
    let mut three = Three::with(|_, _| ("silent_after: 30s".to_owned(), String::new()));
    three.belfry_mut("c").kill();
    for host in ["b", "a"] {
        let belfry = three.belfry_mut(host);
        belfry.signal(Signal::TERM);
        belfry.wait();
        belfry.restart();
    }
    poll::holds("both should miss it", || {
        ["a", "b"]
            .iter()
            .all(|host| three.metric(host, "belfry_peer_up", "c") == Some(0.0))
    });
    poll::holds("it should be mailed", || !three.mails().is_empty());
    for host in ["a", "b"] {
        three.rounds_pass(host);
    }
    let said = three.ever(&["a", "b"]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(three.mails().len(), 1, "{:?}", three.mails());
}

#[test]
fn a_link_that_is_cut_or_flaps_pages_nobody_while_a_third_host_sees_both() {
    let three = Three::start();
    let both = |cut| {
        three.lan.cut("a", "b", cut);
        three.lan.cut("b", "a", cut);
    };
    both(true);
    for (host, peer) in [("a", "b"), ("b", "a")] {
        poll::holds("the cut should be seen as one", || {
            three.metric(host, "belfry_peer_link_cut", peer) == Some(1.0)
        });
        poll::holds("the shipped rule should show it", || {
            three.shows_cut(host, peer)
        });
        three.rounds_pass(host);
    }
    assert_eq!(three.subjects(), [""; 0]);
    both(false);
    poll::holds("it should heal", || {
        three.metric("a", "belfry_peer_up", "b") == Some(1.0)
    });
    // One way only.
    three.lan.cut("b", "c", true);
    poll::holds("the cut should be seen from one side", || {
        three.metric("b", "belfry_peer_link_cut", "c") == Some(1.0)
    });
    poll::holds("the other side should see it still", || {
        three.metric("c", "belfry_peer_up", "b") == Some(1.0)
    });
    three.lan.cut("b", "c", false);
    // It flaps: longer and shorter than it takes to be missed.
    for pause_ms in [500, 13_000, 500, 13_000] {
        both(true);
        thread::sleep(Duration::from_millis(pause_ms));
        both(false);
        thread::sleep(Duration::from_millis(pause_ms / 4));
    }
    poll::holds("all should see each other again", || {
        three.metric("b", "belfry_peer_up", "a") == Some(1.0)
    });
    assert_eq!(three.ever(&["a", "b", "c"]), [""; 0]);
    assert_eq!(three.subjects(), [""; 0]);
}

#[test]
fn a_host_that_is_cut_off_itself_pages_for_nobody_and_is_paged_once() {
    let three = Three::start();
    for other in ["b", "c"] {
        three.lan.cut("a", other, true);
        three.lan.cut(other, "a", true);
    }
    poll::holds("it should notice", || {
        ["b", "c"]
            .iter()
            .all(|peer| three.metric("a", "belfry_peer_isolated", peer) == Some(1.0))
    });
    poll::holds("one of the others should page", || {
        three.pages(&["a", "b", "c"]) == ["b: a is dead"]
    });
    poll::holds("that should be mailed", || !three.mails().is_empty());
    for host in ["a", "b", "c"] {
        three.rounds_pass(host);
    }
    assert_eq!(three.ever(&["a", "c"]), [""; 0]);
    assert_eq!(three.mails(), ["b: [SEV-1] a is dead"]);
}

#[test]
fn peers_look_at_each_others_sites_and_know_of_a_dead_one_how_it_was() {
    let site = |lan: &Lan| format!("{}:8080", lan.address("c"));
    // Of the closed one only its owner knows what a good answer is: there is no such page.
    let mut three = Three::with(|lan, host| match host {
        "c" => (
            "token: word, share: [shop, closed]".to_owned(),
            format!(
                "probe:\n  up_after: 1\n  modules: {{closed: {{http: {{valid_status_codes: [404]}}}}}}\n  \
                 targets: [{{name: shop, target: 'http://{}/health/live'}}, {{name: inner, target: 'http://127.0.0.1:1/'}}, \
                 {{name: closed, target: 'http://{}:9911/none', module: closed}}]",
                site(lan),
                lan.address("c")
            ),
        ),
        _ => ("token: word".to_owned(), "probe: {up_after: 1}".to_owned()),
    });
    let shop = Setup::new().rules(RULES);
    let shop = Launch::with(&shop.config())
        .binary(&three.lan.on("c", env!("CARGO_BIN_EXE_belfry")))
        .listen(&site(&three.lan))
        .start();
    let from = |peer: &str, site: &str| {
        let series = format!("belfry_site_outside_up{{from=\"{peer}\",site=\"{site}\"}}");
        three.series("c", &series)
    };
    let here = |host: &str, name: &str, more: &str| {
        three.series(host, &format!("{name}{{peer=\"c\",{more}site=\"shop\"}}"))
    };
    poll::holds("all should see the sites", || {
        ["a", "b"].iter().all(|host| {
            from(host, "shop") == Some(1.0)
                && from(host, "closed") == Some(1.0)
                && here(host, "belfry_peer_site_up", "") == Some(1.0)
        })
    });
    let page = three.belfry("a").get("/metrics/probe").body;
    assert!(!page.contains("inner"), "only what is shared is told of");

    three.lan.shut("c", 8080, true);
    poll::holds("its owner should page for it, and nobody else", || {
        three.pages(&["a", "b", "c"]) == ["c: shop is down from outside"]
    });
    poll::holds("who looks from outside should say why", || {
        here("a", "belfry_peer_site_failure_info", "reason=\"refused\",") == Some(1.0)
    });
    poll::holds("from its own host it is up", || {
        let health = three.belfry("c").get("/api/belfry/v1/health").json();
        let mut probes = health["probes"].as_array().expect("probes").iter();
        let shop = probes.find(|probe| probe["name"] == "shop");
        shop.is_some_and(|shop| shop["up"] == true)
    });
    three.lan.shut("c", 8080, false);
    poll::holds("it should resolve", || {
        three.pages(&["a", "b", "c"]).is_empty()
    });

    // With its token only.
    let belfry = three.belfry("c");
    assert_eq!(belfry.get("/health/peer").status, 403);
    drop(shop);
    poll::holds("its site should be down for all", || {
        three.pages(&["a", "b", "c"]) == ["c: shop is down from outside"]
    });
    poll::holds("the others should know what fires there", || {
        three.belfry("a").get("/metrics/probe").body.contains(
            "belfry_peer_last_state_info{firing=\"SiteDown\",peer=\"c\",ready=\"ready\"} 1",
        )
    });
    three.belfry_mut("c").kill();
    poll::holds("one survivor should page, for the host alone", || {
        three.pages(&["a", "b"]) == ["a: c is dead"]
    });
    let page = three.belfry("a").get("/metrics/probe").body;
    assert!(
        page.contains("belfry_peer_last_state_info{firing=\"SiteDown\",peer=\"c\""),
        "{page}"
    );
}

#[test]
fn peers_know_each_other_by_certificate_and_token() {
    let scratch = Scratch::new();
    let certificate = Certificate::for_host("localhost", &scratch.path);
    let there = Setup::new().part("peer: {name: there, token: word}");
    let there = Launch::with(&there.config()).start();
    let door = claim::port();
    let caddyfile = scratch.file(
        "Caddyfile",
        &format!(
            "{{\n admin off\n auto_https off\n}}\nhttps://localhost:{} {{\n tls {} {}\n reverse_proxy {}\n}}\n",
            door.number,
            certificate.chain.display(),
            certificate.key.display(),
            there.address()
        ),
    );
    let mut command = Command::new(program::find("caddy", "caddy"));
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&caddyfile)
        .env("HOME", &scratch.path);
    let _caddy = Process::spawn("caddy", &mut command, &scratch.path.join("caddy.log"));
    let config = |token: &str, authority: &Path| {
        let peer = format!(
            "peer: {{name: here, token: {token}, interval: 1s, silent_after: 3s, \
             peers: [{{name: there, url: 'https://localhost:{}', ca_file: {authority:?}}}]}}",
            door.number
        );
        Setup::new().rules(RULES).part(&peer)
    };
    let (right, wrong) = (
        config("word", &certificate.authority),
        config("guess", &certificate.authority),
    );
    let mut here = Launch::with(&right.config()).start();
    let peer = |here: &Belfry| here.get("/api/belfry/v1/health").json()["peers"][0].clone();
    poll::holds("it should be seen", || peer(&here)["verdict"] == "up");
    here.reload(&wrong.config());
    poll::holds("a wrong token should be refused", || {
        let peer = peer(&here);
        peer["verdict"] == "dead" && peer["reason"] == "status: the status is 403"
    });
    here.reload(&right.config());
    poll::holds("it should be seen again", || peer(&here)["verdict"] == "up");
    let nobody = Certificate::for_host("elsewhere", &scratch.path);
    let stranger = config("word", &nobody.authority);
    here.reload(&stranger.config());
    poll::holds("a stranger should not be believed", || {
        let peer = peer(&here);
        peer["verdict"] == "dead"
            && peer["reason"]
                .as_str()
                .is_some_and(|reason| reason.starts_with("tls_unknown_authority"))
    });
    assert!(!here.log().contains("word"), "the token is a secret");
}
