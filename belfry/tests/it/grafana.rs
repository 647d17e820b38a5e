//! The shipped Grafana dashboards: every query is asked of a real Prometheus
//! that scrapes a Belfry with everything that this test bed has.

mod alerting;
mod boards;
mod names;
mod provisioning;
mod schema;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use boards::{Board, Query};

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::celery::{Shop, Worker};
use crate::support::claim::Claim;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::process::Process;
use crate::support::program;
use crate::support::prometheus::Prometheus;
use crate::support::redis::Redis;
use crate::support::scratch::Scratch;
use crate::support::smtp::Smtp;
use crate::support::web::{App, Web};

const PAGES: [&str; 9] = [
    "host",
    "container",
    "api",
    "celery",
    "postgres",
    "probe",
    "redis",
    "backup",
    "belfry",
];

/// What this test bed lacks: names that begin so may have no series.
const ABSENT: [&str; 8] = [
    "alertmanager_notifications_failed_", // every mail is taken
    "belfry_alert_acknowledge_",          // nobody answers
    "belfry_backup_database_coverage",    // each is backed up
    "belfry_backup_key_",                 // nothing is sealed
    "belfry_backup_volume_coverage",      // and there is no volume
    "container_fs_", // cgroup v1 counts what goes through the page cache for nobody
    "http_",         // no application has metrics of its own
    "node_nf_conntrack_", // a module of the kernel, not loaded everywhere
];

/// Panels that are empty where all is well.
const QUIET: [&str; 1] = ["Hours until full"];

/// An alert that ends again and again, since the shipped ones need not.
const ENDS: &str = "groups:
- name: ends
  interval: 1s
  rules:
  - alert: ComesAndGoes
    expr: vector(time()) % 20 < 10
    labels: {severity: info}
";

/// How long a query may take to have an answer: some rates need a while.
const PATIENCE: Duration = Duration::from_secs(300);

struct Bed {
    _session: Process,
    _engine: Engine,
    postgres: Postgres,
    redis: Redis,
    nginx: Web,
    caddy: (Web, Claim),
    _smtp: Smtp,
    _worker: Worker,
    _sender: Process,
    _shop: Shop,
    belfry: Belfry,
    prometheus: Prometheus,
    _setup: Setup,
    _rules: Scratch,
}

fn bed() -> Bed {
    let engine = Engine::start();
    engine.create_network("shop");
    let busy = "while :; do dd if=/dev/zero of=/written bs=64k count=16 conv=fsync 2>/dev/null; \
                for i in 1 2 3 4 5 6 7 8 9; do :; done; done";
    engine.run(
        &Container::named("shop-api-1")
            .compose("shop", "api")
            .network("shop")
            .health("true")
            .option("--cpus", "0.1")
            .option("--memory", "64m")
            .script(busy),
    );
    // And one that has failed, so that an alert fires.
    engine.run(&Container::named("shop-job-1").script("exit 3"));
    let (postgres, redis) = (Postgres::start(), Redis::start());
    postgres.query("create table orders as select generate_series(1, 2000) as id");
    postgres.query("delete from orders where id < 500");
    postgres.query("select pg_create_physical_replication_slot('standby', true)");
    let session = session(postgres.port());
    let json = r#"escape=json '{"host":"$host","request":"$request","status":"$status","body_bytes_sent":"$body_bytes_sent","request_time":"$request_time"}'"#;
    let nginx = Web::nginx(&App::start(), json);
    let caddy = Web::caddy(&App::start());
    let smtp = Smtp::start();
    let shop = Shop::start();
    let worker = shop.worker("alpha@here", "celery,mail", "2");
    let sender = shop.spawn("sender", &["-m", "shop", "steady", "5"]);
    redis.command(&["config", "set", "appendonly", "yes"]);
    let setup = Setup::new().engine(&engine).real_mail(&smtp, "1h");
    let copies = setup.file("shop.dump", "a copy");
    let folder = copies.parent().expect("a folder").display().to_string();
    let setup = setup
        .exporter(&format!(
            "postgres: {{interval: 1s, visit: 1s, seldom: 1s, servers: [{{url: 'postgres://postgres@127.0.0.1:{}/postgres'}}]}}",
            postgres.port()
        ))
        .exporter(&format!(
            "redis: {{interval: 1s, servers: [{{address: '127.0.0.1:{}'}}]}}",
            redis.port()
        ))
        .exporter(&format!(
            "api: {{interval: 1s, logs: [{{file: {:?}}}], nginx: [{{url: 'http://{}/status'}}], \
             caddy: [{{url: 'http://127.0.0.1:{}/metrics'}}]}}",
            nginx.log(),
            nginx.address(),
            caddy.1.number
        ))
        .exporter(&format!(
            "celery: {{interval: 1s, inspect: 1s, brokers: [{{address: '127.0.0.1:{}'}}], \
             beat: [{{task: shop.add, every: 1h}}]}}",
            shop.redis.port()
        ))
        .part(&format!(
            "backup:\n  targets: [{{name: here, folder: {:?}, reserve: 1MiB}}]\n  \
             watch: [{{name: shop, folder: {folder:?}, suffix: .dump, max_age: 1d, min_size: 1B}}]\n  \
             jobs: [{{name: db, database: postgres, host: 127.0.0.1, port: {}, schedule: '* * * * *', \
             verify: '* * * * *', drill: '* * * * *', jitter: 0s}}]",
            copies.parent().expect("a folder").join("made"),
            postgres.port()
        ));
    std::fs::create_dir(copies.parent().expect("a folder").join("made")).expect("room for copies");
    let ends = setup.file("ends.yml", ENDS);
    let setup = setup.part(&format!("rules: {{files: [{ends:?}]}}"));
    let modules = setup.file(
        "blackbox.yml",
        &format!(
            "modules:\n  tls: {{prober: tcp, tcp: {{tls: true, tls_config: {{ca_file: {:?}, server_name: localhost}}}}}}\n",
            smtp.authority()
        ),
    );
    let setup = setup.part(&format!(
        "probe: {{blackbox: {modules:?}, targets: [{{target: 'http://{}/status'}}, {{target: 'localhost:{}', module: tls}}]}}",
        nginx.address(),
        smtp.tls_port()
    ));
    let belfry = Launch::with(&setup.config()).start();
    // Each way in which a task can end, once somebody listens.
    poll::holds("Celery should be heard", || {
        belfry.metric("belfry_celery_listening") == Some(1.0)
    });
    shop.send(&["work"]);
    let rules = rules();
    let prometheus = Prometheus::start(belfry.address(), &PAGES, &rules.path);
    Bed {
        _session: session,
        _engine: engine,
        postgres,
        redis,
        nginx,
        caddy,
        _smtp: smtp,
        _worker: worker,
        _sender: sender,
        _shop: shop,
        belfry,
        prometheus,
        _setup: setup,
        _rules: rules,
    }
}

/// A client that stays connected to PostgreSQL.
fn session(port: u16) -> Process {
    let address = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let mut command = Command::new(program::find("psql", "postgresql-client"));
    command.args(["--no-psqlrc", "--command", "select pg_sleep(600)", &address]);
    Process::spawn("psql", &mut command, Path::new("/dev/null"))
}

/// The shipped rules without their unit tests, which no Prometheus reads.
fn rules() -> Scratch {
    let scratch = Scratch::new();
    for (name, text) in rules::pack::FILES {
        scratch.file(name, text);
    }
    scratch
}

impl Bed {
    /// Something happens in the servers, so that rates have something to count.
    fn stir(&self) {
        self.redis.command(&["set", "key", "value"]);
        self.redis.command(&["get", "key"]);
        for path in ["/", "/500/a", "/404/b"] {
            self.nginx.ask(path, 1);
            self.caddy.0.ask(path, 1);
        }
        self.postgres
            .query("update orders set id = id where id < 600");
        self.postgres.query("select count(*) from orders");
    }

    /// Asks; an error is the dashboard's fault.
    fn answers(&self, board: &Board, query: &Query) -> bool {
        let expr = board.filled(&query.expr, &self.prometheus);
        match self.prometheus.query(&expr) {
            Ok(series) => !series.is_empty(),
            Err(err) => panic!("{}, {}: {expr}: {err}", board.name, query.place),
        }
    }
}

fn may_be_empty(query: &Query) -> bool {
    QUIET.contains(&query.place.as_str())
        || names::of(&query.expr)
            .iter()
            .any(|name| ABSENT.iter().any(|absent| name.starts_with(absent)))
}

#[test]
fn every_query_of_every_dashboard_has_an_answer_where_the_part_is_there() {
    let boards = boards::all();
    let bed = bed();
    let started = Instant::now();
    let mut waiting: Vec<(&Board, &Query)> = boards
        .iter()
        .flat_map(|board| board.queries.iter().map(move |query| (board, query)))
        .collect();
    let asked = waiting.len();
    assert!(asked > 200, "{asked} queries");
    while !waiting.is_empty() && started.elapsed() < PATIENCE {
        bed.stir();
        waiting.retain(|(board, query)| !bed.answers(board, query));
        if waiting.iter().all(|(_, query)| may_be_empty(query)) {
            break;
        }
        thread::sleep(Duration::from_millis(500));
    }
    let empty: BTreeSet<String> = waiting
        .iter()
        .filter(|(_, query)| !may_be_empty(query))
        .map(|(board, query)| format!("{}, {}: {}", board.name, query.place, query.expr))
        .collect();
    assert!(
        empty.is_empty(),
        "no answer to:\n{}",
        empty.into_iter().collect::<Vec<_>>().join("\n")
    );
    let answered = asked - waiting.len();
    assert!(answered > 180, "only {answered} of {asked} have an answer");

    // The same queries, asked of Belfry itself as Grafana asks a data source.
    for (board, query) in boards
        .iter()
        .flat_map(|board| board.queries.iter().map(move |query| (board, query)))
    {
        let expr = board.filled(&query.expr, &bed.prometheus);
        let escaped = crate::support::prometheus::escaped(&expr);
        let answer = bed.belfry.get(&format!("/api/v1/query?query={escaped}"));
        assert_eq!(answer.status, 200, "{expr}: {}", answer.body);
    }
    // And every name is one that something exports.
    // What the machine had no time to read is on the next page.
    let mut missing = BTreeSet::new();
    let all = poll::settles(|| {
        let known = names::known(&bed.belfry.get("/metrics").body);
        missing.clear();
        for board in &boards {
            for query in &board.queries {
                let names = names::of(&query.expr).into_iter();
                let unknown = names.filter(|name| !known.contains(name));
                missing.extend(unknown.map(|it| format!("{}, {}: {it}", board.name, query.place)));
            }
        }
        missing.is_empty().then_some(())
    });
    assert!(all, "nothing exports:\n{missing:#?}");
}
