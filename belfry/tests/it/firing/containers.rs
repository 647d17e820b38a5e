//! Containers that end, crash, hang, or run out of what they may have.

use std::fs;

use super::{Watched, quick};
use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::container::Container;
use crate::support::engine::{Engine, IMAGE};

#[test]
fn rules_about_containers_fire_for_containers_in_every_kind_of_trouble() {
    let engine = Engine::start();
    engine.create_network("shop");
    for name in ["api", "worker", "beat"] {
        engine.run(
            &Container::named(name)
                .compose("shop", name)
                .option("--restart", "unless-stopped"),
        );
    }
    let busy = "while :; do :; done";
    engine.run(
        &Container::named("slow")
            .option("--cpus", "0.05")
            .script(busy),
    );
    let filled = "dd if=/dev/zero of=/dev/shm/held bs=1M count=31 2>/dev/null; sleep 1000";
    engine.run(
        &Container::named("fat")
            .option("--memory", "32m")
            .option("--shm-size", "64m")
            .script(filled),
    );
    engine.run(&Container::named("ill").health("false"));
    engine.run(&Container::named("frozen"));
    let setup = Setup::new().engine(&engine);
    let watched = Watched::start(setup);
    watched.fires(&[("ContainerUnhealthy", "warning")], || {});

    engine.docker(&["pause", "frozen"]);
    engine.docker(&["kill", "api", "worker", "beat"]);
    engine.run(&Container::named("job").script("exit 3"));
    engine.run(
        &Container::named("crashing")
            .option("--restart", "always")
            .script("exit 1"),
    );
    engine.run(
        &Container::named("greedy")
            .option("--memory", "16m")
            // An engine may fail to learn of what happens in the first or last moment.
            .script("sleep 2; tail /dev/zero; code=$?; sleep 2; exit $code"),
    );
    watched.fires(
        &[
            ("ContainerDown", "critical"),
            ("ManyContainersDown", "critical"),
            ("ContainerFailed", "warning"),
            ("ContainerCrashLoop", "critical"),
            ("ContainerOomKilled", "warning"),
            ("OomKill", "warning"),
            ("ContainerUnhealthy", "critical"),
            ("ContainerPaused", "warning"),
            ("ContainerMemoryNearLimit", "warning"),
            ("ContainerThrottled", "warning"),
            ("ContainerWithoutMemoryLimit", "info"),
        ],
        || {},
    );
}

/// A Belfry that knows of the containers only what cAdvisor would tell of them: from the
/// page of another one, which has its names.
fn from_elsewhere(other: &Watched) -> Watched {
    let (config, kept) = quick(Setup::new());
    let config = config.replace(
        "rules: {pack: false,",
        &format!(
            "rules: {{pack: false, scrape: [{{job_name: cadvisor, scrape_interval: 1s, scrape_timeout: 1s, \
             metrics_path: /metrics/container, static_configs: [{{targets: ['{}']}}], \
             metric_relabel_configs: [{{source_labels: [__name__], regex: 'container_.*', action: keep}}]}}],",
            other.belfry.address()
        ),
    );
    Watched::launch(Launch::with(&config), kept)
}

#[test]
fn the_rule_about_processes_killed_in_containers_fires_where_cadvisor_alone_counts() {
    let engine = Engine::start();
    engine.run(
        &Container::named("leaks")
            .option("--memory", "16m")
            // An engine may fail to learn of one.
            .script("while :; do sleep 5; tail /dev/zero; done"),
    );
    let watched = Watched::start(Setup::new().engine(&engine));
    let elsewhere = from_elsewhere(&watched);
    elsewhere.fires(&[("ContainerOomEvents", "warning")], || {});
    assert!(
        !watched
            .firing()
            .iter()
            .any(|it| it.0 == "ContainerOomEvents")
    );
}

#[test]
fn rules_about_what_containers_keep_fire_for_logs_images_and_published_ports() {
    let engine = Engine::start();
    engine.create_network("shop");
    engine.run(
        &Container::named("db")
            .image("postgres:16")
            .network("shop")
            .option("--publish", "5432"),
    );
    engine.docker(&["tag", IMAGE, "shop/api:1"]);
    engine.run(&Container::named("api").image("shop/api:1"));
    engine.run(
        &Container::named("talks")
            .option("--log-driver", "json-file")
            .script("while :; do echo something; sleep 1; done"),
    );
    // Files of many bytes, of which the disk keeps none.
    engine.run(&Container::named("left").script("truncate -s 30G /left"));
    engine.wait_for_state("left", "exited");
    let setup = Setup::new()
        .engine(&engine)
        .exporter("container: {relist: 1s, disk: 1s, sizes: 1s}");
    let watched = Watched::start(setup);
    watched.is_known("belfry_container_image_outdated{name=\"api\"} == 0");
    watched.is_known("belfry_container_log_bytes{name=\"talks\"} > 0");

    engine.docker(&["commit", "api", "shop/api:1"]);
    let log = engine.inspect("talks", "/LogPath");
    let log = fs::File::options()
        .write(true)
        .open(log.as_str().expect("a path"));
    log.and_then(|log| log.set_len(11 << 30))
        .expect("a long log");
    watched.fires(
        &[
            ("DatabasePublished", "info"),
            ("ContainerImageOutdated", "info"),
            ("ContainerLogLarge", "info"),
            ("ContainerLogLarge", "warning"),
            ("EngineDiskReclaimable", "info"),
        ],
        || {},
    );
}
