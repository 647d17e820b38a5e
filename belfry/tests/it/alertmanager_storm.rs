//! Deaths at any moment, while alerts come and go: nothing that was to be mailed
//! is missing, and at most the one mail that was under way is mailed twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::alertmanager::Alone;
use crate::support::sink::{Act, Sink};
use crate::support::{http, poll};

/// So often it is killed.
const KILLS: usize = 200;

/// So many alerts are under way at a time.
const AT_ONCE: usize = 8;

const CONFIG: &str = r#"
global: {smtp_smarthost: '127.0.0.1:PORT', smtp_from: am@example.org, smtp_require_tls: false}
route: {receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 100ms, repeat_interval: 1h}
receivers:
  - name: ops
    email_configs:
      - {to: ops@example.org, send_resolved: true, html: '', text: '-', headers: {Subject: '{{ .Status }} {{ .GroupLabels.alertname }}'}}
"#;

/// Numbers that look random, the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// At which places among all mails each subject came.
fn places(sink: &Sink) -> BTreeMap<String, Vec<usize>> {
    let mut places = BTreeMap::<_, Vec<_>>::new();
    for (at, received) in sink.received().iter().enumerate() {
        let subject = received.mail.header("subject").to_owned();
        places.entry(subject).or_default().push(at);
    }
    places
}

/// How many mails of each life came again later, where `deaths` says how many mails
/// had come by the end of each. A later life may be too short to mail again what the
/// one before had forgotten; so it is not asked when the second came.
fn doubled(places: &BTreeMap<String, Vec<usize>>, deaths: &[usize]) -> BTreeMap<usize, usize> {
    let mut lives = BTreeMap::new();
    for places in places.values() {
        let (_last, before) = places.split_last().expect("it came");
        for at in before {
            let life = deaths.partition_point(|mails| mails <= at);
            *lives.entry(life).or_default() += 1;
        }
    }
    lives
}

/// Tells of an alert until it is taken, as Prometheus does.
fn put(address: &str, name: &str, fires: bool) {
    let now = jiff::Timestamp::now();
    let ends = if fires {
        now + Duration::from_secs(3_600)
    } else {
        now
    };
    let alert = json!([{
        "labels": {"alertname": name},
        "startsAt": (now - Duration::from_secs(1)).to_string(),
        "endsAt": ends.to_string(),
    }]);
    poll::holds("the alert is taken", || {
        http::post(address, "/api/v2/alerts", &alert.to_string()).is_ok_and(|it| it.status == 200)
    });
}

/// Lets alerts begin and end, each after the mail before, until told to stop;
/// the subjects that have to be there.
fn feed(address: &str, sink: &Sink, place: usize, stop: &AtomicBool) -> Vec<String> {
    let mut wanted = Vec::new();
    for number in 0.. {
        let name = format!("a{place}-{number}");
        for (fires, word) in [(true, "firing"), (false, "resolved")] {
            put(address, &name, fires);
            let subject = format!("{word} {name}");
            poll::holds("the mail", || {
                let received = sink.received();
                let mut received = received.iter().rev();
                received.any(|it| it.mail.header("subject") == subject)
            });
            wanted.push(subject);
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    wanted
}

#[test]
fn kills_at_any_moment_lose_nothing_and_double_one_mail_at_most() {
    let sink = Arc::new(Sink::start(&[Act::Accept]));
    let config = CONFIG.replace("PORT", &sink.port().to_string());
    let begun = Instant::now();
    let mut alone = Alone::start(&config, &["--log.level=error"]);
    // A life must be long enough to get anything done, on a slow machine too.
    let start_ms = u64::try_from(begun.elapsed().as_millis()).unwrap().max(50);
    let stop = Arc::new(AtomicBool::new(false));
    let feeders: Vec<_> = (0..AT_ONCE)
        .map(|place| {
            let (address, sink, stop) = (alone.address(), Arc::clone(&sink), Arc::clone(&stop));
            thread::spawn(move || feed(&address, &sink, place, &stop))
        })
        .collect();
    let mut chance = Chance(0x5eed);
    let mut deaths = Vec::new();
    // On a slow machine lives grow longer until enough has been mailed.
    while deaths.len() < KILLS || (sink.count() <= KILLS / 2 && deaths.len() < 6 * KILLS) {
        let longer = 1 + deaths.len() as u64 / KILLS as u64;
        thread::sleep(Duration::from_millis(
            chance.below(start_ms * 2 * longer * longer),
        ));
        alone.process().kill();
        sink.settle();
        deaths.push(sink.count());
        alone.launch();
    }
    stop.store(true, Ordering::Relaxed);
    // Each waits for its mails, or fails.
    let wanted: Vec<String> = feeders
        .into_iter()
        .flat_map(|feeder| feeder.join().unwrap())
        .collect();
    alone.wait();
    alone.process().stop();
    let places = places(&sink);
    for subject in &wanted {
        assert!(places.contains_key(subject), "{subject} was never mailed");
    }
    assert_eq!(places.len(), wanted.len(), "and nothing else was");
    let mails = sink.count();
    let doubled = doubled(&places, &deaths);
    let (doubles, kills) = (mails - places.len(), deaths.len());
    println!("{doubles} of {mails} mails came again after {kills} kills");
    assert!(doubled.values().all(|mails| *mails == 1), "{doubled:?}");
    assert!(
        !doubled.contains_key(&kills),
        "the last life was not killed"
    );
    assert!(mails > KILLS / 2, "{mails} mails are no storm");
}
