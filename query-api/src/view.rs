//! Rules, alerts and targets as the API shows them.

use exposition::Labels;

/// A group of rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleGroup {
    /// Its name.
    pub name: String,
    /// The file it stands in.
    pub file: String,
    /// How often it is evaluated, in seconds.
    pub interval: f64,
    /// The most series or alerts of a rule; 0 is no limit.
    pub limit: usize,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// How long the last evaluation took, in seconds.
    pub evaluation_time: f64,
    /// When that was, in milliseconds since 1970, if it ever was.
    pub last_evaluation_ms: Option<i64>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The alert's name or the metric recorded.
    pub name: String,
    /// The expression, as canonical text.
    pub query: String,
    /// The rule's own labels, templates unexpanded.
    pub labels: Labels,
    /// How the last evaluation went.
    pub health: Health,
    /// Why it failed.
    pub last_error: Option<String>,
    /// How long it took, in seconds.
    pub evaluation_time: f64,
    /// When that was, in milliseconds since 1970, if it ever was.
    pub last_evaluation_ms: Option<i64>,
    /// What the rule is for.
    pub kind: RuleKind,
}

/// What a rule is for.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// It records a series.
    Recording,
    /// It raises alerts.
    Alerting {
        /// The worst state of its alerts.
        state: RuleState,
        /// `for`, in seconds.
        hold: f64,
        /// `keep_firing_for`, in seconds.
        keep_firing_for: f64,
        /// Templates by name.
        annotations: Labels,
        /// Pending and firing alerts; resolved ones are left out.
        alerts: Vec<Alert>,
    },
}

/// State of an alert or of an alerting rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleState {
    /// Nothing is wrong.
    Inactive,
    /// Something is, but not for long enough.
    Pending,
    /// Something is.
    Firing,
    /// Never evaluated.
    Unknown,
}

/// A pending or firing alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// What identifies it, `alertname` included.
    pub labels: Labels,
    /// Texts, filled in.
    pub annotations: Labels,
    /// Pending or firing.
    pub state: RuleState,
    /// Since when, in milliseconds since 1970.
    pub active_at_ms: i64,
    /// Since when it is only kept firing, in milliseconds since 1970.
    pub keep_firing_since_ms: Option<i64>,
    /// The expression's value.
    pub value: f64,
}

/// How the last scrape or evaluation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// There was none yet.
    Unknown,
    /// Well: `up` of a target, `ok` of a rule.
    Good,
    /// Badly: `down` of a target, `err` of a rule.
    Bad,
}

/// What is scraped, and what might have been.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Targets {
    /// Targets that are scraped, sorted by pool.
    pub active: Vec<Target>,
    /// Targets that relabelling dropped.
    pub dropped: Vec<DroppedTarget>,
}

/// A target that is scraped.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Labels before relabelling.
    pub discovered_labels: Labels,
    /// Labels its series get.
    pub labels: Labels,
    /// The scrape configuration's `job_name`.
    pub scrape_pool: String,
    /// What is asked.
    pub scrape_url: String,
    /// The same as others can reach it.
    pub global_url: String,
    /// Why the last scrape failed; empty if it did not.
    pub last_error: String,
    /// When that was, in milliseconds since 1970, if it ever was.
    pub last_scrape_ms: Option<i64>,
    /// How long it took, in seconds.
    pub last_scrape_duration: f64,
    /// How it went.
    pub health: Health,
    /// As configured: `15s`.
    pub scrape_interval: String,
    /// As configured: `10s`.
    pub scrape_timeout: String,
}

/// A target that relabelling dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedTarget {
    /// Labels before relabelling.
    pub discovered_labels: Labels,
    /// The scrape configuration's `job_name`.
    pub scrape_pool: String,
}

/// What a target says about one family of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The target's labels.
    pub target: Labels,
    /// The family's name.
    pub family: String,
    /// `counter`, `gauge`, `histogram`, `summary` or `unknown`.
    pub kind: &'static str,
    /// What it is.
    pub help: String,
    /// Its unit, if stated.
    pub unit: String,
}

/// Where alerts are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alertmanagers {
    /// Addresses of their alert endpoints.
    pub active: Vec<String>,
    /// Those that relabelling dropped.
    pub dropped: Vec<String>,
}
