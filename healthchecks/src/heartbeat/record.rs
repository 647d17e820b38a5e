//! What is remembered of one heartbeat, and the state that follows from it.

use serde::{Deserialize, Serialize};

use super::schedule::millis;
use super::{Kind, Schedule};

/// How a heartbeat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing was heard of it yet.
    New,
    /// It came in time.
    Up,
    /// It should have come; the grace runs.
    Late,
    /// It failed, runs for too long, or did not come.
    Down,
    /// Its silence means nothing for now.
    Paused,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::New, Self::Up, Self::Late, Self::Down, Self::Paused];

    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Late => "late",
            Self::Down => "down",
            Self::Paused => "paused",
        }
    }
}

/// What is remembered of a heartbeat, over restarts. Times in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// Whether a ping made it, and not the configuration.
    pub made: bool,
    /// When it was first known.
    pub created_ms: i64,
    /// The last success.
    pub success_ms: Option<i64>,
    /// The failure that no success has followed yet.
    pub failure_ms: Option<i64>,
    /// Since when it was down when it failed: it may have been overdue before.
    pub down_since_ms: Option<i64>,
    /// When the first was missed of those that it was lost together with: what its alert is
    /// known by, so that a step of the clock leaves it as it is.
    pub lost_ms: Option<i64>,
    /// The start that no end has followed yet.
    pub started_ms: Option<i64>,
    /// The run that was started.
    pub run: String,
    /// Since when it comes in time.
    pub up_since_ms: Option<i64>,
    /// How long the last run took.
    pub duration_ms: Option<i64>,
    /// The last exit code that was told.
    pub exit_code: Option<u8>,
    /// Pings so far: successes, starts, failures, logs.
    pub pings: [u64; 4],
    /// The start of what the last ping with a body carried.
    pub body: String,
    /// When that was.
    pub body_ms: Option<i64>,
}

/// What bears on a heartbeat's state beside what was heard of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) schedule: Schedule,
    pub(super) grace: std::time::Duration,
    pub(super) paused: bool,
}

impl Kept {
    pub(super) fn new(name: &str, made: bool, now_ms: i64) -> Self {
        Self {
            name: name.to_owned(),
            made,
            created_ms: now_ms,
            ..Self::default()
        }
    }

    /// Takes a ping.
    pub(super) fn take(&mut self, kind: Kind, run: &str, now_ms: i64, rules: &Rules) {
        let (was, was_since_ms) = self.state(rules, now_ms);
        let count = Kind::WORDS
            .iter()
            .position(|word| *word == kind.as_str())
            .unwrap_or(0);
        self.pings[count] += 1;
        match kind {
            Kind::Log => return,
            Kind::Start => {
                self.started_ms = Some(now_ms);
                run.clone_into(&mut self.run);
                return;
            }
            Kind::Exit(code) => self.exit_code = Some(code),
            Kind::Success | Kind::Fail => {}
        }
        // The end of another run than the one that was started last says nothing of its length.
        if let Some(started_ms) = self.started_ms.filter(|_| self.run == run) {
            self.duration_ms = Some(now_ms.saturating_sub(started_ms).max(0));
            self.started_ms = None;
            self.run.clear();
        }
        if kind.as_str() == "success" {
            if !matches!(was, State::Up | State::Late) || self.up_since_ms.is_none() {
                self.up_since_ms = Some(now_ms);
            }
            self.success_ms = Some(now_ms);
            self.failure_ms = None;
            self.down_since_ms = None;
        } else if self.failure_ms.is_none() {
            self.failure_ms = Some(now_ms);
            self.down_since_ms = Some(match was {
                State::Down => was_since_ms,
                _ => now_ms,
            });
        }
    }

    /// Keeps the start of what a ping carried.
    pub(super) fn keep_body(&mut self, body: &[u8], most: usize, now_ms: i64) {
        if body.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&body[..body.len().min(most)]);
        // What is shown later must not steer a terminal.
        self.body = text
            .chars()
            .map(|sign| {
                if sign.is_control() && !matches!(sign, '\n' | '\t') {
                    '\u{fffd}'
                } else {
                    sign
                }
            })
            .collect();
        self.body_ms = Some(now_ms);
    }

    /// Its state, and since when it is in it.
    pub(super) fn state(&self, rules: &Rules, now_ms: i64) -> (State, i64) {
        if rules.paused {
            return (State::Paused, self.last_ms().unwrap_or(self.created_ms));
        }
        if let Some(failure_ms) = self.failure_ms {
            return (State::Down, self.down_since_ms.unwrap_or(failure_ms));
        }
        let overrun_ms = self
            .started_ms
            .map(|started_ms| started_ms.saturating_add(millis(rules.grace)));
        let deadline_ms = self.deadline_ms(rules);
        let down_ms = overrun_ms.into_iter().chain(deadline_ms).min();
        if let Some(down_ms) = down_ms.filter(|down_ms| now_ms >= *down_ms) {
            return (State::Down, down_ms);
        }
        match self.expected_ms(rules) {
            None => (State::New, self.created_ms),
            Some(expected_ms) if now_ms >= expected_ms => (State::Late, expected_ms),
            Some(_) => (State::Up, self.up_since_ms.unwrap_or(self.created_ms)),
        }
    }

    /// When the next success is expected.
    pub(super) fn expected_ms(&self, rules: &Rules) -> Option<i64> {
        self.success_ms
            .map(|success_ms| rules.schedule.expected_ms(success_ms))
    }

    /// When it is down unless a success came.
    pub(super) fn deadline_ms(&self, rules: &Rules) -> Option<i64> {
        self.expected_ms(rules)
            .map(|expected_ms| expected_ms.saturating_add(millis(rules.grace)))
    }

    /// The last success or failure.
    pub(super) fn last_ms(&self) -> Option<i64> {
        self.success_ms.max(self.failure_ms)
    }

    /// The last time that anything was heard of it.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.last_ms().max(self.started_ms).max(self.body_ms)
    }

    /// Moves all times: the wall clock was stepped.
    pub(super) fn shift(&mut self, delta_ms: i64) {
        self.created_ms += delta_ms;
        for time in [
            &mut self.success_ms,
            &mut self.failure_ms,
            &mut self.down_since_ms,
            &mut self.started_ms,
            &mut self.up_since_ms,
            &mut self.body_ms,
        ] {
            *time = time.map(|time| time + delta_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULES: Rules = Rules {
        schedule: Schedule::Every(Duration::from_secs(100)),
        grace: Duration::from_secs(10),
        paused: false,
    };

    /// The state at `now`, in seconds, after these pings.
    fn after(pings: &[(i64, Kind)], now: i64) -> (State, i64) {
        let mut kept = Kept::new("job", false, 0);
        for (at, kind) in pings {
            kept.take(*kind, "", at * 1000, &RULES);
        }
        let (state, since_ms) = kept.state(&RULES, now * 1000);
        (state, since_ms / 1000)
    }

    #[test]
    fn the_state_follows_from_what_was_heard() {
        use Kind::{Exit, Fail, Log, Start, Success};
        for (pings, now, expected) in [
            (vec![], 1_000_000, (State::New, 0)),
            (vec![(5, Log)], 1_000_000, (State::New, 0)),
            (vec![(5, Success)], 104, (State::Up, 5)),
            (vec![(5, Success), (90, Success)], 104, (State::Up, 5)),
            (vec![(5, Success)], 105, (State::Late, 105)),
            (vec![(5, Success)], 114, (State::Late, 105)),
            (vec![(5, Success)], 115, (State::Down, 115)),
            (vec![(5, Success), (110, Success)], 120, (State::Up, 5)),
            (vec![(5, Success), (130, Success)], 140, (State::Up, 130)),
            (vec![(5, Success), (6, Fail)], 7, (State::Down, 6)),
            (
                vec![(5, Success), (6, Exit(3)), (8, Fail)],
                9,
                (State::Down, 6),
            ),
            (vec![(6, Exit(1)), (7, Exit(0))], 8, (State::Up, 7)),
            (vec![(5, Start)], 14, (State::New, 0)),
            (vec![(5, Start)], 15, (State::Down, 15)),
            (vec![(5, Success), (50, Start)], 59, (State::Up, 5)),
            (vec![(5, Success), (50, Start)], 60, (State::Down, 60)),
            (
                vec![(5, Success), (50, Start), (65, Success)],
                66,
                (State::Up, 65),
            ),
            // It was down before it failed, and not up between.
            (
                vec![(5, Success), (200, Fail), (210, Exit(1))],
                220,
                (State::Down, 115),
            ),
            (
                vec![(5, Success), (50, Start), (65, Fail)],
                200,
                (State::Down, 60),
            ),
            (
                vec![(5, Success), (200, Fail), (210, Success), (220, Fail)],
                230,
                (State::Down, 220),
            ),
            (vec![(6, Fail), (7, Start)], 8, (State::Down, 6)),
            (vec![(6, Fail), (7, Log)], 8, (State::Down, 6)),
        ] {
            assert_eq!(after(&pings, now), expected, "{pings:?} at {now}");
        }
    }

    #[test]
    fn an_agent_in_the_usual_setting_is_offline_after_60_s() {
        let usual = Rules {
            schedule: Schedule::Every(Duration::from_secs(30)),
            grace: Duration::from_secs(30),
            paused: false,
        };
        let mut kept = Kept::new("agent", false, 0);
        kept.take(Kind::Success, "", 1_000, &usual);
        for (now_ms, state) in [
            (30_999, State::Up),
            (31_000, State::Late),
            (60_999, State::Late),
            (61_000, State::Down),
        ] {
            assert_eq!(kept.state(&usual, now_ms).0, state, "{now_ms}");
        }
    }

    #[test]
    fn a_run_is_timed_by_its_own_start() {
        let mut kept = Kept::new("job", false, 0);
        kept.take(Kind::Start, "one", 1_000, &RULES);
        kept.take(Kind::Success, "other", 2_000, &RULES);
        assert_eq!((kept.duration_ms, kept.started_ms), (None, Some(1_000)));
        kept.take(Kind::Exit(4), "one", 4_500, &RULES);
        assert_eq!(
            (kept.duration_ms, kept.started_ms, kept.exit_code),
            (Some(3_500), None, Some(4))
        );
        assert_eq!(kept.pings, [1, 1, 1, 0]);
        kept.shift(1_000);
        assert_eq!(
            (kept.success_ms, kept.failure_ms),
            (Some(3_000), Some(5_500))
        );
    }

    #[test]
    fn a_paused_one_is_neither_up_nor_down() {
        let paused = Rules {
            paused: true,
            ..RULES
        };
        let mut kept = Kept::new("job", false, 0);
        kept.take(Kind::Fail, "", 5, &paused);
        assert_eq!(kept.state(&paused, 1_000_000), (State::Paused, 5));
    }

    #[test]
    fn a_failure_while_paused_leaves_since_when_it_is_down() {
        let paused = Rules {
            paused: true,
            ..RULES
        };
        let mut kept = Kept::new("job", false, 0);
        kept.take(Kind::Fail, "", 6, &RULES);
        kept.take(Kind::Fail, "", 9, &paused);
        assert_eq!(kept.state(&RULES, 10), (State::Down, 6));
    }

    #[test]
    fn of_a_body_the_start_is_kept_without_what_steers_terminals() {
        let mut kept = Kept::new("job", false, 0);
        kept.keep_body(b"a\x1b[31m\tb\n\xff\0cut here", 11, 7);
        assert_eq!(kept.body, "a\u{fffd}[31m\tb\n\u{fffd}\u{fffd}");
        kept.keep_body(b"", 11, 9);
        assert_eq!(kept.body_ms, Some(7));
    }
}
