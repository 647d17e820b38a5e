//! Many who ask, some who ask badly, and nobody who reads the log: the watch goes on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::http;
use crate::support::poll;
use crate::support::sink::{Act, Sink};

const COLLECTIONS: &str = "belfry_collections_total";

/// Runs `work` while so many clients ask for `path`, each for a second at most;
/// `seen` looks at what they are answered.
fn asked_by(
    clients: usize,
    address: &str,
    path: &str,
    seen: impl Fn(&str) + Sync,
    work: impl FnOnce(),
) {
    /// Ends the clients, also when `work` panics.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    seen(&ask_hastily(address, path).unwrap_or_default());
                }
            });
        }
        let _end = End(&over);
        work();
    });
}

/// Goes away after a second without a word.
fn ask_hastily(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn goes_on(belfry: &Belfry) {
    let mut before = None;
    poll::holds("collecting should go on", || {
        // A full house answers with 503, or has no time to.
        let Ok(page) = http::get(belfry.address(), "/metrics") else {
            return false;
        };
        let mut lines = page.body.lines();
        let line = lines.find_map(|line| line.strip_prefix(COLLECTIONS)?.strip_prefix(' '));
        let Some(now) = line.and_then(|line| line.parse::<f64>().ok()) else {
            return false;
        };
        now >= *before.get_or_insert(now) + 4.0
    });
}

/// The result of an instant query, each series as (labels, value).
fn query(belfry: &Belfry, expr: &str) -> Vec<(String, String)> {
    let answer = belfry.get(&format!("/api/v1/query?query={expr}")).json();
    let result = answer["data"]["result"].as_array().cloned();
    let series = result.unwrap_or_else(|| panic!("{expr}: {answer}"));
    let text = |value: &serde_json::Value| value.to_string();
    series
        .iter()
        .map(|one| {
            (
                text(&one["metric"]),
                one["value"][1].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

#[test]
fn many_clients_of_the_metrics_do_not_blind_the_watch() {
    let belfry = Launch::with(&Setup::new().config()).start();
    let address = belfry.address();
    asked_by(
        150,
        address,
        "/metrics",
        |_| {},
        || {
            goes_on(&belfry);
            for _ in 0..20 {
                assert_eq!(belfry.get("/health/live").status, 200);
            }
        },
    );
    let up = query(&belfry, "avg_over_time(up[1h])");
    // The machine may have more to read than these, and now and then no time for one.
    assert!(up.len() >= 4, "{up:?}");
    let share = |value: &str| value.parse::<f64>().expect("a number");
    assert!(up.iter().all(|(_, value)| share(value) > 0.7), "{up:?}");
}

#[test]
fn others_who_look_at_the_backups_make_none_unreadable() {
    let setup = Setup::new();
    let dump = setup.file("shop.sql.gz", &"x".repeat(5000));
    let folder = dump.parent().unwrap();
    let setup = setup.part(&format!(
        "backup: {{watch: [{{name: shop, folder: {folder:?}, suffix: .sql.gz}}]}}"
    ));
    let belfry = Launch::with(&setup.config()).start();
    let readable = |text: &str| {
        if text.starts_with("HTTP/1.0 200") {
            let line = "belfry_backup_folder_readable{job_name=\"shop\"} 1\n";
            assert!(text.contains(line), "{text}");
        }
    };
    let address = belfry.address();
    asked_by(20, address, "/metrics/backup", readable, || {
        goes_on(&belfry);
    });
    let least = query(&belfry, "min_over_time(belfry_backup_folder_readable[1h])");
    assert!(least.len() == 1 && least[0].1 == "1", "{least:?}");
}

#[test]
fn requests_that_never_end_leave_files_to_the_watch_and_are_cut_off() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::switched("0s").mail(sink.port(), "1h");
    let belfry = Launch::with(&setup.config()).files(200).start();
    let address = belfry.address().parse().unwrap();
    // As many as it and the kernel take; the rest would stand in a queue outside.
    let mut halves: Vec<_> = (0..400)
        .map_while(|_| {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
                .ok()?;
            Some(stream)
        })
        .collect();
    assert!(halves.len() > 100, "{}", halves.len());
    // Seen, judged and mailed, each of which needs files.
    setup.switch(true);
    poll::holds("the mail should arrive", || !sink.received().is_empty());
    let first = &mut halves[0];
    first
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // Whether it says goodbye is its own affair.
    let _ = first.read_to_end(&mut Vec::new()).map_err(|err| {
        assert_ne!(
            err.kind(),
            std::io::ErrorKind::WouldBlock,
            "it should be cut off"
        );
    });
    drop(halves);
    assert_eq!(belfry.get("/health/live").status, 200);
    goes_on(&belfry);
    let log = belfry.log();
    assert!(
        !log.contains("Too many open files") && !log.contains("panicked"),
        "{log}"
    );
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_says_later_what_is_missing() {
    const DROPPED: &str = "belfry_log_lines_dropped_total";
    let (unread, stderr) = std::io::pipe().unwrap();
    let config = Setup::new().part("log: {level: debug}").config();
    let mut belfry = Launch::with(&config).stderr(stderr).start();
    // Each of these is a long line of the log.
    let origin = "x".repeat(8000);
    let request = format!(
        "POST /-/reload HTTP/1.1\r\nHost: {}\r\nOrigin: http://{origin}\r\nConnection: close\r\n\r\n",
        belfry.address()
    );
    let fill = |belfry: &Belfry| {
        let before = belfry.metric(DROPPED).unwrap();
        poll::holds("lines should be dropped", || {
            assert_eq!(http::send(belfry.address(), &request).unwrap().status, 403);
            belfry.metric(DROPPED) > Some(before)
        });
    };
    fill(&belfry);
    goes_on(&belfry);

    let mut unread = BufReader::new(unread);
    let mut line = String::new();
    while !line.contains("lines of the log were dropped") {
        line.clear();
        assert!(
            unread.read_line(&mut line).unwrap() > 0,
            "the end of the log"
        );
    }
    fill(&belfry);
    belfry.signal(Signal::TERM);
    assert_eq!(
        belfry.wait().code(),
        Some(0),
        "its end does not wait for a reader"
    );
}
