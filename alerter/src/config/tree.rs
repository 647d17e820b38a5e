//! From the route section to the tree, and the tree of those who wrote none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::compile::{Problems, matchers, millis};
use super::making::Text;
use super::original::mail_config;
use super::words::Templates;
use super::{Email as EmailSection, Mail, Receiver as ReceiverSection, Route as Section};
use crate::interval::Interval;
use crate::matcher::{self, Matcher, Op};
use crate::plan::{Email, GroupBy, Integration, Kind, Receiver, Route};
use crate::words::RouteLabels;

/// The receiver of the built-in tree that mails.
const MAIL: &str = "mail";

/// The one whose alerts are only to be seen.
const PAGE: &str = "page";

pub(super) fn compile(
    root: &Section,
    receivers: &BTreeMap<&str, usize>,
    intervals: &[Interval],
    templates: &Templates,
    problems: &mut Problems,
) -> Vec<Route> {
    if root.receiver.is_empty() {
        problems.add(
            "alerter.route.receiver",
            "root route must specify a default receiver",
        );
    }
    if !(root.r#match.is_empty() && root.match_re.is_empty() && root.matchers.is_empty()) {
        problems.add("alerter.route", "root route must not have any matchers");
    }
    for (field, what, names) in [
        ("mute_time_intervals", "mute", &root.mute_time_intervals),
        (
            "active_time_intervals",
            "active",
            &root.active_time_intervals,
        ),
    ] {
        if !names.is_empty() {
            problems.add(
                format!("alerter.route.{field}"),
                format!("root route must not have any {what} time intervals"),
            );
        }
    }
    if root.r#continue {
        problems.add(
            "alerter.route.continue",
            "cannot have continue in root route",
        );
    }
    let mut tree = Tree {
        receivers,
        intervals,
        templates,
        problems,
        routes: Vec::new(),
    };
    let above = Route {
        id: "".into(),
        key: "".into(),
        receiver: 0,
        group_by: GroupBy::Labels(Vec::new()),
        group_wait_ms: 30_000,
        group_interval_ms: 300_000,
        repeat_interval_ms: 14_400_000,
        matchers: Vec::new(),
        mute: Vec::new(),
        active: Vec::new(),
        labels: RouteLabels::default(),
        continues: false,
        children: Vec::new(),
    };
    tree.add(root, &above, "", "alerter.route");
    tree.routes
}

struct Tree<'a> {
    receivers: &'a BTreeMap<&'a str, usize>,
    intervals: &'a [Interval],
    templates: &'a Templates,
    problems: &'a mut Problems,
    routes: Vec<Route>,
}

impl Tree<'_> {
    /// Adds a node and those below it; its index. `mark` tells it from a sister
    /// with the same matchers.
    fn add(&mut self, section: &Section, above: &Route, mark: &str, key: &str) -> usize {
        let found = matchers(
            &[
                ("match", Op::Equal, &section.r#match),
                ("match_re", Op::Regex, &section.match_re),
            ],
            ("matchers", &section.matchers),
            key,
            self.problems,
        );
        let receiver = match self.receivers.get(&*section.receiver) {
            _ if section.receiver.is_empty() => above.receiver,
            Some(receiver) => *receiver,
            None => {
                let message = format!("undefined receiver {:?} used in route", section.receiver);
                self.problems.add(format!("{key}.receiver"), message);
                0
            }
        };
        let group_by = self.group_by(section, above, key);
        let mute = self.named(
            &section.mute_time_intervals,
            &format!("{key}.mute_time_intervals"),
        );
        let active = self.named(
            &section.active_time_intervals,
            &format!("{key}.active_time_intervals"),
        );
        let labels = self.labels(section, above, key);
        let at = self.routes.len();
        self.routes.push(Route {
            id: below(&above.id, &format!("{}{mark}", matcher::print(&found))),
            key: below(&above.key, &matcher::print(&found)),
            receiver,
            group_by,
            group_wait_ms: section.group_wait.map_or(above.group_wait_ms, millis),
            group_interval_ms: section
                .group_interval
                .map_or(above.group_interval_ms, millis),
            repeat_interval_ms: section
                .repeat_interval
                .map_or(above.repeat_interval_ms, millis),
            matchers: found,
            mute,
            active,
            labels,
            continues: section.r#continue,
            children: Vec::new(),
        });
        for (name, value) in [
            ("group_interval", section.group_interval),
            ("repeat_interval", section.repeat_interval),
        ] {
            if value.is_some_and(|value| value.is_zero()) {
                self.problems
                    .add(format!("{key}.{name}"), format!("{name} cannot be zero"));
            }
        }
        let node = self.routes[at].clone();
        let mut sisters: BTreeMap<String, usize> = BTreeMap::new();
        for (place, child) in section.routes.iter().enumerate() {
            let child_key = format!("{key}.routes[{place}]");
            let twins = sisters.entry(format!(
                "{:?}",
                (&child.r#match, &child.match_re, &child.matchers)
            ));
            let twin = twins.and_modify(|count| *count += 1).or_insert(0);
            let mark = match *twin {
                0 => String::new(),
                count => format!("#{count}"),
            };
            let child = self.add(child, &node, &mark, &child_key);
            self.routes[at].children.push(child);
        }
        at
    }

    /// Intervals by their names, as indexes.
    fn named(&mut self, names: &[String], key: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for (at, name) in names.iter().enumerate() {
            match self.intervals.iter().position(|it| *it.name == **name) {
                Some(interval) => found.push(interval),
                None => self.problems.add(
                    format!("{key}[{at}]"),
                    format!("undefined time interval {name:?} used in route"),
                ),
            }
        }
        found
    }

    /// Those of the node above, and its own over them.
    fn labels(&mut self, section: &Section, above: &Route, key: &str) -> RouteLabels {
        if section.labels.is_empty() {
            return RouteLabels::clone(&above.labels);
        }
        let inherited = above.labels.iter().cloned();
        let mut labels: BTreeMap<Arc<str>, Text> = inherited.collect();
        for (name, text) in &section.labels {
            let key = format!("{key}.labels[{name}]");
            if !matcher::classic_name(name) {
                let message = format!("invalid label name {name:?} in route labels");
                self.problems.add(key, message);
                continue;
            }
            let text = match text.contains("{{") {
                false => Text::Plain(text.as_str().into()),
                true => match self.templates.set.parse(text) {
                    Ok(template) => Text::Template(template),
                    Err(err) => {
                        self.problems.add(key, err.to_string());
                        continue;
                    }
                },
            };
            labels.insert(name.as_str().into(), text);
        }
        labels.into_iter().collect()
    }

    fn group_by(&mut self, section: &Section, above: &Route, key: &str) -> GroupBy {
        let Some(names) = &section.group_by else {
            return above.group_by.clone();
        };
        let mut seen = BTreeSet::new();
        let key = format!("{key}.group_by");
        for name in names {
            if name.is_empty() {
                let message = format!("invalid label name {name:?} in group_by list");
                self.problems.add(&*key, message);
            } else if !seen.insert(name) {
                let message = format!("duplicated label {name:?} in group_by");
                self.problems.add(&*key, message);
            }
        }
        if !names.iter().any(|name| name == "...") {
            return GroupBy::Labels(names.clone());
        }
        if names.len() > 1 {
            let message = "cannot have wildcard group_by (`...`) and other labels at the same time";
            self.problems.add(&*key, message);
        }
        GroupBy::All
    }
}

fn below(above: &Arc<str>, name: &str) -> Arc<str> {
    match above.is_empty() {
        true => name.into(),
        false => format!("{above}/{name}").into(),
    }
}

/// The receivers of the built-in tree.
pub(super) fn built_in_receivers(mail: Option<Email>) -> Vec<Receiver> {
    let one = |mail| (Kind::Email.slot(0), Integration::Email(Arc::new(mail)));
    let receiver = |name: &str, integrations| Receiver {
        name: name.into(),
        labels: [("name".to_owned(), name.to_owned())].into(),
        integrations,
    };
    vec![
        receiver(MAIL, mail.into_iter().map(one).collect()),
        receiver(PAGE, BTreeMap::new()),
    ]
}

/// The built-in tree as its sections would be written.
pub(super) fn built_in_sections(mail: &Mail) -> (Section, Vec<ReceiverSection>) {
    let routes = built_in();
    let names = [MAIL, PAGE];
    let mut sections = routes.iter().map(|route| Section {
        receiver: names[route.receiver].into(),
        group_by: match &route.group_by {
            GroupBy::Labels(labels) => Some(labels.clone()),
            GroupBy::All => Some(vec!["...".into()]),
        },
        group_wait: Some(span(route.group_wait_ms)),
        group_interval: Some(span(route.group_interval_ms)),
        repeat_interval: Some(span(route.repeat_interval_ms)),
        matchers: route.matchers.iter().map(ToString::to_string).collect(),
        ..Section::default()
    });
    let mut root = sections.next().unwrap_or_default();
    root.routes = sections.collect();
    let emails = (*mail != Mail::default()).then(|| mail_config(mail));
    let receiver = |name: &str, emails: Vec<EmailSection>| ReceiverSection {
        name: name.into(),
        email_configs: emails,
        ..ReceiverSection::default()
    };
    let receivers = vec![
        receiver(MAIL, emails.into_iter().collect()),
        receiver(PAGE, Vec::new()),
    ];
    (root, receivers)
}

fn span(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

/// The tree of those who wrote none; the `mail` section says what it does.
///
/// One outage of a project is one message, as its services fall together, and
/// severities never share one, as they have routes of their own.
pub(super) fn built_in() -> Vec<Route> {
    let severity = |value: &str| vec![Matcher::exact("severity", value)];
    let node = |matchers: Vec<Matcher>, receiver, wait, interval, repeat| {
        let printed = matcher::print(&matchers);
        let key: Arc<str> = match matchers.is_empty() {
            true => printed.into(),
            false => format!("{{}}/{printed}").into(),
        };
        Route {
            id: Arc::clone(&key),
            key,
            receiver,
            group_by: GroupBy::Labels(vec!["alertname".into(), "project".into()]),
            group_wait_ms: wait,
            group_interval_ms: interval,
            repeat_interval_ms: repeat,
            matchers,
            mute: Vec::new(),
            active: Vec::new(),
            labels: RouteLabels::default(),
            continues: false,
            children: Vec::new(),
        }
    };
    let mut root = node(Vec::new(), 0, 30_000, 300_000, 14_400_000);
    root.children = vec![1, 2];
    vec![
        root,
        node(severity("critical"), 0, 10_000, 60_000, 3_600_000),
        node(severity("info"), 1, 30_000, 300_000, 14_400_000),
    ]
}
