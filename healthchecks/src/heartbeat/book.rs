//! All heartbeats: who may ping what, and what is still to be written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ping::{Address, parse, same, uuid};
use super::record::Rules;
use super::{Config, Kept, Kind, Ping, Schedule};

/// A ping was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The heartbeat.
    pub name: String,
    /// What happened.
    pub kind: Kind,
    /// Whether the ping made the heartbeat.
    pub made: bool,
}

/// Why a ping was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody expects it.
    #[error("no heartbeat is expected there")]
    Unknown,
    /// It needs a token, and this is not it.
    #[error("the token is missing or wrong")]
    Token,
    /// The path is none.
    #[error("no such ping: /ping/NAME, then /start, /fail, /log or an exit code up to 255")]
    Invalid,
    /// There are as many heartbeats as there may be.
    #[error("there are as many heartbeats as there may be")]
    Full,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Token, Self::Invalid, Self::Full];

    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Token => "token",
            Self::Invalid => "invalid",
            Self::Full => "full",
        }
    }
}

/// All heartbeats of this host.
#[derive(Debug, Default)]
pub struct Book(Mutex<Inner>);

#[derive(Debug, Default)]
pub(super) struct Inner {
    config: Config,
    pub(super) beats: BTreeMap<String, Beat>,
    uuids: BTreeMap<u128, String>,
    pub(super) dirty: BTreeSet<String>,
    gone: BTreeSet<String>,
    pub(super) refused: [u64; Refusal::ALL.len()],
}

#[derive(Debug)]
pub(super) struct Beat {
    pub(super) kept: Kept,
    pub(super) rules: Rules,
    pub(super) labels: Vec<(String, String)>,
    token: settings::Secret,
}

impl Book {
    /// The heartbeats of a configuration, with what was kept of them. `zone`
    /// is where the configuration is at home.
    #[must_use]
    pub fn new(config: &Config, zone: &str, kept: Vec<Kept>, now_ms: i64) -> Self {
        let book = Self::default();
        {
            let mut inner = book.lock();
            // The clock was set back while nobody listened.
            let newest_ms = kept.iter().filter_map(Kept::newest_ms).max();
            let ahead_ms = newest_ms.map_or(0, |newest_ms| (newest_ms - now_ms).max(0));
            for mut kept in kept {
                kept.shift(-ahead_ms);
                let beat = inner.made(kept);
                inner.beats.insert(beat.kept.name.clone(), beat);
            }
        }
        book.configure(config, zone, now_ms);
        book
    }

    /// Puts another configuration in force; heartbeats that it does not know
    /// any more are forgotten, those that pings made stay.
    pub fn configure(&self, config: &Config, zone: &str, now_ms: i64) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.config = config.clone();
        inner.uuids.clear();
        for (name, expected) in &config.expect {
            let fresh = !inner.beats.contains_key(name);
            let kept = inner
                .beats
                .remove(name)
                .map_or_else(|| Kept::new(name, false, now_ms), |beat| beat.kept);
            // Faults were told when the configuration was read.
            let schedule = expected
                .schedule(zone)
                .unwrap_or(Schedule::Every(expected.period));
            inner.beats.insert(
                name.clone(),
                Beat {
                    kept: Kept {
                        made: false,
                        ..kept
                    },
                    rules: Rules {
                        schedule,
                        grace: expected.grace,
                        paused: expected.paused,
                    },
                    labels: expected.labels.clone().into_iter().collect(),
                    token: expected.token.clone(),
                },
            );
            if fresh {
                inner.dirty.insert(name.clone());
            }
            if let Some(id) = uuid(&expected.uuid) {
                inner.uuids.insert(id, name.clone());
            }
        }
        let names: Vec<_> = inner.beats.keys().cloned().collect();
        for name in names {
            if config.expect.contains_key(&name) {
                continue;
            }
            let Some(beat) = inner.beats.remove(&name) else {
                continue;
            };
            if beat.kept.made {
                let beat = inner.made(beat.kept);
                inner.beats.insert(name, beat);
            } else {
                inner.dirty.remove(&name);
                inner.gone.insert(name);
            }
        }
    }

    /// Takes a ping, or says why not.
    pub fn ping(&self, ping: &Ping<'_>, now_ms: i64) -> Result<Taken, Refusal> {
        let mut inner = self.lock();
        let result = inner.ping(ping, now_ms);
        if let Err(refusal) = &result {
            inner.refused[*refusal as usize] += 1;
        }
        result
    }

    /// Whether a path is a ping without `/ping/` in front, as hc-ping.com has them: only
    /// those by a UUID or with the ping key are.
    #[must_use]
    pub fn takes_bare(&self, path: &str) -> bool {
        let inner = self.lock();
        let read = parse(path, inner.config.ping_key.expose());
        matches!(read, Some((Address::Uuid(_) | Address::Keyed(_), _)))
    }

    /// The most of a body that is kept, in bytes.
    #[must_use]
    pub fn most_body(&self) -> usize {
        usize::try_from(self.lock().config.body.bytes()).unwrap_or(usize::MAX)
    }

    /// What has changed since this was asked last, and which heartbeats are gone.
    #[must_use]
    pub fn changes(&self) -> (Vec<Kept>, Vec<String>) {
        let mut inner = self.lock();
        let dirty = std::mem::take(&mut inner.dirty);
        let gone = std::mem::take(&mut inner.gone);
        let kept = dirty
            .iter()
            .filter_map(|name| Some(inner.beats.get(name)?.kept.clone()))
            .collect();
        (kept, gone.into_iter().collect())
    }

    /// What could not be written is to be written again.
    pub fn unwritten(&self, kept: &[Kept], gone: Vec<String>) {
        let mut inner = self.lock();
        inner
            .dirty
            .extend(kept.iter().map(|kept| kept.name.clone()));
        let gone = gone
            .into_iter()
            .filter(|name| !inner.beats.contains_key(name))
            .collect::<Vec<_>>();
        inner.gone.extend(gone);
    }

    /// Moves all times: the wall clock was stepped by `delta_ms`.
    pub fn shift(&self, delta_ms: i64) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        for (name, beat) in &mut inner.beats {
            beat.kept.shift(delta_ms);
            inner.dirty.insert(name.clone());
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A heartbeat that a ping made.
    fn made(&self, kept: Kept) -> Beat {
        Beat {
            kept,
            rules: Rules {
                schedule: Schedule::Every(self.config.period),
                grace: self.config.grace,
                paused: false,
            },
            labels: Vec::new(),
            token: settings::Secret::default(),
        }
    }

    fn ping(&mut self, ping: &Ping<'_>, now_ms: i64) -> Result<Taken, Refusal> {
        let (address, kind) =
            parse(ping.path, self.config.ping_key.expose()).ok_or(Refusal::Invalid)?;
        let name = match address {
            Address::Uuid(id) => self.uuids.get(&id).ok_or(Refusal::Unknown)?.clone(),
            Address::Keyed(name) | Address::Name(name) => name.to_owned(),
        };
        if matches!(address, Address::Name(_)) && !self.allows(&name, ping.token) {
            return Err(Refusal::Token);
        }
        let made = !self.beats.contains_key(&name);
        if made {
            let wanted = matches!(address, Address::Name(_)) || ping.create;
            if !self.config.create || !wanted {
                return Err(Refusal::Unknown);
            }
            if self.beats.len() >= self.config.most {
                return Err(Refusal::Full);
            }
            let beat = self.made(Kept::new(&name, true, now_ms));
            self.gone.remove(&name);
            self.beats.insert(name.clone(), beat);
        }
        let most = usize::try_from(self.config.body.bytes()).unwrap_or(usize::MAX);
        if let Some(beat) = self.beats.get_mut(&name) {
            beat.kept.take(
                kind,
                &ping.run[..ping.run.floor_char_boundary(64)],
                now_ms,
                &beat.rules,
            );
            beat.kept.keep_body(ping.body, most, now_ms);
        }
        if !self.dirty.contains(&name) {
            self.dirty.insert(name.clone());
        }
        Ok(Taken { name, kind, made })
    }

    /// Whether this token is good for this name. A heartbeat's own token wins over the common one.
    fn allows(&self, name: &str, token: &str) -> bool {
        let own = self
            .beats
            .get(name)
            .map(|beat| &beat.token)
            .filter(|own| !own.is_empty());
        let wanted = own.unwrap_or(&self.config.token);
        wanted.is_empty() || same(wanted.expose().as_bytes(), token.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::State;

    const UUID: &str = "3f8e8f0a-6c1b-4a53-9b43-7f0a1d2c3b4e";

    fn config(text: &str) -> Config {
        settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap()
    }

    fn book(text: &str) -> Book {
        Book::new(&config(text), "UTC", Vec::new(), 0)
    }

    fn ping(book: &Book, path: &str, token: &str) -> Result<String, Refusal> {
        let ping = Ping {
            path,
            token,
            ..Ping::default()
        };
        book.ping(&ping, 1).map(|taken| taken.name)
    }

    #[test]
    fn each_form_of_a_ping_has_its_own_secret() {
        let book = book(&format!(
            "{{ping_key: kk, token: tt, expect: {{a: {{uuid: {UUID}}}, b: {{token: bb}}}}}}"
        ));
        for (path, token, expected) in [
            ("a", "tt", Ok("a")),
            ("a", "", Err(Refusal::Token)),
            ("b", "bb", Ok("b")),
            ("b", "tt", Err(Refusal::Token)),
            ("unknown", "", Err(Refusal::Token)),
            ("unknown", "tt", Err(Refusal::Unknown)),
            (UUID, "", Ok("a")),
            (
                "3f8e8f0a-6c1b-4a53-9b43-000000000000",
                "",
                Err(Refusal::Unknown),
            ),
            ("kk/b/fail", "", Ok("b")),
            ("kk/unknown", "", Err(Refusal::Unknown)),
            ("nokey/b", "tt", Err(Refusal::Invalid)),
        ] {
            assert_eq!(
                ping(&book, path, token),
                expected.map(str::to_owned),
                "{path} {token}"
            );
        }
        assert_eq!(book.lock().refused, [3, 3, 1, 0]);
    }

    #[test]
    fn pings_make_heartbeats_only_where_they_may_and_only_so_many() {
        assert_eq!(ping(&book("{}"), "a", ""), Err(Refusal::Unknown));
        let book = book("{create: true, most: 3, expect: {a: {}}, ping_key: kk}");
        for (path, expected) in [
            ("b", Ok("b".to_owned())),
            ("c", Ok("c".to_owned())),
            ("d", Err(Refusal::Full)),
            ("b", Ok("b".to_owned())),
        ] {
            assert_eq!(ping(&book, path, ""), expected);
        }
        assert_eq!(
            ping(&book, "kk/d", ""),
            Err(Refusal::Unknown),
            "Healthchecks makes none unasked"
        );
    }

    #[test]
    fn what_was_kept_goes_on_and_what_is_configured_no_more_is_forgotten() {
        let first = book("{create: true, expect: {a: {}, b: {}}}");
        ping(&first, "a", "").unwrap();
        ping(&first, "made/fail", "").unwrap();
        let (kept, gone) = first.changes();
        assert_eq!((kept.len(), gone.len()), (3, 0));
        assert_eq!(first.changes().0, [], "once");
        let second = Book::new(&config("expect: {a: {}, c: {}}"), "UTC", kept, 5);
        let states: Vec<_> = second
            .lock()
            .beats
            .iter()
            .map(|(name, beat)| (name.clone(), beat.kept.state(&beat.rules, 6).0))
            .collect();
        assert_eq!(
            states,
            [
                ("a".to_owned(), State::Up),
                ("c".to_owned(), State::New),
                ("made".to_owned(), State::Down)
            ]
        );
        let (kept, gone) = second.changes();
        assert_eq!((kept.len(), gone.clone()), (1, vec!["b".to_owned()]));
        second.unwritten(&kept, gone);
        assert_eq!(second.changes().1, ["b"]);
    }
}
