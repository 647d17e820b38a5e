//! Whom a mail goes to, and whom it is from, where templates say that for each
//! group of alerts.
//!
//! A page is not lost for a template: what it says is read address by address, of
//! those that are none each is told, and where none is left the addresses that are
//! named for that case stand in. Nothing here sends anything.

use lettre::message::Mailbox;
use tmpl::{Mode, Template};

use crate::health::{Class, Failure, one_line};
use crate::notification::Notification;
use crate::rota::{Recipients, Rota};
use crate::words;

/// How recipients name people who take turns: `on-call:ops`.
pub(crate) const ON_CALL: &str = "on-call:";

/// Names that a template may give; no mail server takes a mail for more.
const PEOPLE: usize = 1_000;

/// Characters of what is no address that are told.
const SHOWN: usize = 100;

/// Whom mails go to.
#[derive(Debug, Clone)]
pub(crate) enum To {
    /// The same people for every group.
    Fixed(Recipients),
    /// Whom a template says.
    Template {
        template: Template,
        /// The template as it was written, for people.
        text: String,
        /// Who may be called by a name.
        rotas: Vec<Rota>,
        /// Who is told where the template says nobody.
        fallback: Recipients,
    },
}

/// Whom mails are from.
#[derive(Debug, Clone)]
pub(crate) enum From {
    Fixed(Mailbox),
    Template {
        template: Template,
        /// Who it is where the template says nobody.
        fallback: Option<Mailbox>,
    },
}

/// Whom one mail goes to, and whom it is from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whom {
    /// Nobody twice.
    pub to: Vec<Mailbox>,
    pub from: Option<Mailbox>,
    /// What stands where an address should, and what is wrong with it.
    pub faults: Vec<(String, Failure)>,
}

impl To {
    /// For people: addresses, the names of rotas, or the template.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Fixed(to) => to.words(),
            Self::Template { text, .. } => one_line(text),
        }
    }
}

impl Whom {
    /// For a message.
    pub(crate) fn of(to: &To, from: &From, message: &Notification) -> Self {
        let mut whom = Self::without(to, from, message.now_ms);
        if let To::Template {
            template, rotas, ..
        } = to
        {
            let named = whom.said("to", template, message);
            let named = named.map(|text| whom.people(&text, rotas, message.now_ms));
            if let Some(named) = named.filter(|named| !named.is_empty()) {
                whom.to = named;
            }
        }
        if let From::Template { template, .. } = from
            && let Some(text) = whom.said("from", template, message)
        {
            match text.trim().parse() {
                Ok(from) => whom.from = Some(from),
                Err(err) => whom.fault(&text, format!("from: {text:?} is no address: {err}")),
            }
        }
        whom
    }

    /// For a mail that tells of no group: whom no template says.
    pub(crate) fn without(to: &To, from: &From, now_ms: i64) -> Self {
        let (To::Fixed(to) | To::Template { fallback: to, .. }) = to;
        Self {
            to: to.at(now_ms),
            from: match from {
                From::Fixed(from) => Some(from.clone()),
                From::Template { fallback, .. } => fallback.clone(),
            },
            faults: Vec::new(),
        }
    }

    /// Why the mail cannot go out, if it cannot.
    pub(crate) fn failure(&self) -> Option<Failure> {
        if !self.to.is_empty() && self.from.is_some() {
            return None;
        }
        let why = self.faults.first().map(|(_, failure)| failure.clone());
        Some(why.unwrap_or_else(|| {
            let why = "only the template of an alert's mail says whom it goes to or is from";
            Failure::new(Class::Template, why)
        }))
    }

    /// What a template says; nothing if it fails.
    fn said(&mut self, field: &str, template: &Template, message: &Notification) -> Option<String> {
        match words::fill(template, message, Mode::Text) {
            Ok(text) => Some(one_line(&text)),
            Err(err) => {
                self.fault(&format!("{field} (template)"), format!("{field}: {err}"));
                None
            }
        }
    }

    /// Everybody whom a list names, parted by commas.
    fn people(&mut self, text: &str, rotas: &[Rota], now_ms: i64) -> Vec<Mailbox> {
        let mut people: Vec<Mailbox> = Vec::new();
        for (at, part) in parts(text).enumerate() {
            if at == PEOPLE {
                let why = format!("to: those after the first {PEOPLE} are left out");
                self.fault("to (template)", why);
                break;
            }
            let found = match part.strip_prefix(ON_CALL) {
                Some(name) => {
                    let rota = rotas.iter().find(|rota| rota.name == name);
                    rota.map(|rota| rota.at(now_ms).clone())
                        .ok_or_else(|| "is nobody who is on call".to_owned())
                }
                None => part.parse().map_err(|err| format!("is no address: {err}")),
            };
            match found {
                Ok(one) => {
                    if !people.iter().any(|known| known.email == one.email) {
                        people.push(one);
                    }
                }
                Err(why) => self.fault(part, format!("to: {part:?} {why}")),
            }
        }
        if people.is_empty() && self.faults.is_empty() {
            self.fault("to (template)", "to: the template names nobody".to_owned());
        }
        people
    }

    fn fault(&mut self, name: &str, why: String) {
        let name = name.chars().take(SHOWN).collect();
        let failure = Failure::new(Class::Template, why);
        self.faults.push((name, failure));
    }
}

/// What stands between the commas that part addresses. Those in quotes do not; a
/// quote that nobody ends is none, so that one bad name costs no other.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut outside = Quotes::default();
    let ended = text.chars().fold(true, |_, letter| outside.pass(letter));
    let mut outside = Quotes::default();
    let parts = text.split(move |letter| {
        let plain = outside.pass(letter);
        letter == ',' && (plain || !ended)
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// Where quotes begin and end.
#[derive(Default)]
struct Quotes {
    inside: bool,
    escaped: bool,
}

impl Quotes {
    /// Takes the next letter; true if it is outside of quotes, or ends them.
    fn pass(&mut self, letter: char) -> bool {
        let escaped = std::mem::take(&mut self.escaped);
        match letter {
            '"' if !escaped => self.inside = !self.inside,
            '\\' if !escaped && self.inside => self.escaped = true,
            _ => {}
        }
        !self.inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::tests::notification;

    const ROTA: &str = "on-call:ops";

    fn to(text: &str, fallback: &str) -> To {
        let set = tmpl::Set::new(tmpl::Functions::alertmanager());
        To::Template {
            template: set.parse(text).unwrap(),
            text: text.to_owned(),
            rotas: vec![Rota {
                name: "ops".into(),
                people: vec!["turn@x.org".parse().unwrap()],
                weeks: 1,
                since: "2026-01-05T09:00".parse().unwrap(),
                zone: jiff::tz::TimeZone::UTC,
            }],
            fallback: Recipients {
                fixed: fallback.parse().into_iter().collect(),
                rotas: Vec::new(),
            },
        }
    }

    fn from(text: &str, fallback: Option<&str>) -> From {
        let set = tmpl::Set::new(tmpl::Functions::alertmanager());
        From::Template {
            template: set.parse(text).unwrap(),
            fallback: fallback.map(|it| it.parse().unwrap()),
        }
    }

    /// The addresses, and what is wrong.
    fn said(to: &To) -> (Vec<String>, Vec<String>) {
        let from = From::Fixed("b@x.org".parse().unwrap());
        let whom = Whom::of(to, &from, &notification(true));
        assert_eq!(whom.failure().is_some(), whom.to.is_empty());
        let to = whom.to.iter().map(|it| it.email.to_string());
        let faults = whom.faults.iter().map(|(_, why)| why.detail.clone());
        (to.collect(), faults.collect())
    }

    #[test]
    fn a_list_is_read_address_by_address_and_nobody_is_in_it_twice() {
        for (text, wanted) in [
            ("{{ \"a@x.org\" }}", &["a@x.org"][..]),
            (
                "a@x.org,, B <b@x.org> , a@x.org,{{ \"\" }}",
                &["a@x.org", "b@x.org"],
            ),
            (
                "\"Doe, \\\"J\" <a@x.org>, {{ .Status }}@x.org",
                &["a@x.org", "firing@x.org"],
            ),
            ("a@x.org, {{ \"on-call:ops\" }}", &["a@x.org", "turn@x.org"]),
        ] {
            assert_eq!(
                said(&to(text, "f@x.org")),
                (wanted.iter().map(|it| (*it).to_owned()).collect(), vec![]),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_told_and_keeps_the_mail_from_nobody_else() {
        let list = "a@x.org, {{ \"no body\" }}, on-call:none, \"open <x>, b@x.org";
        let (people, faults) = said(&to(list, "f@x.org"));
        assert_eq!(people, ["a@x.org", "b@x.org"]);
        assert!(
            faults[0].starts_with("to: \"no body\" is no address: "),
            "{faults:?}"
        );
        assert_eq!(faults[1], "to: \"on-call:none\" is nobody who is on call");
    }

    #[test]
    fn where_nobody_is_named_those_for_that_case_are_told_or_it_is_a_failure() {
        for (text, why) in [
            (
                "{{ .CommonLabels.nobody }}",
                "to: the template names nobody",
            ),
            ("{{ index .Alerts 7 }}", "to: 1:"),
            ("{{ \"x\\r\\nRCPT TO:<e@x.org>\" }}", "to: \"x  RCPT"),
        ] {
            let (people, faults) = said(&to(text, "f@x.org"));
            assert_eq!(people, ["f@x.org"], "{text}");
            assert!(faults[0].starts_with(why), "{text}: {faults:?}");
            let (people, faults) = said(&to(text, ""));
            assert!(
                people.is_empty() && faults[0].starts_with(why),
                "{text}: {faults:?}"
            );
        }
    }

    #[test]
    fn a_sender_is_one_address_or_the_one_for_that_case() {
        let to = To::Fixed(Recipients {
            fixed: vec!["a@x.org".parse().unwrap()],
            rotas: Vec::new(),
        });
        for (text, fallback, wanted) in [
            (
                "{{ .Status }} <{{ .Status }}@x.org>",
                None,
                Some("firing <firing@x.org>"),
            ),
            ("{{ .Status }}", Some("f@x.org"), Some("f@x.org")),
            (
                "a@x.org, b@x.org{{ \"\" }}",
                Some("f@x.org"),
                Some("f@x.org"),
            ),
            ("{{ index .Alerts 7 }}", None, None),
        ] {
            let whom = Whom::of(&to, &from(text, fallback), &notification(true));
            assert_eq!(
                whom.from.as_ref().map(ToString::to_string).as_deref(),
                wanted,
                "{text}"
            );
            assert_eq!(whom.failure().is_none(), wanted.is_some(), "{text}");
        }
        assert_eq!(ROTA.strip_prefix(ON_CALL), Some("ops"));
    }
}
