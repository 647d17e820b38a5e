//! A process that is killed at any moment.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use exposition::NAME;
use series::{Fsync, Settings, Store};
use tempfile::TempDir;

use crate::{contents, labels};

const VICTIM: &str = "SERIES_TEST_VICTIM";

fn settings() -> Settings {
    Settings {
        fsync: Fsync::EachSegment,
        segment_bytes: 2000,
        log_bytes: 8000,
        recent: Duration::from_secs(600),
        ..Settings::default()
    }
}

/// Appends and flushes for ever, and says after each flush what is safe.
fn be_the_victim(dir: &Path) -> ! {
    let (store, recovery) = Store::open(dir, settings());
    let first = recovery.newest_ms.unwrap_or(0) / 15_000 + 1;
    let mut out = std::io::stdout();
    for at in first.. {
        for id in 0..5 {
            let series = labels("up", &[("id", &id.to_string())]);
            store.append(&series, at * 15_000, at as f64).unwrap();
        }
        store.flush().unwrap();
        store.maintain(at * 15_000);
        store.put_away(at * 15_000).unwrap();
        writeln!(out, "\nsafe {at}").unwrap();
    }
    unreachable!()
}

#[test]
fn a_killed_process_loses_no_flushed_sample() {
    // The same test is the victim when it is started with a folder.
    if let Some(dir) = env::var_os(VICTIM) {
        be_the_victim(Path::new(&dir));
    }
    let dir = TempDir::new().unwrap();
    let (mut last, mut archived) = (0, false);
    for round in 0..20 {
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kill::a_killed_process_loses_no_flushed_sample"])
            .arg("--nocapture")
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut safe = || {
            let words = lines.by_ref().map(|line| line.unwrap());
            let numbers = words.filter_map(|line| line.strip_prefix("safe ")?.parse::<i64>().ok());
            numbers.take(1).next()
        };
        for _ in 0..20 + round * 7 {
            last = safe().unwrap();
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        while let Some(at) = safe() {
            last = at;
        }
        let (store, recovery) = Store::open(dir.path(), settings());
        assert!(!recovery.is_damaged(), "{recovery:?}");
        assert!(store.labels(&[]).contains(&NAME.into()));
        archived |= store.figures().archive_bytes > 0;
        let all = contents(&store);
        assert_eq!(all.len(), 5);
        for samples in all.values() {
            let times: Vec<i64> = samples.iter().map(|(time, _)| time / 15_000).collect();
            let whole: Vec<i64> = (1..=times.len() as i64).collect();
            assert_eq!(times, whole, "no hole");
            assert!(times.len() as i64 >= last);
        }
    }
    assert!(archived);
}
