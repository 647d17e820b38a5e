//! Who is on call: people who take turns, a week or more each.
//!
//! Pure: who it is follows from the time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lettre::message::Mailbox;

/// Seconds of a week on the wall.
const WEEK: i64 = 7 * 86_400;

/// People who take turns.
#[derive(Debug, Clone)]
pub(crate) struct Rota {
    /// How recipients name it.
    pub name: String,
    /// In the order of their turns; never empty.
    pub people: Vec<Mailbox>,
    /// Weeks that a turn lasts, at least 1.
    pub weeks: i64,
    /// When the first one's turn began, on the wall.
    pub since: DateTime,
    /// Whose wall.
    pub zone: TimeZone,
}

impl Rota {
    /// Who is on call at a time, in milliseconds since 1970.
    pub(crate) fn at(&self, now_ms: i64) -> &Mailbox {
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        // On the wall, so that a turn begins at the same hour all the year.
        let wall = self.zone.to_datetime(now);
        let passed = wall.duration_since(self.since).as_secs();
        let turn = passed.div_euclid(WEEK * self.weeks.max(1));
        let count = i64::try_from(self.people.len()).unwrap_or(1).max(1);
        let at = usize::try_from(turn.rem_euclid(count)).unwrap_or(0);
        &self.people[at]
    }
}

/// Whom a mail goes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recipients {
    /// Always.
    pub fixed: Vec<Mailbox>,
    /// Whoever is on call of each.
    pub rotas: Vec<Rota>,
}

impl Recipients {
    /// Everybody at a time, in milliseconds since 1970; nobody twice.
    pub(crate) fn at(&self, now_ms: i64) -> Vec<Mailbox> {
        let mut all = self.fixed.clone();
        for one in self.rotas.iter().map(|rota| rota.at(now_ms)) {
            if !all.iter().any(|known| known.email == one.email) {
                all.push(one.clone());
            }
        }
        all
    }

    /// For people: addresses, and the names of rotas.
    pub(crate) fn words(&self) -> String {
        let fixed = self.fixed.iter().map(|to| to.email.to_string());
        let rotas = self
            .rotas
            .iter()
            .map(|rota| format!("on call ({})", rota.name));
        fixed.chain(rotas).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rota(weeks: i64, zone: &str) -> Rota {
        Rota {
            name: "ops".into(),
            people: ["a@x.org", "b@x.org", "c@x.org"]
                .map(|it| it.parse().unwrap())
                .into(),
            weeks,
            since: "2026-01-05T09:00".parse().unwrap(),
            zone: TimeZone::get(zone).unwrap(),
        }
    }

    fn on_call(rota: &Rota, at: &str) -> String {
        let at: Timestamp = at.parse().unwrap();
        rota.at(at.as_millisecond()).email.user().to_owned()
    }

    #[test]
    fn turns_change_at_the_hour_on_the_wall_through_summer_time_and_before_the_first() {
        let berlin = rota(1, "Europe/Berlin");
        for (at, wanted) in [
            ("2026-01-05T07:59:59Z", "c"),
            ("2026-01-05T08:00:00Z", "a"),
            ("2026-01-12T07:59:59Z", "a"),
            ("2026-01-12T08:00:00Z", "b"),
            ("2026-01-26T08:00:00Z", "a"),
            // Twelve weeks on, it is summer: nine o'clock comes an hour earlier.
            ("2026-03-30T06:59:59Z", "c"),
            ("2026-03-30T07:00:00Z", "a"),
            ("2025-12-29T08:00:00Z", "c"),
        ] {
            assert_eq!(on_call(&berlin, at), wanted, "{at}");
        }
        let long = rota(2, "UTC");
        assert_eq!(on_call(&long, "2026-01-18T12:00:00Z"), "a");
        assert_eq!(on_call(&long, "2026-01-19T09:00:00Z"), "b");
    }

    #[test]
    fn nobody_is_mailed_twice() {
        let to = Recipients {
            fixed: vec!["a@x.org".parse().unwrap(), "d@x.org".parse().unwrap()],
            rotas: vec![rota(1, "UTC")],
        };
        let first: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let users = |at: Timestamp| -> Vec<String> {
            let all = to.at(at.as_millisecond());
            all.iter().map(|it| it.email.user().to_owned()).collect()
        };
        assert_eq!(users(first), ["a", "d"]);
        assert_eq!(
            users("2026-01-12T10:00:00Z".parse().unwrap()),
            ["a", "d", "b"]
        );
        assert_eq!(to.words(), "a@x.org, d@x.org, on call (ops)");
    }
}
