//! What the probes of one target come to over time: up or down after so many in
//! a row, flapping, and a strip of the last ones for the page.

use std::collections::VecDeque;

use serde::Serialize;

use super::Reason;

/// So many probes are shown.
const SHOWN: usize = 60;
/// Changes within this count as flapping.
const HOUR_MS: i64 = 3_600_000;

/// One probe, on the strip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tick {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// Why it failed, if it did.
    pub reason: Option<Reason>,
}

/// Up or down, and how that came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Track {
    ticks: VecDeque<Tick>,
    up: Option<bool>,
    since_ms: i64,
    in_a_row: u32,
    changes: u64,
    /// Times at which good and bad took turns.
    turns: VecDeque<i64>,
}

/// How many in a row it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(super) down_after: u32,
    pub(super) up_after: u32,
    pub(super) flapping_after: u32,
}

impl Track {
    /// Takes a probe.
    pub fn take(&mut self, tick: Tick, limits: Limits) {
        let good = tick.reason.is_none();
        let before = self.ticks.back().map(|last| last.reason.is_none());
        self.in_a_row = if before == Some(good) {
            self.in_a_row.saturating_add(1)
        } else {
            1
        };
        if before.is_some_and(|before| before != good) {
            self.turns.push_back(tick.at_ms);
            while self.turns.len() > SHOWN {
                self.turns.pop_front();
            }
        }
        let wanted = if good {
            limits.up_after
        } else {
            limits.down_after
        };
        match self.up {
            // The first one decides alone: nothing is known that could flap.
            None => {
                self.up = Some(good);
                self.since_ms = tick.at_ms;
            }
            Some(up) if up != good && self.in_a_row >= wanted => {
                self.up = Some(good);
                self.since_ms = tick.at_ms;
                self.changes += 1;
            }
            Some(_) => {}
        }
        self.ticks.push_back(tick);
        if self.ticks.len() > SHOWN {
            self.ticks.pop_front();
        }
    }

    /// Whether it is up; nothing before the first probe.
    #[must_use]
    pub fn up(&self) -> Option<bool> {
        self.up
    }

    /// Since when it is up or down.
    #[must_use]
    pub fn since_ms(&self) -> i64 {
        self.since_ms
    }

    /// How often it went up or down.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether good and bad take turns too often.
    #[must_use]
    pub fn flapping(&self, now_ms: i64, limits: Limits) -> bool {
        let recent = self
            .turns
            .iter()
            .filter(|at_ms| now_ms - **at_ms < HOUR_MS)
            .count();
        limits.flapping_after > 0
            && recent >= usize::try_from(limits.flapping_after).unwrap_or(usize::MAX)
    }

    /// The last probes, oldest first.
    pub fn ticks(&self) -> impl Iterator<Item = &Tick> {
        self.ticks.iter()
    }

    /// Moves all times: the wall clock was stepped.
    pub fn shift(&mut self, delta_ms: i64) {
        self.since_ms += delta_ms;
        for tick in &mut self.ticks {
            tick.at_ms += delta_ms;
        }
        for at_ms in &mut self.turns {
            *at_ms += delta_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        down_after: 2,
        up_after: 3,
        flapping_after: 4,
    };

    /// A track after `+` for good and `-` for bad, a second each.
    fn after(signs: &str) -> Track {
        let mut track = Track::default();
        for (at, sign) in signs.chars().enumerate() {
            let reason = (sign == '-').then_some(Reason::Refused);
            let at_ms = i64::try_from(at).unwrap() * 1000;
            track.take(
                Tick {
                    at_ms,
                    took_ms: 1.0,
                    reason,
                },
                LIMITS,
            );
        }
        track
    }

    #[test]
    fn so_many_in_a_row_decide() {
        for (signs, up, since_s, changes) in [
            ("", None, 0, 0),
            ("+", Some(true), 0, 0),
            ("-", Some(false), 0, 0),
            ("+-", Some(true), 0, 0),
            ("+-+-+", Some(true), 0, 0),
            ("+--", Some(false), 2, 1),
            ("+--++", Some(false), 2, 1),
            ("+--++-+++", Some(true), 8, 2),
        ] {
            let track = after(signs);
            assert_eq!(
                (track.up(), track.since_ms() / 1000, track.changes()),
                (up, since_s, changes),
                "{signs}"
            );
        }
    }

    #[test]
    fn taking_turns_within_an_hour_is_flapping() {
        for (signs, now_s, flapping) in [
            ("+-+-", 4, false),
            ("+-+-+", 5, true),
            ("+-+-+", 3601, false),
            ("+++---+++", 9, false),
        ] {
            assert_eq!(
                after(signs).flapping(now_s * 1000, LIMITS),
                flapping,
                "{signs} at {now_s}"
            );
        }
    }

    #[test]
    fn the_strip_has_an_end() {
        let track = after(&"+-".repeat(500));
        assert_eq!(track.ticks().count(), SHOWN);
        assert!(track.turns.len() <= SHOWN);
    }
}
