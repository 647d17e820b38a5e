//! Telling URLs elsewhere that the watch works, while and only while it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use healthchecks::deadman::Deadman;
use healthchecks::liveness::Stalled;
use healthchecks::probe;
use healthchecks::readiness::{Status, Verdict};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::super::Watch;

/// How often it is looked who is due; a fault is told by then at the latest.
const LOOK: Duration = Duration::from_secs(1);
/// A URL that takes longer has not taken it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells until told to stop.
pub(super) async fn run(watch: &Arc<Watch>, stop: &CancellationToken) {
    let beat = watch.liveness.watch("deadman", LOOK * 30, Instant::now());
    let mut last: BTreeMap<String, (Instant, bool)> = BTreeMap::new();
    let mut telling = JoinSet::new();
    loop {
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => break,
            () = time::sleep(LOOK) => {}
        }
        while telling.try_join_next().is_some() {}
        let config = watch.config();
        let all = &config.heartbeat.out;
        if all.is_empty() {
            last.clear();
            watch.health.told.retain(all);
            continue;
        }
        let failing = match state(watch) {
            // After a start it is not known yet: that is neither a success nor a failure.
            State::Unknown => continue,
            State::Works => None,
            State::Fails(why) => Some(why),
        };
        let works = failing.is_none();
        watch.health.told.working(failing.clone());
        watch.health.told.retain(all);
        for one in all {
            // A change is told at once, all else in its rhythm.
            let due = last
                .get(&one.name)
                .is_none_or(|(at, told)| at.elapsed() >= one.interval || *told != works);
            if due {
                last.insert(one.name.clone(), (Instant::now(), works));
                telling.spawn(tell(Arc::clone(watch), one.clone(), failing.clone()));
            }
        }
    }
    telling.shutdown().await;
}

async fn tell(watch: Arc<Watch>, one: Deadman, failing: Option<String>) {
    let Some(message) = one.message(failing.as_deref()) else {
        return;
    };
    let outcome = probe::run(message.url.expose(), &message.module, PATIENCE).await;
    if let Some(failure) = &outcome.failure {
        tracing::debug!(name = one.name, "a dead-man URL was not told: {failure}");
    }
    watch
        .health
        .told
        .came(&one.name, &outcome, watch.clock.now_ms());
}

/// Whether the watch works.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Works,
    Fails(String),
    Unknown,
}

fn state(watch: &Watch) -> State {
    let stalled = watch.liveness.stalled(Instant::now());
    judged(&stalled, watch.readiness.verdict())
}

/// A loop that stands still, or something that the watch cannot do without and
/// that fails, means that it does not work.
fn judged(stalled: &[Stalled], verdict: Verdict) -> State {
    let mut why: Vec<_> = stalled
        .iter()
        .map(|of| format!("{} stands still", of.name))
        .collect();
    let mut unknown = false;
    let dependencies = verdict.dependencies.into_iter();
    for dependency in dependencies.filter(|dependency| dependency.required) {
        match dependency.status {
            Status::Failing => why.push(format!("{}: {}", dependency.name, dependency.reason)),
            Status::Unknown => unknown = true,
            Status::Ok | Status::Absent => {}
        }
    }
    match (why.is_empty(), unknown) {
        (false, _) => State::Fails(why.join("\n")),
        (true, true) => State::Unknown,
        (true, false) => State::Works,
    }
}

#[cfg(test)]
mod tests {
    use healthchecks::readiness::{Readiness, Report};

    use super::*;

    #[test]
    fn it_works_while_all_loops_turn_and_nothing_fails_that_it_cannot_do_without() {
        let stalled = |name| Stalled {
            name,
            silent_seconds: 70,
            ended: false,
        };
        let fails = |why: &str| State::Fails(why.to_owned());
        for (stalls, failing, unknown, expected) in [
            (&[][..], &[][..], &[][..], State::Works),
            (&["collect"], &[], &[], fails("collect stands still")),
            (&["rules"], &[], &[], fails("rules stands still")),
            (&[], &["mail"], &[], fails("mail: refused")),
            (&[], &["state"], &[], fails("state: refused")),
            (
                &["rules"],
                &["mail", "state"],
                &[],
                fails("rules stands still\nmail: refused\nstate: refused"),
            ),
            // Without the engine it watches what is left.
            (&[], &["engine"], &["series"], State::Works),
            // After a start nothing is known yet, but what is known counts.
            (&[], &[], &["mail"], State::Unknown),
            (&[], &["engine"], &["mail"], State::Unknown),
            (&[], &["state"], &["mail"], fails("state: refused")),
        ] {
            let readiness = Readiness::default();
            for (name, required) in [
                ("collect", true),
                ("engine", false),
                ("mail", true),
                ("rules", true),
                ("series", false),
                ("state", true),
            ] {
                readiness.expect(name, required, 0);
                let report = match failing.contains(&name) {
                    true => Report::failing("refused"),
                    false => Report::ok(None),
                };
                if !unknown.contains(&name) {
                    readiness.report(name, report, 1);
                }
            }
            let stalled: Vec<_> = stalls.iter().copied().map(stalled).collect();
            let told = judged(&stalled, readiness.verdict());
            assert_eq!(told, expected, "{stalls:?} {failing:?} {unknown:?}");
        }
    }
}
