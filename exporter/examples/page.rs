//! Prints a page: `page host`, `page SOCKET` for the containers of an engine,
//! `page redis://HOST:PORT` or `page postgres://USER@HOST:PORT/DATABASE`. With
//! a number behind it, makes as many pages (of servers: readings) and prints
//! what one costs.

use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use exporter::{container, host, postgres, redis};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_else(|| "host".to_owned());
    let rounds = words.next().and_then(|word| word.parse().ok());
    if what == "host" {
        let host = host::Host::new(host::Config::default());
        return print(rounds, || host.page()).await;
    }
    if what.starts_with("redis:") {
        let address = what;
        let redis = redis::Redis::new(redis::Config {
            servers: vec![redis::Server {
                address,
                ..redis::Server::default()
            }],
            interval: Duration::from_millis(1),
            ..redis::Config::default()
        });
        let (readings, stop) = (redis.readings(), CancellationToken::new());
        let task = tokio::spawn({
            let (redis, stop) = (redis.clone(), stop.clone());
            async move { redis.run(stop).await }
        });
        let printed = print(rounds, || next(&readings, redis.page())).await;
        stop.cancel();
        let _ = task.await;
        return printed;
    }
    if what.starts_with("postgres:") {
        let url = what;
        let postgres = postgres::Postgres::new(postgres::Config {
            servers: vec![postgres::Server {
                url: settings::Secret::new(url),
                ..postgres::Server::default()
            }],
            interval: Duration::from_millis(1),
            ..postgres::Config::default()
        });
        let (readings, stop) = (postgres.readings(), CancellationToken::new());
        let task = tokio::spawn({
            let (postgres, stop) = (postgres.clone(), stop.clone());
            async move { postgres.run(stop).await }
        });
        let printed = print(rounds, || next(&readings, postgres.page())).await;
        stop.cancel();
        let _ = task.await;
        return printed;
    }
    let containers = container::Containers::new(container::Config::default(), Path::new(&what));
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (containers, stop) = (containers.clone(), stop.clone());
        async move { containers.run(stop).await }
    });
    let inspected = || {
        let all = containers.inventory();
        let known = all
            .iter()
            .all(|container| !container.restart_policy.is_empty());
        known && containers.engine().listed_ms.is_some()
    };
    let mut changes = containers.changes();
    let _ = changes.wait_for(|_| inspected()).await;
    let printed = print(rounds, || containers.page()).await;
    stop.cancel();
    let _ = task.await;
    printed
}

/// The page after the next reading.
async fn next(readings: &Receiver<u64>, page: impl Future<Output = String>) -> String {
    let mut readings = readings.clone();
    readings.mark_unchanged();
    let _ = readings.changed().await;
    page.await
}

async fn print<F: Future<Output = String>>(
    rounds: Option<u32>,
    page: impl Fn() -> F,
) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let first = page().await;
    let Some(rounds) = rounds else {
        return out.write_all(first.as_bytes());
    };
    let used = || {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
    };
    let (before, begun) = (used(), Instant::now());
    for _ in 0..rounds {
        page().await;
    }
    let each = 1000.0 / f64::from(rounds);
    let (used, took) = (
        (used() - before) * each,
        begun.elapsed().as_secs_f64() * each,
    );
    let size = first.len();
    writeln!(
        out,
        "{size} bytes, {used:.3} ms of processor, {took:.3} ms until there"
    )
}
