//! A Prometheus beside us: it scrapes our pages and runs the shipped rules.

use std::process::Command;

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::prometheus::Prometheus;
use crate::support::redis::Redis;
use crate::support::scratch::Scratch;

/// Writes the shipped rules into a folder, as a user would.
fn exported() -> Scratch {
    let scratch = Scratch::new();
    let folder = scratch.path.join("rules");
    let export = || {
        Command::new(env!("CARGO_BIN_EXE_belfry"))
            .args(["rules", "export"])
            .arg(&folder)
            .current_dir(&scratch.path)
            .output()
            .expect("the binary runs")
    };
    assert!(export().status.success());
    // Once more changes nothing; what somebody has changed is not overwritten.
    assert!(export().status.success());
    let file = folder.join("redis.yml");
    let shipped = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, "groups: []\n").expect("a change");
    let refused = export();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("redis.yml"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).expect("it"), "groups: []\n");
    std::fs::write(&file, shipped).expect("the change taken back");
    scratch
}

#[test]
fn the_shipped_rules_run_in_a_real_prometheus_that_scrapes_our_pages() {
    let engine = Engine::start();
    engine.run(&Container::named("shop-api-1").compose("shop", "api"));
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let setup = Setup::new().engine(&engine).exporter(&format!(
        "postgres: {{interval: 1s, servers: [{{url: 'postgres://postgres@127.0.0.1:{}/postgres'}}]}}",
        postgres.port()
    ));
    let setup = setup.exporter(&format!(
        "redis: {{interval: 1s, servers: [{{address: '127.0.0.1:{}'}}]}}",
        redis.port()
    ));
    let belfry = Launch::with(&setup.config()).start();
    let missing = belfry.get("/metrics/none").body;
    let pages: Vec<&str> = missing
        .trim_end()
        .rsplit_once(": ")
        .map(|(_, names)| names.split(", ").collect())
        .expect("the names of all pages");
    assert!(pages.len() >= 6, "{missing}");
    let rules = exported();
    let prometheus = Prometheus::start(belfry.address(), &pages, &rules.path.join("rules"));

    let groups = poll::until("every group should have been evaluated", || {
        let up = prometheus.query("sum(up)").ok()?;
        let up = up.first()?["value"][1].as_str()?.parse::<usize>().ok()?;
        let mut data = prometheus.api("rules").expect("its rules");
        let groups = data["groups"].take();
        let mut rules = groups.as_array()?.iter().flat_map(|group| {
            let rules = group["rules"].as_array();
            rules.into_iter().flatten()
        });
        let evaluated = rules.all(|rule| rule["health"] != "unknown");
        (evaluated && up == pages.len()).then_some(groups)
    });
    let groups = groups.as_array().expect("groups");
    assert_eq!(groups.len(), 12, "{groups:#?}");
    let mut count = 0;
    for rule in groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"))
    {
        let said = (&rule["health"], rule.get("lastError"));
        assert_eq!(said, (&"ok".into(), None), "{rule:#}");
        count += 1;
    }
    assert!(count > 120, "{count} rules");
    // What they record is there, from our own pages.
    for recorded in [
        "belfry:filesystem_used:percent",
        "belfry:postgres_connections:percent",
        "belfry:postgres_filesystem_used:percent",
    ] {
        poll::holds(&format!("{recorded} should be recorded"), || {
            prometheus
                .query(recorded)
                .is_ok_and(|series| !series.is_empty())
        });
    }
    // It and Belfry itself say the same of what is wrong here.
    let firing = |name: &str| format!("ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}}");
    for name in ["PostgresRestarted", "RedisRestarted"] {
        poll::holds(&format!("{name} should fire there"), || {
            prometheus
                .query(&firing(name))
                .is_ok_and(|series| series.len() == 1)
        });
        let path = format!(
            "/api/v1/query?query={}",
            crate::support::prometheus::escaped(&firing(name))
        );
        poll::holds(&format!("{name} should fire here"), || {
            let answer = belfry.get(&path).json();
            answer["data"]["result"]
                .as_array()
                .is_some_and(|all| all.len() == 1)
        });
    }
}
