//! Containers of a real engine, through their lives.

use exporter::container::{Config, Health, State};

use crate::engine::{Engine, IMAGE};
use crate::watch::{Watch, page_with, value, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_container_shows_in_the_very_next_page_and_leaves_none_when_removed() {
    let engine = Engine::start();
    let labels = [
        "--label",
        "com.docker.compose.project=shop",
        "--label",
        "com.docker.compose.service=api",
    ];
    engine.run(
        "shop-api-1",
        &[&labels[..], &["--memory=64m", "--restart=no"]].concat(),
        "sleep 1000",
    );
    let watch = Watch::start(&engine.socket(), Config::default());
    let running = watch
        .container("shop-api-1", |container| container.pid.is_some())
        .await;
    assert_eq!(
        (running.state, running.memory_limit),
        (State::Running, 64 << 20)
    );
    let own = ["name=\"shop-api-1\"", "project=\"shop\"", "service=\"api\""];
    // A page whose reader of control groups was late lacks what they tell.
    let page = page_with(&watch, |page| {
        value(page, "container_memory_usage_bytes", &own[..1]).is_some()
    })
    .await;
    let state = |page: &str, state: &str| {
        value(
            page,
            "belfry_container_state",
            &[own[0], own[1], own[2], &format!("state=\"{state}\"")],
        )
    };
    assert_eq!(state(&page, "running"), Some(1.0), "{page}");
    assert_eq!(
        value(&page, "container_spec_memory_limit_bytes", &own[..1]),
        Some(f64::from(64 << 20))
    );
    assert!(
        value(
            &page,
            "container_memory_usage_bytes",
            &["container_label_com_docker_compose_service=\"api\""]
        )
        .is_some()
    );
    assert_eq!(value(&page, "belfry_engine_up", &[]), Some(1.0));
    assert_eq!(
        value(
            &page,
            "belfry_container_restart_policy_info",
            &["policy=\"no\""]
        ),
        Some(1.0)
    );

    let mut changes = watch.containers.changes();
    changes.mark_unchanged();
    engine.docker(&["kill", "shop-api-1"]);
    // What is still told of its start is a change too.
    let page = loop {
        within(changes.changed()).await.unwrap();
        let page = watch.containers.page().await;
        if state(&page, "running") == Some(0.0) {
            break page;
        }
    };
    assert_eq!(state(&page, "exited"), Some(1.0));
    assert_eq!(
        value(&page, "belfry_container_exit_code", &own),
        Some(137.0)
    );
    assert_eq!(
        value(&page, "container_memory_usage_bytes", &own[..1]),
        None
    );

    changes.mark_unchanged();
    engine.docker(&["rm", "shop-api-1"]);
    watch
        .until(
            || watch.containers.inventory().is_empty(),
            "an empty inventory",
        )
        .await;
    assert!(!watch.containers.page().await.contains("shop-api-1"));
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_end_or_fail_is_told_apart() {
    let engine = Engine::start();
    let watch = Watch::start(&engine.socket(), Config::default());
    watch
        .engine(|engine| engine.up && engine.listed_ms.is_some())
        .await;

    engine.run("fails", &[], "exit 3");
    let fails = watch
        .container("fails", |container| {
            container.restart_policy == "no" && container.state == State::Exited
        })
        .await;
    assert_eq!((fails.exit_code, fails.oom_killed), (Some(3), false));
    // The engine may note the start of what ended at once after its end.
    assert!(fails.finished_ms.is_some() && fails.started_ms.is_some());

    // An engine may fail to learn of what happens in the first or last moment.
    let script = "sleep 2; busybox tail /dev/zero; code=$?; sleep 2; exit $code";
    engine.run("greedy", &["--memory=16m"], script);
    let greedy = watch
        .container("greedy", |container| {
            container.state == State::Exited && container.oom_killed && container.oom_events > 0
        })
        .await;
    assert_eq!((greedy.state, greedy.exit_code), (State::Exited, Some(137)));

    engine.run("again", &["--restart=on-failure:2"], "exit 1");
    let again = watch
        .container("again", |container| {
            container.state == State::Exited && container.restart_count == 2
        })
        .await;
    assert_eq!(
        (again.exit_code, again.restart_policy.as_str()),
        (Some(1), "on-failure")
    );

    let check = [
        "--health-cmd=echo no database; exit 1",
        "--health-interval=100ms",
        "--health-retries=1",
    ];
    engine.run("sick", &check, "sleep 1000");
    let sick = watch
        .container("sick", |container| {
            container.health == Health::Unhealthy && !container.health_output.is_empty()
        })
        .await;
    assert_eq!(sick.health_output, "no database");

    engine.run("frozen", &[], "sleep 1000");
    engine.docker(&["pause", "frozen"]);
    watch
        .container("frozen", |container| container.state == State::Paused)
        .await;
    engine.docker(&["rename", "frozen", "thawed"]);
    engine.docker(&["unpause", "thawed"]);
    watch
        .container("thawed", |container| container.state == State::Running)
        .await;
    engine.docker(&["create", "--name", "waits", IMAGE, "/bin/sh"]);
    watch
        .container("waits", |container| {
            container.state == State::Created && container.exit_code.is_none()
        })
        .await;

    // A page whose reader of control groups was late lacks what they tell.
    let page = page_with(&watch, |page| {
        value(page, "container_health_state", &["name=\"sick\""]).is_some()
    })
    .await;
    for (family, labels, want) in [
        ("belfry_container_oom_killed", ["name=\"greedy\"", ""], 1.0),
        ("belfry_container_exit_code", ["name=\"fails\"", ""], 3.0),
        (
            "belfry_container_restart_count",
            ["name=\"again\"", ""],
            2.0,
        ),
        (
            "belfry_container_health",
            ["name=\"sick\"", "health=\"unhealthy\""],
            1.0,
        ),
        ("container_health_state", ["name=\"sick\"", ""], 0.0),
        (
            "belfry_container_state",
            ["name=\"waits\"", "state=\"created\""],
            1.0,
        ),
    ] {
        assert_eq!(
            value(&page, family, &labels),
            Some(want),
            "{family} {labels:?} in\n{page}"
        );
    }
    assert!(!page.contains("frozen"));
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_equals_what_the_engine_reports() {
    let engine = Engine::start();
    // Memory that stays, three processes, and some processor time.
    let script = "busybox dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; \
                  i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; \
                  busybox sleep 1000 & busybox sleep 1000 & : > /tmp/ready; wait";
    engine.run("busy", &["--memory=128m"], script);
    engine.docker(&[
        "exec",
        "busy",
        "/bin/sh",
        "-c",
        "until [ -e /tmp/ready ]; do :; done",
    ]);
    let watch = Watch::start(&engine.socket(), Config::default());
    watch
        .container("busy", |container| container.pid.is_some())
        .await;
    let told = |line: String| line.split('|').map(str::to_owned).collect::<Vec<_>>();
    let said = told(engine.docker(&[
        "stats",
        "--no-stream",
        "--format",
        "{{.MemUsage}}|{{.PIDs}}",
        "busy",
    ]));
    let page = page_with(&watch, |page| {
        value(page, "container_threads", &["name=\"busy\""]).is_some()
    })
    .await;
    let of = |family| {
        value(&page, family, &["name=\"busy\""]).unwrap_or_else(|| panic!("no {family} in\n{page}"))
    };
    let (used, limit) = said[0].split_once(" / ").unwrap();
    let mebibytes = |text: &str| text.trim_end_matches("MiB").parse::<f64>().unwrap();
    let working_set = of("container_memory_working_set_bytes") / f64::from(1 << 20);
    assert!(
        (working_set - mebibytes(used)).abs() < 1.0,
        "{working_set} MiB against {used}"
    );
    assert_eq!(
        of("container_spec_memory_limit_bytes") / f64::from(1 << 20),
        mebibytes(limit)
    );
    assert_eq!(of("container_threads"), said[1].parse::<f64>().unwrap());

    // Nothing runs in it any more, so the engine's number stands still.
    let docker = exporter::container::at_socket(&engine.socket())()
        .unwrap()
        .negotiate_version()
        .await
        .unwrap();
    let options = bollard::query_parameters::StatsOptions {
        stream: false,
        one_shot: true,
    };
    let mut stats = Box::pin(docker.stats("busy", Some(options)));
    let stats = within(futures_util::StreamExt::next(&mut stats))
        .await
        .unwrap()
        .unwrap();
    let cpu = stats
        .cpu_stats
        .and_then(|cpu| cpu.cpu_usage)
        .and_then(|usage| usage.total_usage)
        .unwrap();
    let ours = of("container_cpu_usage_seconds_total");
    let theirs = cpu as f64 / 1e9;
    assert!(
        ours > 0.05 && (ours - theirs).abs() < 0.05,
        "{ours} s against {theirs} s"
    );
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_containers_are_all_known_and_asked_once() {
    let engine = Engine::start();
    for number in 0..200 {
        engine.docker(&[
            "create",
            "--network=none",
            "--name",
            &format!("many-{number}"),
            IMAGE,
            "/bin/sh",
        ]);
    }
    let watch = Watch::start(&engine.socket(), Config::default());
    let asked = || {
        watch
            .containers
            .inventory()
            .iter()
            .filter(|container| !container.restart_policy.is_empty())
            .count()
    };
    watch.until(|| asked() == 200, "200 inspections").await;
    let page = watch.containers.page().await;
    assert_eq!(page.matches(",state=\"created\"} 1\n").count(), 200);
    watch.stop().await;
}
