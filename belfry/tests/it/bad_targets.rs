//! Targets with every bad habit, beside a good one that must not notice.

use std::collections::BTreeSet;
use std::io::{Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::support::alone::{Alone, Page};
use crate::support::poll;
use crate::support::scratch::Scratch;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";

/// Answers each request with what `write` writes, until the test's process ends.
pub(crate) fn serve(
    write: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let write = std::sync::Arc::new(write);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let write = std::sync::Arc::clone(&write);
            thread::spawn(move || {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                // The other side may hang up; that is what it should do.
                let _ = write(&mut stream);
            });
        }
    });
    address
}

fn lines(stream: &mut TcpStream, count: u64, line: impl Fn(u64) -> String) -> std::io::Result<()> {
    stream.write_all(HEAD.as_bytes())?;
    let mut piece = String::new();
    for number in 0..count {
        piece.push_str(&line(number));
        if piece.len() > 64 << 10 {
            stream.write_all(piece.as_bytes())?;
            piece.clear();
        }
    }
    stream.write_all(piece.as_bytes())
}

fn now_ms() -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_millis()
}

/// The most memory that a process ever had, in MiB.
pub(crate) fn peak_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.expect("a peak").trim().trim_end_matches(" kB");
    kib.parse::<u64>().expect("a number") / 1024
}

#[test]
fn one_that_sends_too_much_too_odd_or_too_little_costs_the_others_nothing() {
    let good = Page::serve("good 1\n");
    let gigabyte = serve(|stream| {
        lines(stream, 20_000_000, |at| {
            format!("a_rather_long_name_of_a_metric{{number=\"{at}\"}} 1\n")
        })
    });
    // Taken in whole: fewer, since the program under test is built without haste.
    let wide = serve(|stream| lines(stream, 200_000, |at| format!("wide{{n=\"{at}\"}} 1\n")));
    let million = serve(|stream| lines(stream, 1_000_000, |at| format!("wide{{n=\"{at}\"}} 1\n")));
    let round = AtomicU64::new(0);
    let churn = serve(move |stream| {
        let round = round.fetch_add(1, Ordering::Relaxed);
        lines(stream, 1000, |at| {
            format!("churn{{request=\"{round}-{at}\"}} 1\n")
        })
    });
    let future = serve(|stream| {
        let ahead = now_ms() + 86_400_000;
        lines(stream, 1, |_| format!("future 1 {ahead}\nnow 2\n"))
    });
    let half = serve(|stream| stream.write_all(format!("{HEAD}whole 1\nhalf{{a=\"b").as_bytes()));
    let trickle = serve(|stream| {
        stream.write_all(HEAD.as_bytes())?;
        loop {
            stream.write_all(b"#")?;
            thread::sleep(Duration::from_millis(100));
        }
    });
    let mut config =
        "global: {scrape_interval: 1s, scrape_timeout: 900ms}\nscrape_configs:\n".to_owned();
    for (job, address, more) in [
        (
            "good",
            &good.address,
            "scrape_interval: 2s, scrape_timeout: 2s, ",
        ),
        (
            "gigabyte",
            &gigabyte,
            "scrape_interval: 20s, scrape_timeout: 20s, body_size_limit: 16MiB, ",
        ),
        (
            "million",
            &million,
            "scrape_interval: 20s, scrape_timeout: 20s, sample_limit: 5000, ",
        ),
        ("churn", &churn, ""),
        ("future", &future, ""),
        ("half", &half, ""),
        ("trickle", &trickle, ""),
    ] {
        config.push_str(&format!(
            "- {{job_name: {job}, {more}static_configs: [{{targets: ['{address}']}}]}}\n"
        ));
    }
    let mut alone = Alone::start(Scratch::new(), &config, &["--storage.memory=24MiB"]);
    let up = |alone: &Alone, job: &str| alone.value(&format!("up{{job=\"{job}\"}}"));
    let error = |alone: &Alone, job: &str| -> Option<String> {
        let data = alone.data(&format!("/api/v1/targets?scrapePool={job}"));
        let target = data["activeTargets"].get(0)?;
        (target["health"] != "unknown")
            .then(|| target["lastError"].as_str().expect("a text").to_owned())
    };
    for (job, why) in [
        ("gigabyte", "the page is larger than 16777216 bytes"),
        ("million", "too many samples: 1000000, the limit is 5000"),
        ("half", "line 2: "),
        ("trickle", "no page within 900ms"),
    ] {
        // On a busy machine a page may also be too late.
        let late = |told: &str| told.starts_with("no page within ");
        let told = poll::within(Duration::from_secs(180), job, || {
            error(&alone, job).filter(|told| told.starts_with(why) || !late(told))
        });
        assert!(told.starts_with(why), "{job}: {told}");
        poll::holds(job, || up(&alone, job).as_deref() == Some("0"));
    }
    // A sample of tomorrow is not taken, and the rest of its page is.
    assert_eq!(
        poll::until("the page is read", || alone.value("now")).as_str(),
        "2"
    );
    assert_eq!(alone.value("future"), None);
    // Of those whose labels are new each time only the last ones are there.
    poll::holds("they are scraped again and again", || {
        let times = alone.value("sum_over_time(up{job=\"churn\"}[1h])");
        times.and_then(|times| times.parse().ok()) >= Some(3_u32)
    });
    let mut last = None;
    let settled = poll::settles(|| {
        last = alone.value("count(churn)");
        let count = last.as_ref()?.parse::<u32>().expect("a number");
        (count <= 1000).then_some(())
    });
    assert!(settled, "{last:?}");

    // More than there is room for: the page is in order, and taken as far as it goes.
    config.push_str(&format!(
        "- {{job_name: wide, scrape_interval: 30s, scrape_timeout: 30s, static_configs: [{{targets: ['{wide}']}}]}}\n"
    ));
    alone.scratch.file("prometheus.yml", &config);
    alone.signal(Signal::HUP);
    let told = poll::within(Duration::from_secs(180), "wide", || {
        error(&alone, "wide").filter(|told| !told.starts_with("no page within "))
    });
    assert_eq!(told, "");
    poll::holds("all of it is taken", || {
        let whole = alone.value("scrape_samples_scraped{job=\"wide\"}");
        whole.as_deref() == Some("200000")
    });

    let mut scraped = BTreeSet::new();
    poll::holds("the good one is scraped all the same", || {
        scraped.extend(alone.value("timestamp(up{job=\"good\"} == 1)"));
        scraped.len() > 3
    });
    // Those it missed, if any, the machine had no time for.
    let share = alone.value("avg_over_time(up{job=\"good\"}[1h])");
    let share = share.map(|share| share.parse::<f64>().expect("a number"));
    assert!(share > Some(0.6), "{share:?}");
    let peak = peak_mib(alone.pid());
    assert!(peak < 400, "{peak} MiB");
}
