//! Whom a mail goes to, and whom it is from.

use lettre::message::Mailbox;

use crate::config::compile::Problems;
use crate::config::rotas::{Rotas, recipients};
use crate::rota::Recipients;

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

fn templated(text: &str, key: &str, problems: &mut Problems) -> bool {
    let found = text.contains("{{");
    if found {
        problems.add(key, "templates are not supported here");
    }
    found
}
