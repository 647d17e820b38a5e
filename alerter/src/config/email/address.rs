//! Whom a mail goes to, and whom it is from.

use lettre::message::Mailbox;

use crate::config::Mail;
use crate::config::compile::Problems;
use crate::config::rotas::{Rotas, recipients};
use crate::config::words::Templates;
use crate::rota::Recipients;
use crate::whom::{From, To};

pub(in crate::config) fn addresses(
    text: &str,
    key: &str,
    rotas: &Rotas,
    problems: &mut Problems,
) -> Option<Recipients> {
    if templated(text, key, problems) {
        return None;
    }
    recipients(text, key, rotas, problems)
}

pub(super) fn sender(text: &str, key: &str, problems: &mut Problems) -> Option<Mailbox> {
    if text.is_empty() {
        // Told above for an entry of its own; the `mail` section needs it too.
        if key == "mail.from" {
            problems.add(key, "say who the mails are from");
        }
        return None;
    }
    if templated(text, key, problems) {
        return None;
    }
    match text.parse() {
        Ok(mailbox) => Some(mailbox),
        Err(err) => {
            problems.add(key, format!("{text:?} is not an address: {err}"));
            None
        }
    }
}

/// The recipients of an entry. Where a template of theirs says nobody, those of the
/// `mail` section are told.
pub(super) fn to(
    text: &str,
    key: &str,
    (mail, rotas, templates): (&Mail, &Rotas, &Templates),
    problems: &mut Problems,
) -> Option<To> {
    if !text.contains("{{") {
        return recipients(text, key, rotas, problems).map(To::Fixed);
    }
    // What is wrong with them is told where they stand.
    let fallback = recipients(&mail.to, key, rotas, &mut Problems::default());
    match templates.set.parse(text) {
        Ok(template) => Some(To::Template {
            template,
            text: text.to_owned(),
            rotas: rotas.values().cloned().collect(),
            fallback: fallback.unwrap_or_default(),
        }),
        Err(err) => {
            problems.add(key, err.to_string());
            None
        }
    }
}

/// Who may be the sender of an entry's mails.
pub(super) struct Senders<'a> {
    /// What the entry says, else `global`, else the `mail` section.
    pub(super) own: [&'a str; 3],
    /// Who we are to the mail server.
    pub(super) user: &'a str,
}

/// The sender of an entry. Where a template of it says nobody, it is the next one
/// that needs no template.
pub(super) fn from(
    senders: Senders<'_>,
    key: &str,
    templates: &Templates,
    problems: &mut Problems,
) -> Option<From> {
    let mut named = senders.own.into_iter().filter(|text| !text.is_empty());
    let Some(text) = named.next() else {
        problems.add(key, "no global SMTP from set");
        return None;
    };
    if !text.contains("{{") {
        return sender(text, key, problems).map(From::Fixed);
    }
    // Braces may stand in an address, and so may what is a template.
    let fallback = named
        .chain([senders.user])
        .filter(|text| !text.contains("{{"));
    let fallback = fallback.filter_map(|text| text.parse().ok()).next();
    match templates.set.parse(text) {
        Ok(template) => Some(From::Template { template, fallback }),
        Err(err) => {
            problems.add(key, err.to_string());
            None
        }
    }
}

fn templated(text: &str, key: &str, problems: &mut Problems) -> bool {
    let found = text.contains("{{");
    if found {
        problems.add(key, "templates are not supported here");
    }
    found
}
