//! Which heartbeats were lost together, so that one alert stands for them.

use std::collections::BTreeSet;

use super::State;
use super::book::Inner;

/// Who is lost within so long of the first is lost together with it.
const WITHIN_MS: i64 = 5 * 60_000;

impl Inner {
    /// Notes of each that is down with whom it was lost. By the time at which that was
    /// seen: nobody was heard while we were away, and all who are missed after that are
    /// missed at once. It stays while it is down, whoever comes back.
    pub(super) fn note_losses(&mut self, now_ms: i64) {
        let mut fresh = Vec::new();
        let mut losses = BTreeSet::new();
        for (name, beat) in &mut self.beats {
            let down = beat.kept.state(&beat.rules, now_ms).0 == State::Down;
            match beat.kept.lost_ms {
                Some(lost_ms) if down => {
                    losses.insert(lost_ms);
                }
                None if down => fresh.push(name.clone()),
                Some(_) => {
                    beat.kept.lost_ms = None;
                    self.dirty.insert(name.clone());
                }
                None => {}
            }
        }
        let with = losses.range(now_ms - WITHIN_MS..=now_ms).next_back();
        let lost_ms = with.copied().unwrap_or(now_ms);
        for name in fresh {
            if let Some(beat) = self.beats.get_mut(&name) {
                beat.kept.lost_ms = Some(lost_ms);
                self.dirty.insert(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::heartbeat::{Book, Config, Ping};

    /// Which losses the page tells of at a time, in seconds.
    fn told(book: &Book, now: i64) -> Vec<String> {
        let page = book.page(now * 1000);
        let lines = page.lines();
        let told = lines.filter_map(|line| line.strip_prefix("belfry_heartbeat_lost_info"));
        let lost = told.filter(|line| line.ends_with(" 1"));
        lost.map(str::to_owned).collect()
    }

    #[test]
    fn who_is_lost_within_five_minutes_of_the_first_is_lost_with_it() {
        let text = "expect: {a: {}, b: {}, c: {}, d: {}, e: {}}";
        let config: Config = settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap();
        let book = Book::new(&config, "UTC", Vec::new(), 0);
        let ping = |path: &str, now: i64| {
            let ping = Ping {
                path,
                ..Ping::default()
            };
            book.ping(&ping, now * 1000).unwrap();
        };
        let line = |name: &str, lost: &str| format!("{{heartbeat=\"{name}\",lost=\"{lost}\"}} 1");
        let (first, second) = ("1970-01-01T00:00:10Z", "1970-01-01T00:05:30Z");
        assert_eq!(told(&book, 0), Vec::<String>::new());
        ping("a/fail", 10);
        assert_eq!(told(&book, 10), [line("a", first)]);
        ping("b/fail", 309);
        assert_eq!(told(&book, 310), [line("a", first), line("b", first)]);
        // Five minutes after the first, and not after the last.
        ping("c/fail", 330);
        let all = [line("a", first), line("b", first), line("c", second)];
        assert_eq!(told(&book, 330), all);
        // The first one comes back, and others are lost long after.
        ping("a", 400);
        assert_eq!(told(&book, 400), all[1..]);
        let page = book.page(400_000);
        assert!(page.contains("\nbelfry_heartbeat_lost_info{heartbeat=\"a\"} 0\n"));
        // A restart changes nothing.
        let (kept, _) = book.changes();
        let book = Book::new(&config, "UTC", kept, 500_000);
        assert_eq!(told(&book, 500), all[1..]);
        // Nor does a step of the clock.
        book.shift(60_000);
        assert_eq!(told(&book, 560), all[1..]);
    }

    #[test]
    fn who_is_missed_after_a_time_away_was_lost_with_all_others() {
        let text = "expect: {often: {period: 60s, grace: 60s}, daily: {period: 3600s, grace: 60s}}";
        let config: Config = settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap();
        let book = Book::new(&config, "UTC", Vec::new(), 0);
        for path in ["often", "daily"] {
            let ping = Ping {
                path,
                ..Ping::default()
            };
            book.ping(&ping, 0).unwrap();
        }
        let (kept, _) = book.changes();
        let book = Book::new(&config, "UTC", kept, 86_400_000);
        let lost = told(&book, 86_400);
        assert_eq!(lost.len(), 2);
        assert!(
            lost.iter()
                .all(|line| line.contains("lost=\"1970-01-02T00:00:00Z\"")),
            "{lost:?}"
        );
    }
}
