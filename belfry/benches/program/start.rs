//! From the start of the process to the first complete collection.

use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::support::{claim, http};
use crate::{binary, figure};

const STARTS: usize = 10;

/// Starts it on an empty data folder, again and again.
pub(crate) fn run() {
    let host = Host::start();
    let took: Vec<f64> = (0..STARTS).map(|_| once(&host)).collect();
    let (middle, largest) = figure::spread(took);
    figure::budget(
        "cold start to a complete collection, median",
        middle,
        "s",
        1.0,
    );
    figure::plain(
        "cold start to a complete collection, slowest of 10",
        largest,
        "s",
    );
}

fn once(host: &Host) -> f64 {
    let port = claim::port();
    let address = format!("127.0.0.1:{}", port.number);
    let launch = host.belfry(&binary(), "").listen(&address);
    let began = Instant::now();
    let watched = thread::spawn(move || {
        while !collected(&address) {
            thread::sleep(Duration::from_millis(2));
        }
        began.elapsed()
    });
    let _belfry = launch.start();
    watched.join().expect("a collection").as_secs_f64()
}

/// Whether `/health/ready` says that a full collection has come in.
fn collected(address: &str) -> bool {
    let Ok(answer) = http::get(address, "/health/ready") else {
        return false;
    };
    let dependencies = answer.json()["dependencies"].clone();
    dependencies.as_array().is_some_and(|all| {
        all.iter()
            .any(|of| of["name"] == "collect" && of["status"] == "ok")
    })
}
