//! Prints a page: `page host`, or `page SOCKET` for the containers of an
//! engine. With a number behind it, makes as many pages and prints what one
//! costs.

use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use exporter::{container, host};
use rustix::time::{ClockId, clock_gettime};
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
    let connect = container::at_socket(Path::new(&what));
    let containers = container::Containers::new(container::Config::default(), connect);
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
