//! From `on_call` to people who take turns, and recipients that name them.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lettre::message::{Mailbox, Mailboxes};

use super::Config;
use super::compile::Problems;
use super::intervals::zone;
use crate::rota::{Recipients, Rota};
use crate::whom::ON_CALL;

settings::section! {
    /// People who take turns at being told. A list of recipients, such as `mail.to`,
    /// names them as `on-call:NAME`.
    pub struct OnCall {
        /// What they are called in lists of recipients.
        pub name: String = String::new(),
        /// Their addresses, in the order of their turns.
        pub people: Vec<String> = vec![],
        /// When the turn of the first one began: `2026-01-05 09:00`. Turns change at
        /// that hour of that day of the week.
        pub since: String = String::new(),
        /// How many weeks a turn lasts.
        pub weeks: usize = 1,
        /// The time zone, such as `Europe/Berlin`, `UTC` or `Local`.
        pub location: String = "UTC".into(),
    }
}

/// People who take turns, by name.
pub(super) type Rotas = BTreeMap<String, Rota>;

pub(super) fn compile(config: &Config, problems: &mut Problems) -> Rotas {
    let mut rotas = Rotas::new();
    for (at, section) in config.on_call.iter().enumerate() {
        let key = format!("alerter.on_call[{at}]");
        let mut bad =
            |field: &str, message: String| problems.add(format!("{key}.{field}"), message);
        if section.name.is_empty() || section.name.contains([',', ' ']) {
            bad("name", "give it a name of one word".into());
        }
        if section.people.is_empty() {
            bad("people", "say who takes turns".into());
        }
        if !(1..=52).contains(&section.weeks) {
            bad("weeks", "a turn lasts 1 to 52 weeks".into());
        }
        let mut people = Vec::new();
        for (at, text) in section.people.iter().enumerate() {
            match text.parse::<Mailbox>() {
                Ok(one) => people.push(one),
                Err(err) => bad(
                    &format!("people[{at}]"),
                    format!("{text:?} is not an address: {err}"),
                ),
            }
        }
        let since: Option<DateTime> = section.since.parse().ok();
        if since.is_none() {
            let text = &section.since;
            bad(
                "since",
                format!("{text:?} is no time such as 2026-01-05 09:00"),
            );
        }
        let zone = zone(&section.location).unwrap_or_else(|err| {
            bad("location", err);
            TimeZone::UTC
        });
        let Some(since) = since.filter(|_| !people.is_empty()) else {
            continue;
        };
        let rota = Rota {
            name: section.name.clone(),
            people,
            weeks: i64::try_from(section.weeks).unwrap_or(1),
            since,
            zone,
        };
        if rotas.insert(section.name.clone(), rota).is_some() {
            let message = format!("on-call name {:?} is not unique", section.name);
            problems.add(format!("{key}.name"), message);
        }
    }
    rotas
}

/// Recipients, parted by commas; none if there are none, or they are wrong.
pub(super) fn recipients(
    text: &str,
    key: &str,
    rotas: &Rotas,
    problems: &mut Problems,
) -> Option<Recipients> {
    if text.is_empty() {
        return None;
    }
    let mut to = Recipients::default();
    let mut sound = true;
    let mut others = Vec::new();
    for part in text.split(',') {
        let Some(name) = part.trim().strip_prefix(ON_CALL) else {
            others.push(part);
            continue;
        };
        match rotas.get(name) {
            Some(rota) => to.rotas.push(rota.clone()),
            None => {
                problems.add(
                    key,
                    format!("nobody is on call as {name:?}; see alerter.on_call"),
                );
                sound = false;
            }
        }
    }
    let others = others.join(",");
    if !others.trim().is_empty() {
        match others.parse::<Mailboxes>() {
            Ok(list) => to.fixed = list.into_iter().collect(),
            Err(err) => {
                problems.add(key, format!("{text:?} is not a list of addresses: {err}"));
                sound = false;
            }
        }
    }
    if sound && to.fixed.is_empty() && to.rotas.is_empty() {
        problems.add(key, format!("{text:?} is not a list of addresses"));
        sound = false;
    }
    sound.then_some(to)
}
