//! Whether a group has something to say that was not said yet.
//!
//! Pure: the notification log's entry, what fires and what ended go in, the
//! decision comes out.

use std::collections::BTreeMap;

/// What was last said about a group to one integration, and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    /// Alerts that were said to fire, in order.
    pub firing: Vec<u64>,
    /// Alerts that were said to have ended, in order.
    pub resolved: Vec<u64>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The incident that it belongs to: from the first message to the last
    /// alert's end. Names the mail thread.
    pub incident: String,
    /// Messages sent in the incident.
    pub sent: u32,
    /// When the incident's first message went out, in milliseconds since 1970.
    pub first_ms: i64,
    /// Recipients that refused the last message while others took it.
    pub missed: Vec<String>,
    /// Since when it is known that the last message came back from all whom it was
    /// for, in milliseconds since 1970.
    pub bounced_ms: Option<i64>,
    /// Whom the last message is believed to have reached, and by which of the incident's
    /// messages: it may have been sent again to those who missed it.
    pub reached: BTreeMap<String, u32>,
}

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing of the group was told before.
    First,
    /// More alerts joined.
    NewAlerts,
    /// Some alerts ended, others still fire.
    SomeResolved,
    /// Nothing fires any more.
    AllResolved,
    /// It was told, and is still so.
    Repeat,
    /// It was told, and nobody has taken it on.
    Unanswered,
    /// Several groups at once, as there were too many mails.
    Together,
}

impl Reason {
    /// Alertmanager's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first notification",
            Self::NewAlerts => "new alerts added",
            Self::SomeResolved => "some alerts resolved",
            Self::AllResolved => "all alerts resolved",
            Self::Repeat => "repeat interval elapsed",
            Self::Unanswered => "not acknowledged",
            Self::Together => "several groups together",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Send a message.
    Send(Reason),
    /// Send nothing, but note that nothing fires, so that the next alert is a
    /// first one.
    Note,
    /// Nothing.
    Nothing,
}

/// What is compared with the entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now<'a> {
    /// Firing alerts, in order.
    pub firing: &'a [u64],
    /// Ended alerts, in order.
    pub resolved: &'a [u64],
    /// Whether the integration is told of ends.
    pub send_resolved: bool,
    /// The route's repeat interval in milliseconds.
    pub repeat_ms: i64,
    /// Whether somebody has taken on all that fires: then nothing is repeated.
    pub acknowledged: bool,
    /// Whether nobody has answered for so long that it is to be told again.
    pub unanswered: bool,
    /// Alertmanager repeats when more than the interval has passed; our own
    /// tree when it has passed.
    pub letter: bool,
    /// The time of the look, in milliseconds since 1970.
    pub now_ms: i64,
}

/// Decides by the table of the notification log.
#[must_use]
pub(crate) fn decide(entry: Option<&Entry>, now: Now<'_>) -> Decision {
    let Some(entry) = entry else {
        return match now.firing.is_empty() {
            true => Decision::Nothing,
            false => Decision::Send(Reason::First),
        };
    };
    if !subset(now.firing, &entry.firing) {
        return Decision::Send(match entry.firing.is_empty() {
            true => Reason::First,
            false => Reason::NewAlerts,
        });
    }
    if now.firing.is_empty() {
        return match (entry.firing.is_empty(), now.send_resolved) {
            (true, _) => Decision::Nothing,
            (false, true) => Decision::Send(Reason::AllResolved),
            (false, false) => Decision::Note,
        };
    }
    if now.send_resolved && !subset(now.resolved, &entry.resolved) {
        return Decision::Send(Reason::SomeResolved);
    }
    if now.acknowledged {
        return Decision::Nothing;
    }
    if now.unanswered {
        return Decision::Send(Reason::Unanswered);
    }
    let passed_ms = now.now_ms - entry.at_ms;
    if passed_ms > now.repeat_ms || !now.letter && passed_ms == now.repeat_ms {
        return Decision::Send(Reason::Repeat);
    }
    Decision::Nothing
}

/// When a group that goes on firing is told again: the first look at it after
/// the repeat interval. `next_ms` is its next look, the others follow each
/// `interval_ms`.
#[must_use]
pub(crate) fn next_repeat_ms(
    next_ms: i64,
    interval_ms: i64,
    at_ms: i64,
    repeat_ms: i64,
    letter: bool,
) -> i64 {
    look_ms(next_ms, interval_ms, at_ms + repeat_ms + i64::from(letter))
}

/// The first look at a group when or after something is due.
#[must_use]
pub(crate) fn look_ms(next_ms: i64, interval_ms: i64, due_ms: i64) -> i64 {
    let behind_ms = (due_ms - next_ms).max(0);
    let interval_ms = interval_ms.max(1);
    next_ms + (behind_ms + interval_ms - 1) / interval_ms * interval_ms
}

/// Whether the sorted `small` lies within the sorted `large`.
fn subset(small: &[u64], large: &[u64]) -> bool {
    small.iter().all(|item| large.binary_search(item).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(firing: &[u64], resolved: &[u64]) -> Entry {
        Entry {
            firing: firing.to_vec(),
            resolved: resolved.to_vec(),
            at_ms: 1_000,
            ..Entry::default()
        }
    }

    #[test]
    fn the_decision_follows_the_table() {
        use Decision::{Note, Nothing, Send};
        use Reason::{AllResolved, First, NewAlerts, Repeat, SomeResolved};
        type Row<'a> = (Option<Entry>, &'a [u64], &'a [u64], bool, i64, Decision);
        let table: [Row<'_>; 15] = [
            (None, &[1], &[], true, 0, Send(First)),
            (None, &[], &[1], true, 0, Nothing),
            (None, &[1], &[2], true, 0, Send(First)),
            (Some(entry(&[], &[1])), &[1], &[], true, 0, Send(First)),
            (
                Some(entry(&[1], &[])),
                &[1, 2],
                &[],
                true,
                0,
                Send(NewAlerts),
            ),
            (Some(entry(&[1], &[])), &[2], &[1], true, 0, Send(NewAlerts)),
            (
                Some(entry(&[1], &[])),
                &[],
                &[1],
                true,
                0,
                Send(AllResolved),
            ),
            (Some(entry(&[1], &[])), &[], &[1], false, 0, Note),
            (Some(entry(&[1], &[])), &[], &[], true, 0, Send(AllResolved)),
            (Some(entry(&[], &[1])), &[], &[1], true, 99_999, Nothing),
            (
                Some(entry(&[1, 2], &[])),
                &[1],
                &[2],
                true,
                0,
                Send(SomeResolved),
            ),
            (Some(entry(&[1, 2], &[])), &[1], &[2], false, 0, Nothing),
            (Some(entry(&[1], &[2])), &[1], &[2], true, 0, Nothing),
            (Some(entry(&[1], &[])), &[1], &[], true, 11_000, Nothing),
            (
                Some(entry(&[1], &[])),
                &[1],
                &[],
                true,
                11_001,
                Send(Repeat),
            ),
        ];
        for (row, (entry, firing, resolved, send_resolved, now_ms, wanted)) in
            table.into_iter().enumerate()
        {
            let now = Now {
                firing,
                resolved,
                send_resolved,
                repeat_ms: 10_000,
                acknowledged: false,
                unanswered: false,
                letter: true,
                now_ms,
            };
            assert_eq!(decide(entry.as_ref(), now), wanted, "row {row}");
        }
    }

    #[test]
    fn our_own_tree_repeats_when_the_interval_has_passed() {
        let entry = entry(&[1], &[]);
        let now = Now {
            firing: &[1],
            resolved: &[],
            send_resolved: true,
            repeat_ms: 10_000,
            acknowledged: false,
            unanswered: false,
            letter: false,
            now_ms: 11_000,
        };
        assert_eq!(decide(Some(&entry), now), Decision::Send(Reason::Repeat));
        let now = Now {
            now_ms: 10_999,
            ..now
        };
        assert_eq!(decide(Some(&entry), now), Decision::Nothing);
    }

    #[test]
    fn what_somebody_has_taken_on_is_not_repeated_but_all_else_is_told() {
        use Decision::{Nothing, Send};
        use Reason::{AllResolved, NewAlerts, SomeResolved};
        let entry = entry(&[1, 2], &[]);
        let rows: [(&[u64], &[u64], Decision); 4] = [
            (&[1, 2], &[], Nothing),
            (&[1, 2, 3], &[], Send(NewAlerts)),
            (&[1], &[2], Send(SomeResolved)),
            (&[], &[1, 2], Send(AllResolved)),
        ];
        for (firing, resolved, wanted) in rows {
            let now = Now {
                firing,
                resolved,
                send_resolved: true,
                repeat_ms: 10_000,
                acknowledged: true,
                unanswered: true,
                letter: false,
                now_ms: 99_999,
            };
            assert_eq!(decide(Some(&entry), now), wanted, "{firing:?}");
        }
    }

    #[test]
    fn what_nobody_answers_is_told_again_before_its_time() {
        let entry = entry(&[1], &[]);
        for (unanswered, acknowledged, wanted) in [
            (true, false, Decision::Send(Reason::Unanswered)),
            (true, true, Decision::Nothing),
            (false, false, Decision::Nothing),
        ] {
            let now = Now {
                firing: &[1],
                resolved: &[],
                send_resolved: true,
                repeat_ms: 10_000,
                acknowledged,
                unanswered,
                letter: false,
                now_ms: 1_001,
            };
            assert_eq!(decide(Some(&entry), now), wanted);
        }
    }

    #[test]
    fn the_next_repeat_is_the_first_look_after_the_interval() {
        for (next_ms, at_ms, letter, wanted) in [
            (10, 0, true, 110),
            (10, 0, false, 100),
            (10, 5, true, 110),
            (200, 0, true, 200),
            (0, 0, true, 110),
            (0, 0, false, 100),
        ] {
            assert_eq!(next_repeat_ms(next_ms, 10, at_ms, 100, letter), wanted);
        }
    }
}
