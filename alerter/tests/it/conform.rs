//! Debian's Alertmanager and ours side by side: the same configuration, the same
//! alerts at the same moments, and the same messages expected.
//!
//! All scenarios of a run happen at once, each in a route of its own. What happens,
//! happens at even seconds or between; groups are looked at on odd ones, so that a
//! loaded machine does not turn the order around. Times are compared within 100 ms
//! and twice what a plain timer beside them was late by just then, on threads on which
//! nothing of ours runs; half of the messages of a run within 100 ms whatever that
//! says. What is too far is played again: it has failed if the same message is in three
//! runs. How far from each other they were is printed:
//!
//! `cargo nextest run -p alerter --no-capture conform::`

mod changes;
mod distances;
mod feed;
mod lateness;
mod mails;
mod ours;
mod play;
mod scenarios;

use distances::Distances;
use play::Change;

/// A scenario: its route, its receiver's webhook, its inhibition rules, and what
/// is done when.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Keys of the route; receivers are NAME, NAME-b and NAME-c.
    pub(super) route: &'static str,
    /// Those after a reload, unless they are the same.
    pub(super) after: &'static str,
    /// Keys of each webhook.
    pub(super) webhook: &'static str,
    pub(super) inhibit: &'static str,
    /// `2 +a x=1; 3 =a x=1; 4 -a x=1; 0 ~a|b 3; 4 !`: fire, tell again since when,
    /// end, silence (for seconds), end the silence.
    pub(super) steps: &'static str,
    /// How many messages there are.
    pub(super) messages: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_alerts_lead_to_the_same_messages_at_the_same_times() {
    let mut distances = Distances::default();
    let mut faults = Vec::new();
    let mut scenarios = mails::COUNT;
    for (kinds, change) in [
        (scenarios::KINDS, Change::None),
        (&[("reload", changes::RELOADS)][..], Change::Reload),
        (&[("restart", changes::RESTARTS)][..], Change::Restart),
    ] {
        scenarios += kinds.iter().map(|(_, of)| of.len()).sum::<usize>();
        faults.extend(play::run(kinds, change, &mut distances).await);
    }
    faults.extend(mails::run(&mut distances).await);
    println!("{distances}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(scenarios >= 60);
    for kind in [
        "grouping",
        "timing",
        "resolve",
        "repeat",
        "inhibit",
        "silence",
        "routes",
        "time intervals",
        "templates",
        "reload",
        "restart",
    ] {
        assert!(distances.has(kind), "{kind}");
    }
}
