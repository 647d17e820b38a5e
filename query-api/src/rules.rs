//! Rules and what they have found.

use exposition::Labels;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::failure::Failure;
use crate::form::Form;
use crate::routes::Api;
use crate::targets::Map;
use crate::{Alert, Health, Rule, RuleGroup, RuleKind, RuleState, json, selectors, times};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Groups<'a> {
    groups: Vec<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group<'a> {
    name: &'a str,
    file: &'a str,
    rules: Vec<Shown<'a>>,
    #[serde(serialize_with = "times::plain")]
    interval: f64,
    limit: usize,
    #[serde(serialize_with = "times::plain")]
    evaluation_time: f64,
    last_evaluation: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(flatten)]
    alerting: Option<Alerting<'a>>,
    name: &'a str,
    query: &'a str,
    labels: Map<'a>,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    #[serde(serialize_with = "times::plain")]
    evaluation_time: f64,
    last_evaluation: String,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alerting<'a> {
    state: RuleState,
    #[serde(serialize_with = "times::plain")]
    duration: f64,
    #[serde(serialize_with = "times::plain")]
    keep_firing_for: f64,
    annotations: Map<'a>,
    /// Null when they were not asked for.
    alerts: Option<Vec<Raised<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Raised<'a> {
    labels: Map<'a>,
    annotations: Map<'a>,
    state: RuleState,
    active_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<String>,
    value: String,
}

impl<'a> From<&'a Alert> for Raised<'a> {
    fn from(alert: &'a Alert) -> Self {
        let since = alert.keep_firing_since_ms;
        Self {
            labels: Map(&alert.labels),
            annotations: Map(&alert.annotations),
            state: alert.state,
            active_at: times::rfc3339(Some(alert.active_at_ms)),
            keep_firing_since: since.map(|since| times::rfc3339(Some(since))),
            value: json::exponent(alert.value),
        }
    }
}

/// Which rules are asked for.
struct Wanted<'a> {
    form: &'a Form,
    alerting: bool,
    recording: bool,
    exclude_alerts: bool,
    /// For each selector: the rules it takes, by their labels.
    labels: Option<Vec<Labels>>,
}

impl<'a> Wanted<'a> {
    fn read(ask: &'a Ask, groups: &[RuleGroup]) -> Result<Self, Failure> {
        let form = &ask.form;
        let mut taken: Vec<Labels> = Vec::new();
        let sets = selectors::each(ask, Failure::BadData, |matchers| {
            let rules = groups.iter().flat_map(|group| &group.rules);
            let labels = rules.map(|rule| &rule.labels);
            let takes = |labels: &&Labels| matchers.iter().all(|matcher| matcher.matches(labels));
            taken.extend(labels.filter(takes).cloned());
        })?;
        let kind = form.in_address("type").to_lowercase();
        if !["", "alert", "record"].contains(&kind.as_str()) {
            let what = format!("not supported value {kind:?}");
            return Err(Failure::parameter("type", what));
        }
        let exclude = form.in_address("exclude_alerts").to_lowercase();
        let exclude_alerts = match exclude.as_str() {
            "1" | "t" | "true" => true,
            "" | "0" | "f" | "false" => false,
            _ => {
                let what = format!("error converting exclude_alerts: {exclude:?} is no boolean");
                return Err(Failure::parameter("exclude_alerts", what));
            }
        };
        taken.sort_unstable();
        Ok(Self {
            form,
            alerting: kind != "record",
            recording: kind != "alert",
            exclude_alerts,
            labels: (sets > 0).then_some(taken),
        })
    }

    /// Whether a name is among those stated; if none is, all are.
    fn names(&self, parameter: &str, name: &str) -> bool {
        let mut stated = self.form.all(parameter).peekable();
        stated.peek().is_none() || stated.any(|stated| stated == name)
    }

    fn group<'g>(&self, group: &'g RuleGroup) -> Option<Group<'g>> {
        if !self.names("rule_group[]", &group.name) || !self.names("file[]", &group.file) {
            return None;
        }
        let rules = group.rules.iter().filter(|rule| self.takes(rule));
        let rules: Vec<_> = rules.map(|rule| self.show(rule)).collect();
        (!rules.is_empty()).then(|| Group {
            name: &group.name,
            file: &group.file,
            rules,
            interval: group.interval,
            limit: group.limit,
            evaluation_time: group.evaluation_time,
            last_evaluation: times::rfc3339(group.last_evaluation_ms),
        })
    }

    fn takes(&self, rule: &Rule) -> bool {
        let kind = match rule.kind {
            RuleKind::Recording => self.recording,
            RuleKind::Alerting { .. } => self.alerting,
        };
        let labels = self.labels.as_ref();
        kind && self.names("rule_name[]", &rule.name)
            && labels.is_none_or(|taken| taken.binary_search(&rule.labels).is_ok())
    }

    fn show<'r>(&self, rule: &'r Rule) -> Shown<'r> {
        let alerting = match &rule.kind {
            RuleKind::Recording => None,
            RuleKind::Alerting {
                state,
                hold,
                keep_firing_for,
                annotations,
                alerts,
            } => Some(Alerting {
                state: *state,
                duration: *hold,
                keep_firing_for: *keep_firing_for,
                annotations: Map(annotations),
                alerts: (!self.exclude_alerts).then(|| alerts.iter().map(Raised::from).collect()),
            }),
        };
        Shown {
            r#type: if alerting.is_some() {
                "alerting"
            } else {
                "recording"
            },
            alerting,
            name: &rule.name,
            query: &rule.query,
            labels: Map(&rule.labels),
            health: match rule.health {
                Health::Unknown => "unknown",
                Health::Good => "ok",
                Health::Bad => "err",
            },
            last_error: rule.last_error.as_deref(),
            evaluation_time: rule.evaluation_time,
            last_evaluation: times::rfc3339(rule.last_evaluation_ms),
        }
    }
}

/// `/rules`: groups, page by page if wanted.
pub(crate) fn rules(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let groups = (api.source.rules)();
    let wanted = Wanted::read(ask, &groups)?;
    let (most, from) = page(&ask.form)?;
    let mut begun = from.is_empty();
    let mut shown = Groups {
        groups: Vec::new(),
        group_next_token: None,
    };
    for group in &groups {
        let token = || format!("{};{}", group.file, group.name);
        begun = begun || token() == from;
        let Some(group_shown) = begun.then(|| wanted.group(group)).flatten() else {
            continue;
        };
        if shown.groups.len() == most {
            shown.group_next_token = Some(token());
            break;
        }
        shown.groups.push(group_shown);
    }
    if !begun {
        let what = format!("invalid group_next_token '{from}'. were rule groups changed?");
        return Err(Failure::parameter("group_next_token", what));
    }
    Answer::json(&shown)
}

/// How many groups are wanted, and from which one on.
fn page(form: &Form) -> Result<(usize, &str), Failure> {
    let (limit, token) = (
        form.in_address("group_limit"),
        form.in_address("group_next_token"),
    );
    if limit.is_empty() {
        if !token.is_empty() {
            let what = "group_limit needs to be present in order to paginate over the groups";
            return Err(Failure::parameter("group_next_token", what));
        }
        return Ok((usize::MAX, ""));
    }
    let refused = |what: &str| Failure::parameter("group_limit", what);
    match limit.parse::<i32>().map(usize::try_from) {
        Ok(Ok(limit)) if limit > 0 => Ok((limit, token)),
        Ok(_) => Err(refused("group_limit needs to be greater than 0")),
        Err(_) => Err(refused("group_limit needs to be a valid number")),
    }
}

/// `/alerts`: pending and firing ones.
pub(crate) fn alerts(api: &Api, _: &Ask) -> Result<Answer, Failure> {
    let groups = (api.source.rules)();
    let rules = groups.iter().flat_map(|group| &group.rules);
    let alerts = rules.flat_map(|rule| match &rule.kind {
        RuleKind::Recording => &[][..],
        RuleKind::Alerting { alerts, .. } => alerts,
    });
    let alerts: Vec<_> = alerts.map(Raised::from).collect();
    Answer::json(&serde_json::json!({ "alerts": alerts }))
}
