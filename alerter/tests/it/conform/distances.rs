//! How far from each other the same message came, by kind of scenario.

use std::collections::BTreeMap;
use std::fmt;

/// What times may differ by on an idle machine, in milliseconds.
const NEAR_MS: i64 = 100;

/// More than this no load excuses, in milliseconds.
const FAR_MS: i64 = 900;

#[derive(Debug, Default)]
struct OfKind {
    messages: usize,
    worst_ms: i64,
    worst: String,
    /// What was allowed beyond `NEAR_MS`, in milliseconds.
    widened_ms: i64,
    /// By how much ours came later, in milliseconds.
    later_ms: Vec<i64>,
}

/// Of all messages that both sent.
#[derive(Debug, Default)]
pub(super) struct Distances(BTreeMap<String, OfKind>);

/// What times may differ by where a plain timer was late by so much, in
/// milliseconds: once at either end.
pub(super) fn near_ms(late_ms: i64) -> i64 {
    (NEAR_MS + 2 * late_ms).min(FAR_MS)
}

impl Distances {
    /// Notes how far from each other they were; says so if it is too far, which the
    /// machine alone may have done (see `play::calm`).
    pub(super) fn note(
        &mut self,
        kind: &str,
        what: &str,
        distance_ms: i64,
        late_ms: i64,
    ) -> Option<String> {
        let of = self.0.entry(kind.to_owned()).or_default();
        let near_ms = near_ms(late_ms);
        of.messages += 1;
        of.later_ms.push(distance_ms);
        of.widened_ms = of.widened_ms.max(near_ms - NEAR_MS);
        if distance_ms.abs() >= of.worst_ms {
            of.worst_ms = distance_ms.abs();
            what.clone_into(&mut of.worst);
        }
        (distance_ms.abs() > near_ms)
            .then(|| format!("{what}: {distance_ms} ms apart, {near_ms} ms are allowed"))
    }

    /// Says so if ours are later, or sooner, as a rule: no load excuses that, as it is
    /// either one's as often.
    pub(super) fn shift(&self) -> Option<String> {
        let median_ms = self.median_ms()?;
        (median_ms.abs() > NEAR_MS).then(|| {
            let way = if median_ms > 0 { "later" } else { "sooner" };
            format!("half of ours are {way} by {} ms or more", median_ms.abs())
        })
    }

    fn median_ms(&self) -> Option<i64> {
        let all = self.0.values().flat_map(|of| &of.later_ms);
        let mut all: Vec<i64> = all.copied().collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    }

    /// Takes over what another run noted.
    pub(super) fn add(&mut self, other: Self) {
        for (kind, seen) in other.0 {
            let of = self.0.entry(kind).or_default();
            of.messages += seen.messages;
            of.later_ms.extend(seen.later_ms);
            of.widened_ms = of.widened_ms.max(seen.widened_ms);
            if seen.worst_ms >= of.worst_ms {
                (of.worst_ms, of.worst) = (seen.worst_ms, seen.worst);
            }
        }
    }

    /// Whether there are messages of a kind.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.0.contains_key(kind)
    }
}

impl fmt::Display for Distances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kind of scenario | messages | worst distance | allowed")?;
        for (kind, of) in &self.0 {
            writeln!(
                f,
                "{kind} | {} | {} ms ({}) | {NEAR_MS} ms and {} ms for the load",
                of.messages, of.worst_ms, of.worst, of.widened_ms
            )?;
        }
        let worst = self.0.values().max_by_key(|of| of.worst_ms);
        let widened = self.0.values().map(|of| of.widened_ms).max();
        if let (Some(worst), Some(widened)) = (worst, widened) {
            let messages: usize = self.0.values().map(|of| of.messages).sum();
            writeln!(
                f,
                "all | {messages} | {} ms ({}) | {NEAR_MS} ms and {widened} ms for the load",
                worst.worst_ms, worst.worst
            )?;
        }
        if let Some(median_ms) = self.median_ms() {
            write!(f, "half of ours were later by {median_ms} ms or less")?;
        }
        Ok(())
    }
}
