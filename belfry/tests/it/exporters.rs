//! `belfry exporter`: the exporters alone, and the forms in which pages come.

use std::process::Command;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::claim;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::http;
use crate::support::poll;
use crate::support::process::Process;
use crate::support::program;
use crate::support::redis::Redis;
use crate::support::scratch::Scratch;

/// The exporters at work.
struct Exporters {
    process: Process,
    address: String,
    scratch: Scratch,
}

impl Exporters {
    fn start(config: &str, words: &[&str]) -> Self {
        let scratch = Scratch::new();
        let file = scratch.file("belfry.yml", config);
        let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
        command
            .args(["exporter", "--listen", "127.0.0.1:0", "--config"])
            .arg(file)
            .args(words)
            .current_dir(&scratch.path);
        let log = scratch.path.join("exporter.log");
        let mut process = Process::spawn("belfry exporter", &mut command, &log);
        let address = poll::until("it should say where it serves", || {
            let log = std::fs::read_to_string(&log).ok()?;
            let rest = log.split_once("pages  http://")?.1;
            Some(rest.split_once("/metrics")?.0.to_owned())
        });
        process.ready("it should serve", || http::get(&address, "/-/healthy").ok());
        Self {
            process,
            address,
            scratch,
        }
    }

    fn get(&self, path: &str, headers: &str) -> http::Response {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n",
            self.address
        );
        http::send(&self.address, &request).expect("an answer")
    }

    fn reload(&mut self, config: &str) {
        self.scratch.file("belfry.yml", config);
        self.process.signal(Signal::HUP);
    }
}

#[test]
fn the_exporters_alone_serve_what_is_wanted_and_follow_the_configuration() {
    let redis = Redis::start();
    let with = |servers: &str| {
        Setup::new().exporter(&format!("redis: {{interval: 200ms, servers: [{servers}]}}"))
    };
    let (none, one) = (
        with(""),
        with(&format!("{{address: '127.0.0.1:{}'}}", redis.port())),
    );
    let mut exporters = Exporters::start(&none.config(), &["--without", "postgres,celery"]);
    let host = exporters.get("/metrics/host", "");
    assert_eq!(host.status, 200);
    assert!(host.body.contains("\nnode_load1 "));
    assert_eq!(exporters.get("/metrics/redis", "").body, "");
    assert_eq!(exporters.get("/metrics/celery", "").status, 404);
    assert!(exporters.get("/", "").body.contains("/metrics/redis\n"));

    exporters.reload(&one.config());
    poll::holds("the server should be read", || {
        exporters
            .get("/metrics", "")
            .body
            .contains("\nredis_up 1\n")
    });
    for line in [
        "belfry_exporter_collector_success{collector=\"host\"} 1\n",
        "belfry_exporter_collector_success{collector=\"redis\"} 1\n",
        "belfry_exporter_collector_duration_seconds{collector=\"host\"} ",
        "belfry_exporter_collector_age_seconds{collector=\"host\"} ",
    ] {
        poll::holds(line, || {
            exporters.get("/metrics/belfry", "").body.contains(line)
        });
    }
    let reloaded = |exporters: &Exporters, value: &str| {
        let page = exporters.get("/metrics/belfry", "").body;
        ["belfry", "blackbox_exporter"].iter().all(|program| {
            page.contains(&format!(
                "\n{program}_config_last_reload_successful {value}\n"
            )) && page.contains(&format!(
                "\n{program}_config_last_reload_success_timestamp_seconds 1"
            ))
        })
    };
    assert!(reloaded(&exporters, "1"));
    exporters.reload("nonsense: 1\n");
    poll::holds("the fault should be told", || {
        exporters
            .process
            .log()
            .contains("the configuration was refused")
    });
    poll::holds("it should be a metric", || reloaded(&exporters, "0"));
    poll::holds("the server should be read still", || {
        exporters
            .get("/metrics/redis", "")
            .body
            .contains("\nredis_up 1\n")
    });
    assert!(exporters.process.stop().success());

    let scratch = Scratch::new();
    let mut wrong = Command::new(env!("CARGO_BIN_EXE_belfry"));
    wrong
        .args(["exporter", "--only", "hosts"])
        .current_dir(&scratch.path);
    let output = wrong.output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        said.contains("there are: host, container, api, log, postgres, redis, celery"),
        "{said}"
    );
}

#[test]
fn one_line_switches_a_collector_off_and_without_it_it_is_on_again() {
    let redis = Redis::start();
    let setup = |without: &str| {
        Setup::new()
            .exporter(&format!("without: [{without}]"))
            .exporter(&format!(
                "redis: {{interval: 200ms, servers: [{{address: '127.0.0.1:{}'}}]}}",
                redis.port()
            ))
    };
    let (none, two) = (setup(""), setup("host, redis"));
    let mut exporters = Exporters::start(&none.config(), &[]);
    let page = |exporters: &Exporters, words: [&str; 3]| {
        let page = exporters.get("/metrics", "").body;
        words.map(|word| page.contains(word))
    };
    let words = ["\nnode_load1 ", "\nredis_up 1\n", "\nbelfry_engine_up "];
    poll::holds("all should be there", || {
        page(&exporters, words) == [true; 3]
    });
    exporters.reload(&two.config());
    poll::holds("two should be gone", || {
        page(&exporters, words) == [false, false, true]
    });
    exporters.reload(&none.config());
    poll::holds("they should be back", || {
        page(&exporters, words) == [true; 3]
    });
    exporters.reload(&setup("hosts").config());
    poll::holds("a name that is none should be told", || {
        exporters
            .process
            .log()
            .contains("no collector is named \"hosts\"")
    });
    assert!(exporters.process.stop().success());

    // The watch goes by the same line.
    let off = setup("host, redis");
    let watch = Launch::with(&off.config()).start();
    let collected = |job: &str| {
        let up = watch.get("/api/v1/query?query=up").body;
        up.contains(&format!("\"job\":\"{job}\""))
    };
    poll::holds("the others should be collected", || {
        collected("container") && collected("belfry")
    });
    assert_eq!(watch.get("/metrics/host").body, "");
    assert!(!collected("host") && !collected("redis"));
}

#[test]
fn applications_that_ask_for_it_are_passed_on_and_probes_are_taken() {
    let engine = Engine::start();
    engine.create_network("apps");
    let page = "app_answer{job=\"own\"} 42";
    engine.run(
        &Container::named("shop-api-1")
            .compose("shop", "api")
            .network("apps")
            .label("belfry.scrape", "8000/metrics.txt")
            .script(&format!(
                "mkdir /www; echo '{page}' > /www/metrics.txt; exec busybox httpd -f -p 8000 -h /www"
            )),
    );
    let address = engine.address("shop-api-1", "apps");
    let setup = Setup::new().engine(&engine).part(&format!(
        "probe: {{allow: [{{target: 'http://{address}:8000/.*', module: http_2xx}}]}}"
    ));
    let exporters = Exporters::start(&setup.config(), &["--only", "api"]);
    let labels = "job=\"api\",instance=\"shop-api-1:8000\",name=\"shop-api-1\"";
    poll::holds("the application should be passed on", || {
        let page = exporters.get("/metrics/api", "").body;
        page.contains(&format!(
            "\napp_answer{{{labels},exported_job=\"own\"}} 42\n"
        )) && page.contains(&format!("\nup{{{labels}}} 1\n"))
    });
    let probe = |path: &str| {
        let path = format!("/probe?module=http_2xx&target=http://{address}:8000/{path}");
        exporters.get(&path, "").body
    };
    assert!(probe("metrics.txt").contains("\nprobe_success 1\n"));
    assert!(probe("absent").contains("\nprobe_success 0\n"));
    let other = exporters.get("/probe?target=http://127.0.0.1:1/", "");
    assert_eq!(other.status, 403);
    engine.docker(&["rm", "--force", "shop-api-1"]);
    poll::holds("it should go with its container", || {
        !exporters
            .get("/metrics/api", "")
            .body
            .contains("app_answer")
    });
}

#[test]
fn a_network_that_a_container_joins_or_leaves_is_told_without_a_new_listing() {
    let engine = Engine::start();
    engine.create_network("apps");
    engine.create_network("side");
    engine.run(&Container::named("joins").network("apps"));
    let setup = Setup::new()
        .engine(&engine)
        .exporter("container: {relist: 1h}");
    let exporters = Exporters::start(&setup.config(), &["--only", "container"]);
    let joined = |network: &str| {
        let page = exporters.get("/metrics/container", "").body;
        let series = "\nbelfry_container_network_info{name=\"joins\",";
        page.contains(&format!("{series}network=\"{network}\"}} 1\n"))
    };
    poll::holds("its first network should be told", || {
        joined("apps") && !joined("side")
    });
    engine.docker(&["network", "connect", "side", "joins"]);
    poll::holds("the other one should be told", || joined("side"));
    engine.docker(&["network", "disconnect", "apps", "joins"]);
    poll::holds("the first one should be left", || !joined("apps"));
    assert!(joined("side"));
}

#[test]
fn a_real_prometheus_reads_the_pages_as_open_metrics() {
    let exporters = Exporters::start(&Setup::new().config(), &["--only", "host"]);
    let open = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let page = exporters.get("/metrics", open);
    let kind = page.header("content-type").unwrap_or_default().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(page.body.ends_with("# EOF\n"));
    assert!(page.body.contains("# TYPE node_cpu_seconds counter\n"));
    let classic = exporters.get("/metrics", "");
    let kind = classic
        .header("content-type")
        .unwrap_or_default()
        .to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");

    let port = claim::port();
    let address = format!("127.0.0.1:{}", port.number);
    let target = &exporters.address;
    // Debian's asks for OpenMetrics and for gzip.
    let config = format!(
        "scrape_configs: [{{job_name: host, scrape_interval: 1s, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    let file = exporters.scratch.file("prometheus.yml", &config);
    let mut command = Command::new(program::find("prometheus", "prometheus"));
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            exporters.scratch.path.join("tsdb").display()
        ))
        .arg(format!("--web.listen-address={address}"));
    let log = exporters.scratch.path.join("prometheus.log");
    let mut prometheus = Process::spawn("prometheus", &mut command, &log);
    prometheus.ready("prometheus should serve", || {
        http::get(&address, "/-/ready")
            .ok()
            .filter(|answer| answer.status == 200)
    });
    let query = |expression: &str| {
        let answer = http::get(&address, &format!("/api/v1/query?query={expression}")).ok()?;
        let value: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
        let value = value.pointer("/data/result/0/value/1")?.as_str()?;
        value.parse::<f64>().ok()
    };
    let known = |name: &str, kind: &str| {
        let path = format!("/api/v1/metadata?metric={name}");
        let answer = http::get(&address, &path).ok()?.json();
        let told = answer.pointer(&format!("/data/{name}/0/type"))?;
        Some(told == kind)
    };
    poll::holds("the page should be scraped", || query("up") == Some(1.0));
    poll::holds("all its samples should be there", || {
        // Processes and mounts come and go.
        let classic = exporters.get("/metrics", "").body;
        let counted = classic.lines().filter(|line| !line.starts_with('#'));
        let counted = counted.count() as f64;
        query("scrape_samples_scraped").is_some_and(|scraped| scraped > counted * 0.95)
    });
    poll::holds("the counters should be there", || {
        query("count(node_cpu_seconds_total)") > Some(0.0)
    });
    // OpenMetrics names the family without the suffix.
    poll::holds("they should be known as such", || {
        known("node_cpu_seconds", "counter") == Some(true)
    });
}
