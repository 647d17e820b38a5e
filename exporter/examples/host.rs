//! Prints this host's page. With a number behind it, makes as many pages and
//! prints the processor time of one.

use exporter::host::{Config, Host};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let host = Host::new(Config::default());
    let mut out = std::io::stdout().lock();
    let rounds = std::env::args()
        .nth(1)
        .and_then(|word| word.parse::<u32>().ok());
    let Some(rounds) = rounds else {
        let page = host.page().await;
        let _ = std::io::Write::write_all(&mut out, page.as_bytes());
        return;
    };
    let used = || {
        let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        usage.tv_sec as f64 + usage.tv_nsec as f64 / 1e9
    };
    let _ = host.page().await;
    let (before, begun) = (used(), std::time::Instant::now());
    for _ in 0..rounds {
        let _ = host.page().await;
    }
    let pages = f64::from(rounds);
    let cpu = (used() - before) * 1000.0 / pages;
    let wall = begun.elapsed().as_secs_f64() * 1000.0 / pages;
    let line = format!("{cpu:.3} ms of processor, {wall:.3} ms until the page was there\n");
    let _ = std::io::Write::write_all(&mut out, line.as_bytes());
}
