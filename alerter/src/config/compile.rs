//! From the sections to a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::email;
use super::making::{Section, channel};
use super::rotas::{self, Rotas};
use super::servers::Servers;
use super::words::Templates;
use super::{Config, Global, Mail, Problem, collapse, escalation, intervals, tree};
use crate::matcher::{self, Matcher, Op};
use crate::plan::{InhibitRule, Integration, Kind, Plan, Receiver};
use crate::recovery::Recovery;
use crate::silence::Limits;
use crate::words;

/// Faults as they are found.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            key: key.into(),
            message: message.into(),
        });
    }

    /// Takes faults of a `mail` section that stands under another key.
    pub(super) fn take_under(&mut self, key: &str, faults: Self) {
        for fault in faults.0 {
            let field = fault.key.trim_start_matches("mail");
            self.add(format!("{key}{field}"), fault.message);
        }
    }
}

pub(super) fn compile(config: &Config, mail: &Mail) -> Result<Plan, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut servers = Servers::default();
    let rotas = rotas::compile(config, &mut problems);
    let by_mail = email::from_mail(mail, &rotas, &mut servers, &mut problems);
    let digest = config.digest.as_deref().unwrap_or_default();
    email::daily(digest, "alerter.digest", &mut problems);
    let inhibit = inhibit_rules(config, &mut problems);
    let intervals = intervals::compile(config, &mut problems);
    let (routes, mut receivers) = match &config.route {
        Some(route) => {
            let templates = templates(config, &mut problems);
            let shared = (mail, &rotas, &templates);
            let receivers = receivers(config, shared, &mut servers, &mut problems);
            let names: BTreeMap<&str, usize> = receivers
                .iter()
                .enumerate()
                .map(|(at, receiver)| (&*receiver.name, at))
                .collect();
            let routes = tree::compile(route, &names, &intervals, &templates, &mut problems);
            (routes, receivers)
        }
        None => {
            if !config.receivers.is_empty() {
                problems.add(
                    "alerter.route",
                    "receivers are named, but no route leads to them",
                );
            }
            (tree::built_in(), tree::built_in_receivers(by_mail))
        }
    };
    let escalation = escalation::compile(config, (mail, &rotas), &mut receivers, &mut problems);
    if !problems.0.is_empty() {
        return Err(problems.0);
    }
    Ok(Plan {
        escalation,
        recovery: recovery(config),
        collapse: collapse::compile(config),
        routes,
        inhibit,
        receivers,
        intervals,
        resolve_timeout_ms: millis(config.global.resolve_timeout),
        episodes: config.episodes,
        silences: Limits {
            count: config.silences.limit,
            bytes: usize::try_from(config.silences.size.0).unwrap_or(usize::MAX),
            keep_ms: millis(config.silences.retention),
        },
        original: super::original::print(config, mail),
        letter: config.route.is_some(),
    })
}

fn recovery(config: &Config) -> Recovery {
    let section = match (&config.recovery, config.route.is_some()) {
        (Some(section), _) => section.clone(),
        (None, false) => super::Recovery::default(),
        // Who routes by a file of their own gets what the file says.
        (None, true) => return Recovery::NONE,
    };
    Recovery {
        confirm_ms: millis(section.confirm),
        flaps: section.flaps,
        window_ms: millis(section.window),
        calm_ms: millis(section.calm),
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn templates(config: &Config, problems: &mut Problems) -> Templates {
    let set = words::set(&config.templates).unwrap_or_else(|faults| {
        for fault in faults {
            problems.add("alerter.templates", fault);
        }
        tmpl::Set::new(tmpl::Functions::alertmanager())
    });
    Templates {
        set,
        any: !config.templates.is_empty(),
    }
}

fn receivers(
    config: &Config,
    (mail, rotas, templates): (&Mail, &Rotas, &Templates),
    servers: &mut Servers,
    problems: &mut Problems,
) -> Vec<Receiver> {
    let mut names = BTreeSet::new();
    let mut receivers = Vec::new();
    for (at, receiver) in config.receivers.iter().enumerate() {
        let key = format!("alerter.receivers[{at}]");
        let name = &receiver.name;
        if name.is_empty() {
            problems.add(format!("{key}.name"), "missing name in receiver");
        } else if !names.insert(name) {
            let message = format!("notification config name {name:?} is not unique");
            problems.add(format!("{key}.name"), message);
        }
        let mut integrations = BTreeMap::new();
        for (at, email) in receiver.email_configs.iter().enumerate() {
            let key = format!("{key}.email_configs[{at}]");
            let made = email::compile(
                email,
                &config.global,
                (mail, rotas),
                templates,
                &key,
                servers,
                problems,
            );
            let slot = Kind::Email.slot(at);
            integrations.extend(made.map(|it| (slot, Integration::Email(Arc::new(it)))));
        }
        let mut channels = Channels {
            global: &config.global,
            templates,
            name,
            key: &key,
            found: &mut integrations,
            problems,
        };
        channels.add("webhook_configs", &receiver.webhook_configs);
        channels.add("slack_configs", &receiver.slack_configs);
        channels.add("pagerduty_configs", &receiver.pagerduty_configs);
        channels.add("opsgenie_configs", &receiver.opsgenie_configs);
        channels.add("telegram_configs", &receiver.telegram_configs);
        channels.add("discord_configs", &receiver.discord_configs);
        channels.add("msteams_configs", &receiver.msteams_configs);
        channels.add("msteamsv2_configs", &receiver.msteamsv2_configs);
        channels.add("pushover_configs", &receiver.pushover_configs);
        channels.add("victorops_configs", &receiver.victorops_configs);
        channels.add("webex_configs", &receiver.webex_configs);
        channels.add("sns_configs", &receiver.sns_configs);
        channels.add("rocketchat_configs", &receiver.rocketchat_configs);
        channels.add("jira_configs", &receiver.jira_configs);
        channels.add("wechat_configs", &receiver.wechat_configs);
        channels.add("ntfy_configs", &receiver.ntfy_configs);
        channels.add("gotify_configs", &receiver.gotify_configs);
        let mut labels = receiver.labels.clone();
        let known = labels.insert("name".into(), name.clone());
        if let Some(known) = known.filter(|known| known != name) {
            let message =
                format!("receiver label \"name\" must match receiver name {name:?}, got {known:?}");
            problems.add(format!("{key}.labels"), message);
        }
        receivers.push(Receiver {
            name: name.as_str().into(),
            labels,
            integrations,
        });
    }
    receivers
}

/// The integrations of a receiver over HTTP, as they are found.
struct Channels<'a> {
    global: &'a Global,
    templates: &'a Templates,
    name: &'a str,
    key: &'a str,
    found: &'a mut BTreeMap<usize, Integration>,
    problems: &'a mut Problems,
}

impl Channels<'_> {
    fn add<S: Section>(&mut self, list: &str, sections: &[S]) {
        for (at, section) in sections.iter().enumerate() {
            let key = format!("{}.{list}[{at}]", self.key);
            let name = format!("{}/{at}", self.name);
            let names = (&*name, &*key);
            let made = channel(section, self.global, self.templates, names, self.problems);
            let made = made.map(|it| (S::KIND.slot(at), Integration::Channel(Arc::new(it))));
            self.found.extend(made);
        }
    }
}

fn inhibit_rules(config: &Config, problems: &mut Problems) -> Vec<InhibitRule> {
    let mut rules = Vec::new();
    for (at, rule) in config.inhibit_rules.iter().enumerate() {
        let key = format!("alerter.inhibit_rules[{at}]");
        for name in rule.equal.iter().filter(|name| name.is_empty()) {
            problems.add(
                format!("{key}.equal"),
                format!("invalid label name {name:?} in equal list"),
            );
        }
        rules.push(InhibitRule {
            source: matchers(
                &[
                    ("source_match", Op::Equal, &rule.source_match),
                    ("source_match_re", Op::Regex, &rule.source_match_re),
                ],
                ("source_matchers", &rule.source_matchers),
                &key,
                problems,
            ),
            target: matchers(
                &[
                    ("target_match", Op::Equal, &rule.target_match),
                    ("target_match_re", Op::Regex, &rule.target_match_re),
                ],
                ("target_matchers", &rule.target_matchers),
                &key,
                problems,
            ),
            equal: rule.equal.clone(),
        });
    }
    rules
}

/// Compiles the three ways in which matchers are written, in sorted order.
pub(super) fn matchers(
    maps: &[(&str, Op, &BTreeMap<String, String>)],
    list: (&str, &[String]),
    key: &str,
    problems: &mut Problems,
) -> Vec<Matcher> {
    let mut found = Vec::new();
    for (field, op, map) in maps {
        for (name, value) in *map {
            if !matcher::classic_name(name) {
                let message = format!("invalid label name {name:?}");
                problems.add(format!("{key}.{field}"), message);
                continue;
            }
            // Anchored in the value itself, as that is how it stands in group keys.
            let made = Matcher::new(name, *op, value).and_then(|made| match op {
                Op::Regex => Matcher::new(name, *op, format!("^(?:{value})$")),
                _ => Ok(made),
            });
            match made {
                Ok(matcher) => found.push(matcher),
                Err(err) => problems.add(
                    format!("{key}.{field}"),
                    format!("invalid regexp value for {name:?}: {err}"),
                ),
            }
        }
    }
    let (field, items) = list;
    for (at, text) in items.iter().enumerate() {
        match matcher::parse(text) {
            Ok(matchers) => found.extend(matchers),
            Err(err) => problems.add(format!("{key}.{field}[{at}]"), err),
        }
    }
    matcher::sort(&mut found);
    found
}
