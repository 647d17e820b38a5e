//! The `alerter` section, in Alertmanager's grammar, and the `mail` section.
//!
//! What Alertmanager has and this does not know yet is refused by name like any
//! unknown key, so that no file is half obeyed. [`plan`] compiles both sections
//! and names every fault at once.

mod collapse;
mod compile;
mod email;
mod escalation;
mod global;
mod http;
mod intervals;
mod mail;
mod making;
mod named;
mod original;
mod rotas;
mod servers;
mod tree;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use global::Global;
pub use http::{Authorization, BasicAuth, HeaderValues, HttpConfig, OAuth2, TlsConfig};
pub(crate) use making::{Made, Making, Section, Text, entry};

pub use collapse::Collapse;
pub use email::{Email, Threading};
pub use escalation::Escalation;
pub use mail::{Mail, MailToken, Spare};
pub use rotas::OnCall;

use crate::plan::Plan;
use crate::vendor::{
    Discord, Gotify, Jira, MsTeams, MsTeamsV2, Ntfy, OpsGenie, PagerDuty, Pushover, RocketChat,
    Slack, Sns, Telegram, VictorOps, WeChat, Webex, Webhook,
};

settings::section! {
    /// Who is told of which alerts, and when: Alertmanager's configuration.
    ///
    /// Without a `route`, mail goes out by the `mail` section and a built-in
    /// tree: see there.
    pub struct Config {
        /// What receivers inherit.
        pub global: Global = Global::default(),
        /// The tree by which alerts find their receiver.
        pub route: Option<Route> = None,
        /// Which alerts mute which others.
        pub inhibit_rules: Vec<InhibitRule> = vec![],
        /// Whom alerts are told.
        pub receivers: Vec<Receiver> = vec![],
        /// Times of the week and the year that routes name.
        pub time_intervals: Vec<TimeInterval> = vec![],
        /// The same under an older name.
        pub mute_time_intervals: Vec<TimeInterval> = vec![],
        /// What silences may be.
        pub silences: Silences = Silences::default(),
        /// Files that define Go templates for receivers to call, as patterns:
        /// `templates/*.tmpl`.
        pub templates: Vec<PathBuf> = vec![],
        /// What becomes of alerts that nobody ends or answers; of several policies
        /// the first that matches. Absent, without a `route` of your own: one
        /// policy with the defaults below; with a `route`: none.
        pub escalation: Option<Vec<Escalation>> = None,
        /// People who take turns at being told.
        pub on_call: Vec<OnCall> = vec![],
        /// How ends are believed. Absent, without a `route` of your own: as by the
        /// defaults below; with a `route`: at once.
        pub recovery: Option<Recovery> = None,
        /// When one mail tells of much that is down at once on one host. Absent, without
        /// a `route` of your own: as by the defaults below; with a `route`: never.
        pub collapse: Option<Collapse> = None,
        /// Whether, when a silence or a time interval of a route has ended, one mail tells
        /// those whom the first route mails what was held back until then. Without a
        /// word: yes, but for `belfry alertmanager`, which does as Alertmanager does.
        pub held_back: Option<bool> = None,
        /// As `mail.digest`: when, each day, what nobody is told of is told in one mail.
        /// Without a word as that says; `belfry alertmanager` has none then.
        pub digest: Option<String> = None,
        /// As `mail.canary`: how often a mail is sent only to show that pages arrive.
        /// Without a word as that says; `belfry alertmanager` sends none then.
        pub canary: Option<Duration> = None,
        /// How long the history of alerts and messages is kept.
        pub history: Duration = Duration::from_secs(30 * 86_400),
        /// How many past alerts the history keeps at most, within that time.
        pub episodes: usize = 20_000,
    }
}

settings::section! {
    /// How ends are believed: what has come back for a moment is not well yet.
    pub struct Recovery {
        /// How long an end must hold before it is told; 0s to tell it at once. At the
        /// default interval of 15s, two more evaluations have seen it by then.
        pub confirm: Duration = Duration::from_secs(30),
        /// So many ends within the window make an alert one that comes and goes; 0
        /// for never.
        pub flaps: usize = 3,
        /// The window.
        pub window: Duration = Duration::from_secs(3600),
        /// How long the end of one that comes and goes must hold.
        pub calm: Duration = Duration::from_secs(600),
    }
}

settings::section! {
    /// What silences may be.
    pub struct Silences {
        /// Silences at a time, expired ones included; 0 for any number.
        pub limit: usize = 10_000,
        /// Bytes that one may take, 0 for any: its matchers, comment and all.
        pub size: settings::Size = settings::Size(64 << 10),
        /// How long one that has expired is shown.
        pub retention: Duration = Duration::from_secs(5 * 86_400),
    }
}

settings::section! {
    /// A node of the route tree.
    pub struct Route {
        /// Who is told; inherited.
        pub receiver: String = String::new(),
        /// Labels that the alerts of one message share; `['...']` for all of
        /// them; inherited, `[]` for none.
        pub group_by: Option<Vec<String>> = None,
        /// From a group's first alert to its first message (30s); inherited.
        pub group_wait: Option<Duration> = None,
        /// Between messages about a group that changes (5m); inherited.
        pub group_interval: Option<Duration> = None,
        /// Between messages about a group that does not change (4h); inherited.
        pub repeat_interval: Option<Duration> = None,
        /// Labels and their values; `matchers` says more.
        pub r#match: BTreeMap<String, String> = BTreeMap::new(),
        /// Labels and expressions for their values; `matchers` says more.
        pub match_re: BTreeMap<String, String> = BTreeMap::new(),
        /// Conditions such as `severity="critical"`; all must hold.
        pub matchers: Vec<String> = vec![],
        /// What templates may ask of the route, by name: texts or templates; inherited,
        /// each by itself.
        pub labels: BTreeMap<String, String> = BTreeMap::new(),
        /// Whether the nodes behind this one are tried too.
        pub r#continue: bool = false,
        /// Names of time intervals in which nothing is told; not inherited.
        pub mute_time_intervals: Vec<String> = vec![],
        /// Names of time intervals outside of which nothing is told; not inherited.
        pub active_time_intervals: Vec<String> = vec![],
        /// Nodes below, tried in order.
        pub routes: Vec<Route> = vec![],
    }
}

settings::section! {
    /// A named time: any of its spans.
    pub struct TimeInterval {
        /// The name by which routes know it.
        pub name: String = String::new(),
        /// What it is made of.
        pub time_intervals: Vec<TimeSpan> = vec![],
    }
}

settings::section! {
    /// Conditions on a moment, of which all have to hold; of each list, one entry.
    pub struct TimeSpan {
        /// Times of the day.
        pub times: Vec<TimeOfDay> = vec![],
        /// Days of the week: `saturday`, `monday:friday`.
        pub weekdays: Vec<String> = vec![],
        /// Days of the month: `15`, `1:5`, or from its end `-3:-1`.
        pub days_of_month: Vec<String> = vec![],
        /// Months: `may`, `january:march`, `10:12`.
        pub months: Vec<String> = vec![],
        /// Years: `2026`, `2026:2028`.
        pub years: Vec<String> = vec![],
        /// The time zone in which they are meant: `Europe/Berlin`, `Local`; UTC
        /// without a word.
        pub location: String = String::new(),
    }
}

settings::section! {
    /// A part of the day, within one day.
    pub struct TimeOfDay {
        /// Its beginning: `09:00`.
        pub start_time: String = String::new(),
        /// Its end, not included: `17:00`; at most `24:00`.
        pub end_time: String = String::new(),
    }
}

settings::section! {
    /// Mutes targets while a source fires.
    pub struct InhibitRule {
        /// A name, for people.
        pub name: String = String::new(),
        /// Labels of sources and their values.
        pub source_match: BTreeMap<String, String> = BTreeMap::new(),
        /// Labels of sources and expressions for their values.
        pub source_match_re: BTreeMap<String, String> = BTreeMap::new(),
        /// Conditions on sources.
        pub source_matchers: Vec<String> = vec![],
        /// Labels of targets and their values.
        pub target_match: BTreeMap<String, String> = BTreeMap::new(),
        /// Labels of targets and expressions for their values.
        pub target_match_re: BTreeMap<String, String> = BTreeMap::new(),
        /// Conditions on targets.
        pub target_matchers: Vec<String> = vec![],
        /// Labels that source and target have with the same value.
        pub equal: Vec<String> = vec![],
    }
}

settings::section! {
    /// Someone who is told. Without integrations: nobody.
    pub struct Receiver {
        /// The name by which routes know it.
        pub name: String = String::new(),
        /// Who owns it and the like, for clients that look for their own; `name`
        /// is always among them.
        pub labels: BTreeMap<String, String> = BTreeMap::new(),
        /// Mails.
        pub email_configs: Vec<Email> = vec![],
        /// Messages as JSON over HTTP.
        pub webhook_configs: Vec<Webhook> = vec![],
        /// Slack, and whatever takes its webhooks.
        pub slack_configs: Vec<Slack> = vec![],
        /// PagerDuty, by its Events API.
        pub pagerduty_configs: Vec<PagerDuty> = vec![],
        /// Opsgenie, and Jira Service Management under its API.
        pub opsgenie_configs: Vec<OpsGenie> = vec![],
        /// Telegram, by a bot.
        pub telegram_configs: Vec<Telegram> = vec![],
        /// Discord, by its webhooks.
        pub discord_configs: Vec<Discord> = vec![],
        /// Microsoft Teams, by its connectors.
        pub msteams_configs: Vec<MsTeams> = vec![],
        /// Microsoft Teams, by its workflows.
        pub msteamsv2_configs: Vec<MsTeamsV2> = vec![],
        /// Pushover.
        pub pushover_configs: Vec<Pushover> = vec![],
        /// VictorOps, which is Splunk On-Call now.
        pub victorops_configs: Vec<VictorOps> = vec![],
        /// Webex.
        pub webex_configs: Vec<Webex> = vec![],
        /// Amazon SNS.
        pub sns_configs: Vec<Sns> = vec![],
        /// Rocket.Chat.
        pub rocketchat_configs: Vec<RocketChat> = vec![],
        /// Jira.
        pub jira_configs: Vec<Jira> = vec![],
        /// WeChat Work.
        pub wechat_configs: Vec<WeChat> = vec![],
        /// ntfy.
        pub ntfy_configs: Vec<Ntfy> = vec![],
        /// Gotify.
        pub gotify_configs: Vec<Gotify> = vec![],
    }
}

/// A fault in one of the sections.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct Problem {
    /// The key from the top of the file on: `mail.smarthost`,
    /// `alerter.route.routes[1].receiver`.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

/// Everything that is wrong with the two sections; empty if they can be used.
/// A `mail` section that says nothing is none.
#[must_use]
pub fn check(config: &Config, mail: &Mail) -> Vec<Problem> {
    plan(config, mail).err().unwrap_or_default()
}

/// Compiles the two sections, or names everything that is wrong with them.
pub(crate) fn plan(config: &Config, mail: &Mail) -> Result<Plan, Vec<Problem>> {
    compile::compile(config, mail)
}

#[cfg(test)]
mod tests;
