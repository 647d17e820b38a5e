//! Mails that a server took and that came back: to what they are laid, and who is told
//! instead.
//!
//! A bounce is a claim that anybody may make. It does nothing unless it names a mail of
//! ours and somebody whom that mail was for, each such pair counts once, and the most
//! that it does is to have the second contact told.

use std::collections::{BTreeMap, BTreeSet};

use super::event::EventKind;
use super::{Alerter, GroupId, LogKey};
use crate::bounce::{Bounce, Fate, Returned, same};
use crate::episode::{self, Episode, StepKind};
use crate::pairs::Pairs;
use crate::plan::Kind;

/// How long it is known that a mail was sent, in milliseconds: servers try for five
/// days at most, as a rule.
pub(super) const KEEP_MS: i64 = 7 * 86_400_000;

/// Mails that wait for the database at most; the oldest give way.
const WAITING: usize = 10_000;

/// A mail that a server took, as far as one group's news were in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentMail {
    /// Counts them, the oldest first.
    pub id: u64,
    /// What its Message-ID begins with.
    pub name: String,
    /// When it was taken, in milliseconds since 1970.
    pub at_ms: i64,
    /// The group's key; empty for a mail that is no page.
    pub group: String,
    pub receiver: String,
    pub integration: usize,
    pub incident: String,
    /// Messages of the incident with this one.
    pub sent: u32,
    /// The group's labels.
    pub labels: Pairs,
    /// The alerts that it told of.
    pub told: Vec<u64>,
    /// For whom the server took it.
    pub accepted: Vec<String>,
    /// What became of it since, by address.
    pub returned: BTreeMap<String, Fate>,
}

/// A claim that was laid to a mail of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// To whom the mail was sent.
    pub to: String,
    /// What became of it.
    pub fate: Fate,
    /// Why, in a server's words.
    pub said: String,
    /// Whether that was known already, so that nothing was done.
    pub known: bool,
}

/// What a bounce came to.
#[derive(Debug, Default)]
pub(crate) struct Came {
    pub laid: Vec<Laid>,
    /// Steps of episodes that only the database knows.
    pub late: Vec<Late>,
}

/// A step of an episode that may be over.
#[derive(Debug)]
pub(crate) struct Late {
    pub fingerprint: u64,
    /// When the mail was sent that told of it, in milliseconds since 1970.
    pub mail_ms: i64,
    pub kind: StepKind,
    pub detail: std::sync::Arc<str>,
}

/// What is remembered of mails.
#[derive(Debug, Default)]
pub(super) struct Mails {
    pub next: u64,
    /// Those that are to be stored.
    pub dirty: BTreeMap<u64, SentMail>,
    /// The last that came back: when, and what is known of it.
    pub last: Option<(i64, String)>,
}

impl Mails {
    /// Takes what could not be stored.
    pub(super) fn return_all(&mut self, mails: Vec<SentMail>) {
        for mail in mails {
            self.dirty.entry(mail.id).or_insert(mail);
        }
        while self.dirty.len() > WAITING {
            self.dirty.pop_first();
        }
    }
}

impl Alerter {
    /// Remembers a mail that a server took; its number is given to it.
    pub(crate) fn note_mail(&mut self, mut mail: SentMail) {
        mail.id = self.mails.next.max(1);
        self.mails.next = mail.id + 1;
        self.mails.return_all(vec![mail]);
    }

    /// Lays a bounce to the mails that it names, of which the database knows `stored`.
    pub(crate) fn bounced(&mut self, bounce: &Bounce, stored: Vec<SentMail>, now_ms: i64) -> Came {
        let mut mails = self.mails_of(bounce, stored);
        let mut came = Came::default();
        for returned in &bounce.recipients {
            let Some(to) = whom(&mails, returned) else {
                continue;
            };
            let (mut known, mut groups) = (true, BTreeSet::new());
            for mail in mails.iter_mut().filter(|mail| mail.accepted.contains(&to)) {
                if mail.returned.get(&to) >= Some(&returned.fate) {
                    continue;
                }
                mail.returned.insert(to.clone(), returned.fate);
                self.mails.dirty.insert(mail.id, mail.clone());
                known = false;
                // The same mail may have been taken twice.
                if groups.insert(mail.group.clone()) {
                    self.lay(mail, &to, returned, &mut came.late, now_ms);
                }
            }
            if !known {
                let word = returned.fate.as_str();
                *self.counters.bounces.entry(returned.fate).or_default() += 1;
                self.mails.last = Some((now_ms, format!("{word} for {to}: {}", returned.said)));
            }
            came.laid.push(Laid {
                to,
                fate: returned.fate,
                said: returned.said.clone(),
                known,
            });
        }
        self.counters.strays += u64::from(came.laid.is_empty());
        came
    }

    /// The last mails whose names begin so, of which the database knows `stored`; the
    /// newest first.
    pub(crate) fn last_mails(
        &self,
        beginning: &str,
        stored: Vec<SentMail>,
        most: usize,
    ) -> Vec<SentMail> {
        let waiting = self.mails.dirty.values();
        let named = waiting.filter(|mail| mail.name.starts_with(beginning));
        newest_first(named, stored).take(most).collect()
    }

    /// Whether a mail of one of these names is being sent: how that went is not known.
    pub(crate) fn is_under_way(&self, names: &[String]) -> bool {
        let mut flying = self.flying.values();
        flying.any(|flight| flight.kind == Kind::Email && names.contains(&flight.name))
    }

    /// Alerts that the mails of a bounce told of, and whose episodes may be over; with when
    /// each mail was taken.
    pub(crate) fn late_of(&self, bounce: &Bounce, stored: Vec<SentMail>) -> BTreeSet<(u64, i64)> {
        let mails = self.mails_of(bounce, stored);
        let told = mails.iter().flat_map(|mail| {
            let late = mail.told.iter().filter(|it| !self.is_open(**it, mail));
            late.map(|fingerprint| (*fingerprint, mail.at_ms))
        });
        told.collect()
    }

    /// Whether an alert's episode is still the one that a mail told of.
    fn is_open(&self, fingerprint: u64, mail: &SentMail) -> bool {
        let alert = self.alerts.get(&fingerprint);
        alert.is_some_and(|alert| alert.starts_ms <= mail.at_ms)
            && self.episodes.open.contains_key(&fingerprint)
    }

    /// As they are now, the newest first.
    fn mails_of(&self, bounce: &Bounce, stored: Vec<SentMail>) -> Vec<SentMail> {
        let waiting = self.mails.dirty.values();
        let named = waiting.filter(|mail| bounce.mails.contains(&mail.name));
        newest_first(named, stored).collect()
    }

    fn lay(
        &mut self,
        mail: &SentMail,
        to: &str,
        returned: &Returned,
        late: &mut Vec<Late>,
        now_ms: i64,
    ) {
        let (event, kind) = match returned.fate {
            Fate::Failed => (EventKind::Bounced, StepKind::Bounced),
            Fate::Delayed => (EventKind::Delayed, StepKind::Delayed),
        };
        let name = match mail.group.is_empty() {
            true => &mail.name,
            false => &mail.receiver,
        };
        let text = format!("{name}: to {to}: {}", returned.said);
        let detail = episode::detail(&text);
        self.note_more(now_ms, event, Some(&mail.labels), text);
        for fingerprint in &mail.told {
            let open = self.is_open(*fingerprint, mail);
            match self.episodes.touch(*fingerprint).filter(|_| open) {
                Some(open) => open.step(now_ms, kind, &detail),
                None => late.push(Late {
                    fingerprint: *fingerprint,
                    mail_ms: mail.at_ms,
                    kind,
                    detail: std::sync::Arc::clone(&detail),
                }),
            }
        }
        if returned.fate == Fate::Failed {
            self.not_reached(mail, to, now_ms);
        }
    }

    /// Notes who does not have the last message of an incident. Once nobody has it, the
    /// second contact is let know when that has been so for long enough.
    fn not_reached(&mut self, mail: &SentMail, to: &str, now_ms: i64) {
        let key = LogKey {
            group: (&*mail.group).into(),
            receiver: (&*mail.receiver).into(),
            integration: mail.integration,
        };
        let entry = self.log.get_mut(&key);
        let Some(entry) = entry.filter(|it| it.incident == mail.incident) else {
            return;
        };
        // Whoever has it by another mail still has it.
        if entry.reached.get(to) != Some(&mail.sent) {
            return;
        }
        entry.reached.remove(to);
        if !entry.reached.is_empty() {
            self.dirty.log.insert(key);
            return;
        }
        entry.bounced_ms = Some(now_ms);
        let of_receiver = |id: &GroupId| *self.plan.receiver_of(id.route).name == *key.receiver;
        let mut groups = self.groups.iter();
        let found = groups.find(|(id, group)| *group.key == *key.group && of_receiver(id));
        let found = found.map(|(id, _)| *id);
        self.dirty.log.insert(key);
        if let Some(id) = found {
            self.fall_back_when_due(id, now_ms);
        }
    }

    /// Adds a step to an episode, be it over or not.
    pub(crate) fn amend(&mut self, row: Episode, late: &Late, now_ms: i64) {
        let open = self.episodes.open.get(&row.fingerprint);
        if open.is_none_or(|open| open.id != row.id) {
            self.episodes.amend(row, now_ms, late);
        } else if let Some(open) = self.episodes.touch(row.fingerprint) {
            open.step(now_ms, late.kind, &late.detail);
        }
    }

    /// The last mail that came back: when, and what is known of it.
    pub(crate) fn last_bounce(&self) -> Option<&(i64, String)> {
        self.mails.last.as_ref()
    }
}

impl SentMail {
    /// Whether it came back from all whom it was for.
    pub(crate) fn is_lost(&self) -> bool {
        let failed = |to: &String| self.returned.get(to) == Some(&Fate::Failed);
        !self.accepted.is_empty() && self.accepted.iter().all(failed)
    }

    /// A mail that tells of no group.
    pub(crate) fn of_notice(
        name: String,
        receiver: String,
        accepted: Vec<String>,
        at_ms: i64,
    ) -> Self {
        Self {
            id: 0,
            name,
            at_ms,
            group: String::new(),
            receiver,
            integration: 0,
            incident: String::new(),
            sent: 0,
            labels: Pairs::default(),
            told: Vec::new(),
            accepted,
            returned: BTreeMap::new(),
        }
    }
}

/// Mails as they are now: what waits for the database is newer than what it has.
fn newest_first<'a>(
    waiting: impl Iterator<Item = &'a SentMail>,
    stored: Vec<SentMail>,
) -> impl Iterator<Item = SentMail> {
    let mut mails: BTreeMap<u64, SentMail> =
        stored.into_iter().map(|mail| (mail.id, mail)).collect();
    mails.extend(waiting.map(|mail| (mail.id, mail.clone())));
    mails.into_values().rev()
}

/// Whom of those that we sent these mails to a report speaks of. Mail that is sent on may
/// come back from somebody else; with one recipient of a page it is clear whose it was.
fn whom(mails: &[SentMail], returned: &Returned) -> Option<String> {
    let ours: BTreeSet<&String> = mails.iter().flat_map(|mail| &mail.accepted).collect();
    let named = |to: &&&String| returned.addresses.iter().any(|it| same(it, to));
    let found = ours.iter().find(named).copied();
    let page = mails.iter().any(|mail| !mail.group.is_empty());
    let only = ours.first().copied().filter(|_| page && ours.len() == 1);
    found.or(only).cloned()
}
