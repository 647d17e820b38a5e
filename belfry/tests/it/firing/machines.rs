//! Services that are declared and not there, machines that watch each other, an
//! engine that is gone, and the eye outside.

use rustix::process::Signal;

use super::{Watched, quick};
use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::lan::Lan;
use crate::support::scratch::Scratch;

#[test]
fn rules_about_services_and_the_engine_fire_for_what_is_missing() {
    let mut engine = Engine::start();
    // Its check is not through for as long as the test lasts.
    engine.run(
        &Container::named("shop-web-1")
            .compose("shop", "web")
            .health("false")
            .option("--health-start-period", "1h")
            .option("--volume", "uploads:/uploads"),
    );
    let closed = crate::support::claim::port();
    let setup = Setup::new()
        .engine(&engine)
        .part("health: {services: {mailer: {project: shop}}}")
        .part(&format!(
            "heartbeat: {{out: [{{name: eye, url: 'http://127.0.0.1:{}/', interval: 1s}}], expect: {{never: {{}}}}}}",
            closed.number
        ));
    let watched = Watched::start(setup);
    watched.fires(
        &[
            ("ServiceMissing", "critical"),
            ("ServiceNotReady", "warning"),
            ("BackupVolumeUnknown", "info"),
            ("DeadmanFailing", "warning"),
            ("HeartbeatNeverSeen", "info"),
        ],
        || {},
    );
    engine.crash();
    watched.fires(&[("EngineDown", "critical")], || {});
}

#[test]
fn rules_about_compose_files_fire_for_what_they_declare_and_is_not_there() {
    let engine = Engine::start();
    let folder = Scratch::new();
    let file = folder.file(
        "docker-compose.yml",
        "services:\n  api: {image: a, scale: 2, networks: [back]}\n  db: {image: b, volumes: ['data:/d']}\n\
         volumes: {data: {}}\nnetworks: {back: {}}\n",
    );
    let container = |project: &str, service: &str, file: &std::path::Path| {
        let labels = "com.docker.compose.project";
        engine.run(
            &Container::named(&format!("{project}-{service}-1"))
                .compose(project, service)
                .label(
                    &format!("{labels}.working_dir"),
                    &folder.path.display().to_string(),
                )
                .label(
                    &format!("{labels}.config_files"),
                    &file.display().to_string(),
                ),
        );
    };
    container("shop", "api", &file);
    container("shop", "worker", &file);
    container("blog", "web", &folder.path.join("no-such-file.yml"));
    let setup = Setup::new()
        .engine(&engine)
        .exporter("container: {relist: 1s, compose: {interval: 1s}}");
    Watched::start(setup).fires(
        &[
            ("ServiceIncomplete", "warning"),
            ("VolumeMissing", "warning"),
            ("NetworkMissing", "warning"),
            ("ContainerUndeclared", "info"),
            ("ComposeUnreadable", "info"),
        ],
        || {},
    );
}

#[test]
fn rules_about_other_machines_fire_for_one_that_dies_and_one_that_is_cut_off() {
    let hosts = ["a", "b", "c"];
    let lan = Lan::new(&hosts);
    let shop = Launch::with(&Setup::switched("1h").config())
        .binary(&lan.on("c", env!("CARGO_BIN_EXE_belfry")))
        .listen(&format!("{}:8080", lan.address("c")))
        .start();
    let mut watched = Vec::new();
    for host in hosts {
        let others: String = hosts
            .iter()
            .filter(|other| **other != host)
            .map(|other| {
                let address = lan.address(other);
                format!("{{name: {other}, url: 'http://{address}:9911'}}, ")
            })
            .collect();
        // The site of the last one is looked at by the others too.
        let share = if host == "c" { "share: [shop], " } else { "" };
        let site = format!(
            "{{name: shop, target: 'http://{}:8080/health/live'}}",
            lan.address("c")
        );
        let probes = if host == "c" { site.as_str() } else { "" };
        let (config, kept) = quick(Setup::new().part(&format!(
            "peer: {{name: {host}, interval: 1s, silent_after: 10s, token: word, {share}peers: [{others}]}}\n\
             probe: {{up_after: 1, targets: [{probes}]}}"
        )));
        let belfry = Launch::with(&config)
            .binary(&lan.on(host, env!("CARGO_BIN_EXE_belfry")))
            .listen(&format!("{}:9911", lan.address(host)))
            .start();
        watched.push(Watched {
            belfry,
            _kept: kept,
        });
    }
    for one in &watched {
        one.is_known("sum(belfry_peer_up) == 2");
    }
    watched[2].is_known("count(belfry_site_outside_up == 1) == 2");
    lan.shut("c", 8080, true);
    watched[2].fires(&[("SiteDownOutside", "critical")], || {});
    lan.cut("a", "b", true);
    lan.cut("b", "a", true);
    watched[0].fires(&[("PeerLinkCut", "info")], || {});
    lan.cut("a", "b", false);
    lan.cut("b", "a", false);
    watched[1].is_known("sum(belfry_peer_up) == 2");
    watched[2].belfry.signal(Signal::STOP);
    watched[0].fires(&[("PeerDown", "critical")], || {});
    watched[2].belfry.signal(Signal::CONT);
    drop(shop);
}
