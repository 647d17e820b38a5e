//! Targets that come and go, are slow or lie about the time, and a Belfry that
//! is short of memory, disk or time.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Watched, quick, quickened};
use crate::setup::Setup;
use crate::support::alone::{Alone, Page};
use crate::support::belfry::Launch;
use crate::support::clock::Clock;
use crate::support::fault::SmallDisk;
use crate::support::poll;
use crate::support::scratch::Scratch;

/// A target that takes its time: longer than the rule allows, not too long to be read.
fn slow_target() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                thread::sleep(Duration::from_millis(5200));
                let _ = stream.write_all(
                    b"HTTP/1.1 200 x\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 4\r\n\r\na 1\n",
                );
            });
        }
    });
    port
}

#[test]
fn rules_about_targets_fire_for_those_that_flap_are_slow_or_live_in_the_future() {
    let flapping = Page::serve("a 1\n");
    let slow = slow_target();
    let future: String = (0..30)
        .map(|at| format!("later{{at=\"{at}\"}} 1 4000000000000\n"))
        .collect();
    let future = Page::serve(&future);
    let (config, kept) = quick(Setup::new());
    let config = config.replace(
        "rules: {pack: false,",
        &format!(
            "rules: {{pack: false, scrape: [\
             {{job_name: flapping, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{{targets: ['{}']}}]}}, \
             {{job_name: slow, scrape_interval: 9s, scrape_timeout: 9s, static_configs: [{{targets: ['127.0.0.1:{slow}']}}]}}, \
             {{job_name: future, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{{targets: ['{}']}}]}}],",
            flapping.address, future.address
        ),
    );
    let watched = Watched {
        belfry: Launch::with(&config).start(),
        _kept: kept,
    };
    let began = Instant::now();
    watched.fires(
        &[
            ("TargetFlapping", "warning"),
            ("ScrapeSlow", "info"),
            ("BelfrySamplesRefused", "info"),
        ],
        || {
            let up = (began.elapsed().as_secs() / 2).is_multiple_of(2);
            flapping.set(if up { "a 1\n" } else { "this is no sample\n" });
        },
    );
    // A machine that gives it no time: it stands still for some of its rounds.
    let pid = watched.belfry.pid();
    watched.fires(&[("BelfryEvaluationsMissed", "warning")], || {
        freeze(pid, Signal::STOP);
        thread::sleep(Duration::from_secs(5));
        freeze(pid, Signal::CONT);
        // Time for a round, which tells of those before.
        thread::sleep(Duration::from_secs(2));
    });
}

fn freeze(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process number"));
    kill_process(pid.expect("a process"), signal).expect("a signal to our own child");
}

#[test]
fn rules_about_belfry_fire_for_a_full_disk_a_flood_of_series_and_a_clock_that_was_set() {
    let disk = SmallDisk::new(12 << 20);
    let clock = Clock::new();
    let setup = Setup::new().part("series: {memory: 4MiB}");
    let flood = setup.file("textfiles/flood.new", &{
        let line = |at| format!("flood{{path=\"/a/page/with/a/long/name/{at}\"}} 1\n");
        (0..20_000).map(line).collect::<String>()
    });
    let (config, kept) = quick(setup);
    let watched = Watched {
        belfry: Launch::with(&config)
            .data(&disk.path().join("data"))
            .clock(&clock)
            .start(),
        _kept: kept,
    };
    watched.is_known("belfry_series_shed_total == 0");
    std::fs::rename(&flood, flood.with_extension("prom")).expect("a rename in one folder");
    watched.fires(&[("BelfrySeriesShed", "warning")], || {});
    std::fs::remove_file(flood.with_extension("prom")).expect("the flood");
    disk.fill();
    watched.fires(
        &[
            ("BelfryStateNotWritable", "critical"),
            ("BelfrySeriesNotKept", "warning"),
        ],
        || {},
    );
    disk.empty();
    clock.step_to(3600);
    watched.fires(&[("BelfryClockStepped", "info")], || {});
}

#[test]
fn the_rule_about_an_empty_watch_fires_where_nothing_is_scraped() {
    let scratch = Scratch::new();
    let config = "global: {evaluation_interval: 1s}\nrule_files: [target-down.yml]\n";
    let (_, text) = rules::pack::FILES
        .iter()
        .find(|(name, _)| *name == "target-down.yml")
        .expect("a file of the pack");
    scratch.file("target-down.yml", &quickened(text));
    let alone = Alone::start(scratch, config, &[]);
    let wanted = [("NoTargets", "critical")];
    for (name, severity) in wanted {
        let expr =
            format!("ALERTS{{alertname=\"{name}\",severity=\"{severity}\",alertstate=\"firing\"}}");
        poll::holds("it should fire", || alone.value(&expr).is_some());
    }
}
