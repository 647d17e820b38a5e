//! From the policies of escalation to the plan: whom they tell, and when.

use std::sync::Arc;

use settings::Value as _;

use super::compile::{Problems, matchers, millis};
use super::rotas::Rotas;
use super::{Config, Mail, email};
use crate::escalation::Policy;
use crate::plan::{Integration, Receiver};
use crate::whom::To;

settings::section! {
    /// What becomes of alerts that nobody ends or answers.
    pub struct Escalation {
        /// Conditions such as `team="db"`; all must hold.
        pub matchers: Vec<String> = vec![],
        /// How long a warning may fire until it becomes critical, with a message
        /// of its own; 0s for ever.
        pub raise_after: std::time::Duration = std::time::Duration::from_secs(2 * 3600),
        /// How long a critical alert may go without acknowledgement until it is
        /// told again, once, ahead of its repetition; 0s for ever.
        pub again_after: std::time::Duration = std::time::Duration::from_secs(15 * 60),
        /// The same until the second contact is told too; 0s for ever.
        pub second_after: std::time::Duration = std::time::Duration::from_secs(30 * 60),
        /// How long messages to the first contact may fail, whatever their severity,
        /// until the second contact is told; 0s for ever.
        pub fallback_after: std::time::Duration = std::time::Duration::from_secs(5 * 60),
        /// The receiver that is the second contact. Without a `route`: the
        /// recipients in `mail.second`.
        pub second_receiver: String = String::new(),
    }
}

/// Compiles the policies, and gives the receivers their second contacts.
pub(super) fn compile(
    config: &Config,
    (mail, rotas): (&Mail, &Rotas),
    receivers: &mut [Receiver],
    problems: &mut Problems,
) -> Vec<Policy> {
    let sections = match (&config.escalation, config.route.is_some()) {
        (Some(sections), _) => sections.clone(),
        (None, false) => Escalation::example().into_iter().collect(),
        // Who routes by a file of their own gets what the file says.
        (None, true) => Vec::new(),
    };
    let mut policies = Vec::new();
    for (at, section) in sections.iter().enumerate() {
        let key = format!("alerter.escalation[{at}]");
        let found = matchers(&[], ("matchers", &section.matchers), &key, problems);
        second(
            config,
            (mail, rotas),
            section,
            (at, &key),
            receivers,
            problems,
        );
        policies.push(Policy {
            matchers: found,
            raise_ms: millis(section.raise_after),
            again_ms: millis(section.again_after),
            second_ms: millis(section.second_after),
            fallback_ms: millis(section.fallback_after),
        });
    }
    if config.route.is_some() && !mail.second.is_empty() {
        let message = "with a route of your own, name a receiver in escalation.second_receiver";
        problems.add("mail.second", message);
    }
    policies
}

/// Adds a policy's second contact to the receivers.
fn second(
    config: &Config,
    (mail, rotas): (&Mail, &Rotas),
    section: &Escalation,
    (policy, key): (usize, &str),
    receivers: &mut [Receiver],
    problems: &mut Problems,
) {
    let name = &section.second_receiver;
    if config.route.is_none() {
        if !name.is_empty() {
            let message = "without a route, name the second contact in mail.second";
            problems.add(format!("{key}.second_receiver"), message);
        }
        let Some(to) = email::addresses(&mail.second, "mail.second", rotas, problems) else {
            return;
        };
        for receiver in receivers {
            let mails = receiver
                .integrations
                .iter()
                .filter_map(|(slot, it)| match it {
                    Integration::Email(email) if Receiver::second_of(*slot).is_none() => {
                        let mut other = (**email).clone();
                        other.to = To::Fixed(to.clone());
                        let slot = Receiver::second_slot(policy, *slot);
                        Some((slot, Integration::Email(Arc::new(other))))
                    }
                    _ => None,
                });
            let mails: Vec<_> = mails.collect();
            receiver.integrations.extend(mails);
        }
        return;
    }
    if name.is_empty() {
        return;
    }
    let Some(found) = receivers.iter().find(|it| *it.name == **name) else {
        let message = format!("undefined receiver {name:?} used as second contact");
        problems.add(format!("{key}.second_receiver"), message);
        return;
    };
    let contact: Vec<_> = found
        .integrations
        .iter()
        .filter(|(slot, _)| Receiver::second_of(**slot).is_none())
        .map(|(slot, it)| (Receiver::second_slot(policy, *slot), it.clone()))
        .collect();
    for receiver in receivers.iter_mut().filter(|it| *it.name != **name) {
        receiver.integrations.extend(contact.iter().cloned());
    }
}
