//! Probers of the host itself in the whole program: a real engine, a command,
//! and what containers may not ask for.

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::lan::Lan;
use crate::support::poll;

fn has(belfry: &Belfry, name: &str, label: &str, value: &str) -> bool {
    let page = belfry.get("/metrics/probe").body;
    page.lines().any(|line| {
        line.starts_with(&format!("{name}{{"))
            && line.contains(label)
            && line.ends_with(&format!(" {value}"))
    })
}

#[test]
fn a_real_engine_answers_hangs_and_dies() {
    let mut engine = Engine::start();
    engine.run(&Container::named("one"));
    engine.run(&Container::named("two"));
    let target = format!("unix://{}", engine.socket().display());
    let config = Setup::new()
        .part(&format!(
            "probe: {{up_after: 1, targets: [{{name: engine, module: docker, target: {target:?}, interval: 4s}}]}}"
        ))
        .config();
    let belfry = Launch::with(&config).start();
    let engine_is = |name: &str, value: &str| has(&belfry, name, "probe=\"engine\"", value);
    poll::holds("the engine should be up", || {
        engine_is("belfry_probe_up", "1")
            && engine_is("belfry_probe_docker_containers", "2")
            && has(&belfry, "belfry_probe_docker_info", "api_version=\"1.", "1")
    });
    engine.freeze();
    poll::holds("it should be told that it hangs", || {
        has(
            &belfry,
            "belfry_probe_failure_info",
            "reason=\"timeout\"",
            "1",
        )
    });
    engine.thaw();
    poll::holds("it should be up again", || {
        engine_is("belfry_probe_up", "1")
    });
    engine.crash();
    poll::holds("it should be told that it is gone", || {
        has(
            &belfry,
            "belfry_probe_failure_info",
            "reason=\"refused\"",
            "1",
        )
    });
}

#[test]
fn a_host_that_replies_to_no_ping_is_told_from_one_that_cannot_be_reached() {
    let lan = Lan::new(&["a", "b"]);
    let setup = Setup::new().part(&format!(
        "probe:\n  up_after: 1\n  modules: {{ping: {{prober: icmp, timeout: 2s}}}}\n  \
         targets: [{{name: near, module: ping, target: '{}'}}, {{name: six, module: ping, target: '::1'}}, \
         {{name: nowhere, module: ping, target: 192.0.2.1}}, {{name: nowhere6, module: ping, target: '2001:db8::1'}}]",
        lan.address("b")
    ));
    let belfry = Launch::with(&setup.config())
        .binary(&lan.on("a", env!("CARGO_BIN_EXE_belfry")))
        .listen(&format!("{}:9911", lan.address("a")))
        .start();
    let fails = |probe: &str, reason: &str| {
        let page = belfry.get("/metrics/probe").body;
        page.lines().any(|line| {
            line.starts_with("belfry_probe_failure_info{")
                && line.contains(&format!("probe=\"{probe}\""))
                && line.contains(&format!("reason=\"{reason}\""))
                && line.ends_with(" 1")
        })
    };
    let is_up = |probe: &str| {
        has(
            &belfry,
            "belfry_probe_up",
            &format!("probe=\"{probe}\""),
            "1",
        )
    };
    poll::holds("those that reply should be up", || {
        is_up("near") && is_up("six")
    });
    for probe in ["nowhere", "nowhere6"] {
        poll::holds("without a way that should be told", || {
            fails(probe, "unreachable")
        });
    }
    lan.mute("b", true);
    poll::holds("without a reply that should be told", || {
        fails("near", "no_reply")
    });
    assert!(is_up("six"));
    lan.mute("b", false);
    poll::holds("it should be up again", || is_up("near"));
}

#[test]
fn a_command_is_looked_at_and_asked_for_as_all_else() {
    let setup = Setup::new();
    let flag = setup.file("state", "fine\n");
    let setup = setup.part(&format!(
        "probe:\n  up_after: 1\n  modules:\n    state: {{prober: command, command: {{argv: [cat, {flag:?}], user: root, expect: fine}}}}\n  \
         targets: [{{name: state, module: state, target: state}}]\n"
    ));
    let belfry = Launch::with(&setup.config()).start();
    poll::holds("it should be up", || {
        has(&belfry, "belfry_probe_up", "probe=\"state\"", "1")
    });
    let page = belfry.get("/probe?target=state&module=state");
    assert!(
        page.body.contains("\nbelfry_probe_command_exit_code 0\n"),
        "{}",
        page.body
    );
    assert_eq!(belfry.get("/probe?target=other&module=state").status, 403);
    setup.file("state", "degraded\n");
    poll::holds("it should be down with its reason", || {
        has(&belfry, "belfry_probe_failure_info", "reason=\"body\"", "1")
    });
    std::fs::remove_file(&flag).unwrap();
    poll::holds("it should be down with its code", || {
        has(
            &belfry,
            "belfry_probe_failure_info",
            "reason=\"exit_code\"",
            "1",
        ) && has(
            &belfry,
            "belfry_probe_command_exit_code",
            "probe=\"state\"",
            "1",
        )
    });
    poll::holds("programs should be told the same", || {
        let health = belfry.get("/api/belfry/v1/health").json();
        health["probes"][0]["reason"] == "exit_code"
    });
}

#[test]
fn a_container_cannot_have_commands_run() {
    let engine = Engine::start();
    engine.create_network("shop");
    let label = |name: &str, asked: &str| {
        let serve = "mkdir -p /w; echo fine >/w/index.html; httpd -f -p 8080 -h /w";
        let container = Container::named(name).network("shop").script(serve);
        engine.run(&container.label("belfry.probe", asked));
    };
    label("bad", "touch x");
    label("worse", "systemd nginx");
    label("worst", "docker unix:///var/run/docker.sock");
    label("good", "tcp_connect :8080");
    let setup = Setup::new().engine(&engine);
    let file = setup.file("touched", "");
    std::fs::remove_file(&file).unwrap();
    let setup = setup.part(&format!(
        "probe: {{modules: {{touch: {{prober: command, command: {{argv: [touch, {file:?}], user: root}}}}}}}}"
    ));
    let belfry = Launch::with(&setup.config()).start();
    poll::holds("the good one should be looked at", || {
        has(&belfry, "probe_success", "probe=\"good\"", "1")
    });
    let page = belfry.get("/metrics/probe").body;
    assert!(
        !page.contains("probe=\"bad\"") && !page.contains("probe=\"wors"),
        "{page}"
    );
    assert!(!file.exists());
}
