//! What there is to read: containers, databases, a broker with work, sites.

use rustix::process::Pid;

use super::programs::Program;
use crate::host::Host;
use crate::site;
use crate::support::celery::{Shop, Worker};
use crate::support::container::Container;
use crate::support::poll;
use crate::support::postgres::Postgres;
use crate::support::process::Process;

const DATABASES: usize = 20;
const TABLES: usize = 50;
const TASKS_PER_SECOND: &str = "20";
/// How many sites are probed each cycle.
const SITES: usize = 5;

/// Everything, at work.
pub(super) struct Bed {
    // First, so that they end before their broker.
    _sender: Process,
    _worker: Worker,
    pub(super) host: Host,
    pub(super) postgres: Postgres,
    pub(super) shop: Shop,
    sites: u16,
}

impl Bed {
    pub(super) fn start() -> Self {
        let host = Host::start();
        let postgres = Postgres::start();
        postgres.query(&format!(
            "do $$ begin for i in 1..{TABLES} loop execute format('create table t%s (id int primary key, at timestamptz default now())', i); \
             execute format('insert into t%s select generate_series(1, 200)', i); end loop; end $$"
        ));
        for number in 1..DATABASES {
            postgres.query(&format!("create database bench_{number} template postgres"));
        }
        let shop = Shop::start();
        Self {
            _worker: shop.worker("worker@bench", "celery,mail", "2"),
            _sender: shop.spawn("sender", &["-m", "shop", "steady", TASKS_PER_SECOND]),
            host,
            postgres,
            shop,
            sites: site::start(),
        }
    }

    /// The sites to look at.
    pub(super) fn sites(&self) -> impl Iterator<Item = String> {
        (0..SITES).map(|at| format!("http://127.0.0.1:{}/{at}", self.sites))
    }

    /// The configuration of ours: where things are, and defaults.
    pub(super) fn config(&self) -> String {
        let (engine, postgres) = (self.host.engine.socket(), self.postgres.port());
        let (redis, sites) = (self.shop.redis.port(), self.sites);
        format!(
            "host: bench\nexporter:\n  engine: {engine:?}\n  \
             postgres: {{servers: [{{url: 'postgres://postgres@127.0.0.1:{postgres}/postgres'}}]}}\n  \
             redis: {{servers: [{{address: '127.0.0.1:{redis}'}}]}}\n  \
             celery: {{brokers: [{{address: '127.0.0.1:{redis}'}}]}}\n\
             probe: {{allow: [{{target: 'http://127.0.0.1:{sites}/.*', module: http_2xx}}]}}\n"
        )
    }

    /// Waits until tasks are being done.
    pub(super) fn wait_until_counted(&self) {
        poll::holds("tasks should be done", || {
            let length = self.shop.redis.attempt(&["llen", "mail"]);
            length.is_ok_and(|length| length.trim().parse().is_ok_and(|waiting: u32| waiting < 5))
        });
    }

    /// Whether ours has read all of it.
    pub(super) fn whole(&self, ours: &Program) -> bool {
        let text = ours.text();
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        Host::containers().all(|name| {
            text.lines().any(|line| {
                line.starts_with("container_cpu_usage_seconds_total{")
                    && line.contains(&format!("name=\"{name}\""))
            })
        }) && count("node_load1 ") == 1
            && count("pg_up 1") == 1
            && count("pg_stat_database_xact_commit") >= DATABASES
            && (1..DATABASES).all(|number| {
                let of = format!("datname=\"bench_{number}\"");
                text.lines().any(|line| {
                    line.starts_with("pg_stat_user_tables_n_live_tup{") && line.contains(&of)
                })
            })
            && count("redis_up 1") == 1
            && text.lines().any(|line| {
                line.starts_with("celery_task_succeeded_total{")
                    && line.contains("shop.add")
                    && !line.ends_with(" 0")
            })
    }

    /// The number of Redis' process.
    pub(super) fn redis(&self) -> Pid {
        let told = self.shop.redis.command(&["info", "server"]);
        let line = told
            .lines()
            .find_map(|line| line.strip_prefix("process_id:"));
        pid(line.expect("its number"))
    }

    /// The number of the process by which PostgreSQL takes connections.
    pub(super) fn postmaster(&self) -> Pid {
        let file = self.postgres.data().join("postmaster.pid");
        let told = std::fs::read_to_string(file).expect("its number");
        pid(told.lines().next().expect("its number"))
    }

    /// Another container, database and name of tasks; those from before go.
    pub(super) fn churn(&self, number: u64) {
        let engine = &self.host.engine;
        engine.run(&Container::named(&format!("churn-{number}")).option("--memory", "32m"));
        let create = format!("create database churn_{number} template bench_1");
        // Nobody may look at the original meanwhile.
        poll::holds("a new database", || self.postgres.attempt(&create).is_ok());
        self.shop.send(&["strange", &format!("strange.{number}")]);
        if let Some(before) = number.checked_sub(1) {
            engine.docker(&["rm", "--force", &format!("churn-{before}")]);
            self.postgres
                .query(&format!("drop database churn_{before} with (force)"));
        }
    }
}

fn pid(text: &str) -> Pid {
    let number = text.trim().parse().ok();
    number
        .and_then(Pid::from_raw)
        .expect("the number of a process")
}
