//! Plays scenarios to both servers and compares what their webhooks got.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Scenario;
use super::distances::Distances;
use super::feed::Feed;
use super::lateness::Lateness;
use super::ours::Ours;
use crate::support::hook::{Hook, Message};
use crate::support::peer::Peer;
use crate::support::{database, now_ms};

/// What happens to both servers in the midst of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Reload,
    Restart,
}

/// When a run is over, in milliseconds: between two looks.
const END_MS: u64 = 10_000;

impl Change {
    /// When it happens, in milliseconds: with a look, from which Alertmanager goes
    /// on after a reload, or after it, so that no look falls into a restart.
    fn at_ms(self) -> u64 {
        match self {
            Self::None | Self::Reload => 5_000,
            Self::Restart => 5_300,
        }
    }
}

fn configuration(scenarios: &[&'static Scenario], port: u16, changed: bool) -> String {
    let mut routes = Vec::new();
    let mut receivers = vec!["{name: none}".to_owned()];
    let mut rules = Vec::new();
    for scenario in scenarios {
        let Scenario { name, webhook, .. } = scenario;
        let route = match changed && !scenario.after.is_empty() {
            true => scenario.after,
            false => scenario.route,
        };
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

/// The scenario whose receiver a message went to, by its key.
fn scenario_of(key: &str) -> &str {
    let path = key.split(' ').next().unwrap().trim_start_matches('/');
    path.trim_end_matches("-b").trim_end_matches("-c")
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

/// Both servers, of which either may be another one after a restart.
struct Pair {
    peer: Peer,
    ours: Ours,
}

impl Pair {
    fn urls(&self) -> [String; 2] {
        [self.peer.url.clone(), self.ours.url()]
    }
}

/// A machine on which a plain timer is later than this, in milliseconds, does not keep
/// the order in which things are to happen: what is seen on it says nothing. One while an
/// alert is posted shifts messages that come long after it.
const STALL_MS: i64 = 50;

/// So often a run is made until the machine keeps time.
const RUNS: usize = 8;

/// A message that came too far from the other's comes so in as many runs, if it is
/// either program that is slow and not the machine, which is slow at another moment
/// each time.
const AGAIN: usize = 3;

/// What a run showed.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// What was said differently, or not at all.
    pub(super) faults: Vec<String>,
    /// What came too far from the other's: which message it was, and how far.
    pub(super) far: BTreeMap<String, String>,
    /// How late a timer was at worst, in milliseconds.
    pub(super) late_ms: i64,
}

/// Plays all scenarios of a run; what differed.
pub(super) async fn run(
    kinds: &'static [(&'static str, &'static [Scenario])],
    change: Change,
    distances: &mut Distances,
) -> Vec<String> {
    calm(distances, async |seen| once(kinds, change, seen).await).await
}

/// Makes a run until the machine keeps time, or nothing differs; what differed. What
/// came too far from the other's differs if it does in each of several runs.
pub(super) async fn calm(
    distances: &mut Distances,
    run: impl AsyncFn(&mut Distances) -> Shown,
) -> Vec<String> {
    let mut far: Option<BTreeMap<String, String>> = None;
    let mut again = 0;
    for left in (0..RUNS).rev() {
        let mut seen = Distances::default();
        let shown = run(&mut seen).await;
        if !shown.faults.is_empty() {
            if shown.late_ms <= STALL_MS || left == 0 {
                distances.add(seen);
                return shown.faults;
            }
            println!("once more: a timer was late by {} ms", shown.late_ms);
            continue;
        }
        let mut still = shown.far;
        if let Some(before) = &far {
            still.retain(|message, _| before.contains_key(message));
        }
        again += 1;
        if still.is_empty() || again == AGAIN || left == 0 {
            distances.add(seen);
            return still.into_values().collect();
        }
        println!("once more: {:?}", still.values());
        far = Some(still);
    }
    unreachable!("the last run returns")
}

/// One run.
async fn once(
    kinds: &'static [(&'static str, &'static [Scenario])],
    change: Change,
    distances: &mut Distances,
) -> Shown {
    let scenarios: Vec<&Scenario> = kinds.iter().flat_map(|(_, of)| of.iter()).collect();
    // The 400 is answered to the first message of its receiver.
    let hooks = [
        Hook::refusing("/refused").await,
        Hook::refusing("/refused").await,
    ];
    let folder = tempfile::tempdir().unwrap();
    let text = |at: usize, changed| configuration(&scenarios, hooks[at].port, changed);
    let pool = database(folder.path()).await;
    let mut pair = {
        let peer = Peer::start(folder.path(), &text(0, false)).await;
        let ours = Ours::start(&text(1, false), pool.clone()).await;
        Pair { peer, ours }
    };
    let feed = Feed::new(pair.urls());
    // The first connection of each client is made before anything counts.
    feed.warm_up().await;

    let begin = Instant::now() + Duration::from_millis(200);
    let began_ms = now_ms() + 200;
    let end = begin + Duration::from_millis(END_MS);
    let late = tokio::spawn(Lateness::until(end));
    let tasks: Vec<_> = scenarios
        .iter()
        .map(|scenario| tokio::spawn(feed.clone().play(scenario, begin)))
        .collect();
    sleep_until(begin + Duration::from_millis(change.at_ms())).await;
    match change {
        Change::None => {}
        Change::Reload => {
            let (theirs, ours) = (text(0, true), text(1, true));
            tokio::join!(
                pair.peer.reload(folder.path(), &theirs),
                pair.ours.reload(&ours),
            );
        }
        Change::Restart => {
            let Pair { peer, ours } = pair;
            tokio::join!(peer.stop(), ours.stop());
            let (theirs, yaml) = (text(0, false), text(1, false));
            let (peer, ours) = tokio::join!(
                Peer::start(folder.path(), &theirs),
                Ours::start(&yaml, pool.clone()),
            );
            pair = Pair { peer, ours };
            feed.go_to(pair.urls()).await;
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let late = late.await.unwrap();
    let [theirs, ours] = hooks.map(|hook| sorted(hook, began_ms));
    drop(pair);
    let mut faults = counted(&scenarios, &ours, &theirs);
    let mut far = BTreeMap::new();
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let none = Vec::new();
    for key in keys {
        let [ours, theirs] = [&ours, &theirs].map(|of| of.get(key).unwrap_or(&none));
        let texts = |said: &[Said]| said.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
        if texts(ours) != texts(theirs) {
            faults.push(format!("{key}\n  ours   {ours:?}\n  theirs {theirs:?}"));
            continue;
        }
        let name = scenario_of(key);
        let has = |of: &&(&str, &[Scenario])| of.1.iter().any(|it| it.name == name);
        let kind = kinds.iter().find(has).map_or("", |(kind, _)| kind);
        for (number, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let what = format!("{name} at {:.1} s", ours.1 as f64 / 1e3);
            let late_ms = late.around_ms(began_ms + ours.1, began_ms + theirs.1);
            let fault = distances.note(kind, &what, ours.1 - theirs.1, late_ms);
            far.extend(fault.map(|fault| (format!("{key} {number}"), fault)));
        }
    }
    faults.extend(distances.shift());
    Shown {
        faults,
        far,
        late_ms: late.worst_ms(),
    }
}

/// Scenarios that led to more messages than they should, or to fewer.
fn counted(
    scenarios: &[&Scenario],
    ours: &BTreeMap<String, Vec<Said>>,
    theirs: &BTreeMap<String, Vec<Said>>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for scenario in scenarios {
        let of = |groups: &BTreeMap<String, Vec<Said>>| -> usize {
            let own = groups
                .iter()
                .filter(|(key, _)| scenario_of(key) == scenario.name);
            own.map(|(_, said)| said.len()).sum()
        };
        let (ours, theirs) = (of(ours), of(theirs));
        if ours != scenario.messages || theirs != scenario.messages {
            let (name, wanted) = (scenario.name, scenario.messages);
            faults.push(format!(
                "{name}: {wanted} messages wanted, {ours} ours, {theirs} theirs"
            ));
        }
    }
    faults
}
