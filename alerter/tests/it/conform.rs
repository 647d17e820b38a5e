//! Debian's Alertmanager and ours side by side: the same configuration, the same
//! alerts at the same moments, and the same messages expected.
//!
//! All scenarios run at once, each in a route of its own. What happens, happens
//! at even seconds or between; groups are looked at on odd ones, so that a loaded
//! machine does not turn the order around. Times are compared within 100 ms and
//! what a plain timer in this process was late by.

mod feed;
mod mails;
mod scenarios;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::support::hook::{Hook, Message};
use crate::support::peer::Peer;
use crate::support::web::Served;
use crate::support::{config, database, mail, now_ms, start};
use feed::Feed;
use scenarios::SCENARIOS;

/// A scenario: its route, its receiver's webhook, its inhibition rules, and what
/// is done when.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Keys of the route; receivers are NAME, NAME-b and NAME-c.
    pub(super) route: &'static str,
    /// Keys of each webhook.
    pub(super) webhook: &'static str,
    pub(super) inhibit: &'static str,
    /// `2 +a x=1; 4 -a x=1; 0 ~a|b 3; 4 !`: fire, end, silence (for seconds), end
    /// the silence.
    pub(super) steps: &'static str,
    /// How many messages there are.
    pub(super) messages: usize,
}

/// When the run is over, in milliseconds: between two looks.
const END_MS: u64 = 10_000;

/// What times may differ by on an idle machine, in milliseconds.
const NEAR_MS: i64 = 100;

fn configuration(port: u16) -> String {
    let mut routes = Vec::new();
    let mut receivers = vec!["{name: none}".to_owned()];
    let mut rules = Vec::new();
    for scenario in SCENARIOS {
        let Scenario {
            name,
            route,
            webhook,
            ..
        } = scenario;
        let timers = "group_wait: 1s, group_interval: 2s, repeat_interval: 1h";
        let timers: Vec<&str> = timers
            .split(", ")
            .filter(|timer| {
                !route.contains(timer.split(':').next().unwrap()) || route.contains("routes:")
            })
            .collect();
        routes.push(format!(
            "{{receiver: {name}, matchers: ['scenario=\"{name}\"'], {}, {route}}}",
            timers.join(", ")
        ));
        for suffix in ["", "-b", "-c"] {
            let url = format!("http://127.0.0.1:{port}/{name}{suffix}");
            receivers.push(format!(
                "{{name: {name}{suffix}, webhook_configs: [{{url: '{url}', {webhook}}}]}}"
            ));
        }
        for rule in scenario.inhibit.split("; ").filter(|rule| !rule.is_empty()) {
            rules.push(rule.replace("SCENARIO", &format!("'scenario=\"{name}\"'")));
        }
    }
    format!(
        "{{route: {{receiver: none, routes: [{}]}}, receivers: [{}], inhibit_rules: [{}], \
          time_intervals: [{{name: always, time_intervals: [{{times: [{{start_time: '00:00', end_time: '24:00'}}]}}]}}, \
          {{name: never, time_intervals: [{{years: ['2001']}}]}}, \
          {{name: week, time_intervals: [{{weekdays: ['sunday:saturday'], location: Europe/Berlin}}]}}]}}",
        routes.join(", "),
        receivers.join(", "),
        rules.join(", ")
    )
}

/// What a message says, and when it came after the beginning.
type Said = (String, i64);

/// Messages by receiver and group.
fn sorted(mut hook: Hook, began_ms: i64) -> BTreeMap<String, Vec<Said>> {
    let mut groups: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    while let Some(message) = hook.ready() {
        let key = format!("{} {}", message.path, message.body["groupKey"]);
        let said = (content(&message), message.at_ms - began_ms);
        groups.entry(key).or_default().push(said);
    }
    groups
}

fn content(message: &Message) -> String {
    let mut body = message.body.clone();
    let fields = body.as_object_mut().unwrap();
    // Newer than the counterpart, or each one's own.
    for own in ["notification_reason", "routeLabels", "externalURL"] {
        fields.remove(own);
    }
    for alert in body["alerts"].as_array_mut().unwrap() {
        // The end of an alert that ended by its own time is a matter of digits.
        for time in ["startsAt", "endsAt"] {
            let text = alert[time].as_str().unwrap().to_owned();
            alert[time] = text.trim_end_matches('Z').get(..19).unwrap_or("").into();
        }
    }
    format!("{} {body}", message.status)
}

/// How late a timer of this process is, at worst: a measure of the load.
async fn lateness(until: Instant) -> i64 {
    let mut worst = Duration::ZERO;
    while Instant::now() < until {
        let due = Instant::now() + Duration::from_millis(20);
        sleep_until(due).await;
        worst = worst.max(due.elapsed());
    }
    worst.as_millis().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_alerts_lead_to_the_same_messages_at_the_same_times() {
    // The 400 is answered to the first message of its receiver.
    let hooks = [
        Hook::refusing("/refused").await,
        Hook::refusing("/refused").await,
    ];
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start(folder.path(), &configuration(hooks[0].port)).await;
    let pool = database(folder.path()).await;
    let handle = start(config(&configuration(hooks[1].port)), mail("{}"), pool).await;
    let served = Served::start(&handle).await;
    let feed = Feed::new([peer.url.clone(), served.url()]);
    // The first connection of each client is made before anything counts.
    feed.warm_up().await;

    let begin = Instant::now() + Duration::from_millis(200);
    let began_ms = now_ms() + 200;
    let end = begin + Duration::from_millis(END_MS);
    let tasks: Vec<_> = SCENARIOS
        .iter()
        .map(|scenario| tokio::spawn(feed.clone().play(scenario, begin)))
        .collect();
    let late_ms = lateness(end).await;
    for task in tasks {
        task.await.unwrap();
    }
    let [theirs, ours] = hooks.map(|hook| sorted(hook, began_ms));

    let near_ms = (NEAR_MS + 2 * late_ms).min(900);
    let mut faults = Vec::new();
    for scenario in SCENARIOS {
        let of = |groups: &BTreeMap<String, Vec<Said>>| -> usize {
            let path = |key: &String| {
                key.split(' ')
                    .next()
                    .unwrap()
                    .trim_start_matches('/')
                    .to_owned()
            };
            let own = |key: &String| {
                let path = path(key);
                path.trim_end_matches("-b").trim_end_matches("-c") == scenario.name
            };
            groups
                .iter()
                .filter(|(key, _)| own(key))
                .map(|(_, said)| said.len())
                .sum()
        };
        let (ours, theirs) = (of(&ours), of(&theirs));
        if ours != scenario.messages || theirs != scenario.messages {
            let wanted = scenario.messages;
            faults.push(format!(
                "{}: {wanted} messages wanted, {ours} ours, {theirs} theirs",
                scenario.name
            ));
        }
    }
    let keys: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let none = Vec::new();
    for key in keys {
        let (ours, theirs) = (
            ours.get(key).unwrap_or(&none),
            theirs.get(key).unwrap_or(&none),
        );
        let texts = |said: &[Said]| said.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
        let near = |(ours, theirs): (&Said, &Said)| (ours.1 - theirs.1).abs() <= near_ms;
        if texts(ours) != texts(theirs) || !ours.iter().zip(theirs).all(near) {
            faults.push(format!("{key}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(
        faults.is_empty(),
        "within {near_ms} ms:\n{}",
        faults.join("\n")
    );
    assert!(SCENARIOS.len() >= 60);
}
