//! The compiled configuration: what the decisions are made by.
//!
//! A plan is immutable and valid: every route's receiver exists, every
//! expression is compiled. It is made by [`crate::config`] and nowhere else.

mod collapse;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alert::Set;

use crate::escalation::Policy;
use crate::http::{Line, Way};
use crate::interval::Interval;
use crate::matcher::Matcher;
use crate::notification::Notification;
use crate::pairs::Pairs;
use crate::recovery::Recovery;
use crate::silence::Limits;
use crate::smtp::Server;
use crate::state::{Mute, Outcome};
use crate::vendor::Vendor;
use crate::whom::{From, To};
use crate::words::{RouteLabels, Words};
pub(crate) use collapse::Collapse;

/// Which labels a group shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupBy {
    /// Every label: one group per alert (`...`).
    All,
    /// These, in order; none means one group per route.
    Labels(Vec<String>),
}

/// A node of the route tree with everything it inherited.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Tells the node from all others; survives a reload that leaves it alone.
    pub id: Arc<str>,
    /// The first half of its groups' keys: the matcher sets from the root on.
    pub key: Arc<str>,
    /// Index into [`Plan::receivers`].
    pub receiver: usize,
    /// What its groups share.
    pub group_by: GroupBy,
    /// From a group's first alert to its first message, in milliseconds.
    pub group_wait_ms: i64,
    /// Between looks at a group after that.
    pub group_interval_ms: i64,
    /// How long a message that said everything stays said.
    pub repeat_interval_ms: i64,
    /// All of them must hold.
    pub matchers: Vec<Matcher>,
    /// Time intervals in which nothing is told: indexes into [`Plan::intervals`].
    pub mute: Vec<usize>,
    /// Those outside of which nothing is told; none for always.
    pub active: Vec<usize>,
    /// What templates may ask of it.
    pub labels: RouteLabels,
    /// Whether the siblings behind it are tried too.
    pub continues: bool,
    /// Indexes into [`Plan::routes`], in order.
    pub children: Vec<usize>,
}

/// Mutes targets while a source fires.
#[derive(Debug, Clone)]
pub(crate) struct InhibitRule {
    /// What a source looks like.
    pub source: Vec<Matcher>,
    /// What a target looks like.
    pub target: Vec<Matcher>,
    /// Labels whose values source and target share.
    pub equal: Vec<String>,
}

/// Where a route's messages go: all integrations at once, or none.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    /// Its name, unique.
    pub name: Arc<str>,
    /// Its name and what else clients may look for.
    pub labels: Set,
    /// What it sends through, by slots that survive a change of the others.
    pub integrations: BTreeMap<usize, Integration>,
}

impl Receiver {
    /// Those of its integrations that are mails.
    pub(crate) fn emails(&self) -> impl Iterator<Item = &Arc<Email>> {
        self.integrations.values().filter_map(|it| match it {
            Integration::Email(email) => Some(email),
            Integration::Channel(_) => None,
        })
    }
}

/// Slots of second contacts begin here, those of each policy with another.
const SECOND: usize = 10_000_000;

impl Receiver {
    /// The slot under which a receiver has an integration of another, its second
    /// contact by a policy.
    pub(crate) fn second_slot(policy: usize, slot: usize) -> usize {
        SECOND * (policy + 1) + slot
    }

    /// The policy by which an integration is a second contact, if it is one.
    pub(crate) fn second_of(slot: usize) -> Option<usize> {
        (slot / SECOND).checked_sub(1)
    }
}

/// One way in which a receiver is told.
#[derive(Debug, Clone)]
pub(crate) enum Integration {
    Email(Arc<Email>),
    Channel(Arc<Channel>),
}

impl Integration {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Email(_) => Kind::Email,
            Self::Channel(channel) => channel.kind,
        }
    }

    /// Whether ended alerts are told too.
    pub(crate) fn send_resolved(&self) -> bool {
        match self {
            Self::Email(email) => email.send_resolved,
            Self::Channel(channel) => channel.send_resolved,
        }
    }

    /// Who is told through it, for people: `email to ops@example.org`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Email(email) => format!("email to {}", email.to.words()),
            Self::Channel(channel) => channel.address.to_string(),
        }
    }

    /// The server's name among those that messages wait for.
    pub(crate) fn address(&self) -> &Arc<str> {
        match self {
            Self::Email(email) => &email.server().address,
            Self::Channel(channel) => &channel.address,
        }
    }
}

/// Messages over HTTP, by someone who brings them to people.
pub(crate) struct Channel {
    pub kind: Kind,
    /// What names its server among those that messages wait for: the kind, a
    /// space, the server's name and port; no secret.
    pub address: Arc<str>,
    pub send_resolved: bool,
    /// For one attempt; zero for as long as its group's deadline.
    pub timeout: Duration,
    pub way: Way,
    pub vendor: Box<dyn Vendor>,
}

impl Channel {
    /// Sends one message; `deadline` bounds it if nothing else does.
    pub(crate) async fn send(&self, message: &Notification, deadline: Duration) -> Outcome {
        let timeout = match self.timeout.is_zero() {
            true => deadline,
            false => self.timeout,
        };
        let way = &self.way;
        match self.vendor.tell(message, Line { way, timeout }).await {
            Ok(()) => Outcome {
                accepted: vec![self.address.to_string()],
                ..Outcome::default()
            },
            Err(failure) => Outcome::failure(failure),
        }
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Channel")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

macro_rules! kinds {
    ($($kind:ident = $word:literal,)*) => {
        /// The kinds of integrations. New ones are added at the end, as their
        /// places are stored.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind {
            $($kind,)*
        }

        impl Kind {
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Alertmanager's word for it, or ours.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }
        }
    };
}

kinds! {
    Email = "email",
    Webhook = "webhook",
    Slack = "slack",
    PagerDuty = "pagerduty",
    OpsGenie = "opsgenie",
    Telegram = "telegram",
    Discord = "discord",
    MsTeams = "msteams",
    MsTeamsV2 = "msteamsv2",
    Ntfy = "ntfy",
    Gotify = "gotify",
    Pushover = "pushover",
    VictorOps = "victorops",
    Webex = "webex",
    Sns = "sns",
    RocketChat = "rocketchat",
    Jira = "jira",
    WeChat = "wechat",
}

impl Kind {
    /// Names the receiver's `at`th integration of this kind in the notification
    /// log. Each kind counts for itself, so that another mail does not make
    /// strangers of the webhooks.
    pub(crate) fn slot(self, at: usize) -> usize {
        const EACH: usize = 100_000;
        self as usize * EACH + at
    }
}

/// How long a thread of all mails about a group lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thread {
    Day,
    Ever,
}

/// Mail to a list of people through one server.
#[derive(Debug, Clone)]
pub(crate) struct Email {
    /// Recipients, each with a display name or without.
    pub to: To,
    /// The sender.
    pub from: From,
    /// Whether ended alerts are told too.
    pub send_resolved: bool,
    /// What of its words is a template of the user's.
    pub words: Words,
    /// Header fields that replace or add to our own.
    pub headers: Vec<(String, String)>,
    /// Whether all mails about a group make a thread, and not those about an incident.
    pub thread: Option<Thread>,
    /// Mails in an hour that tell of one group; of more groups, one mail tells
    /// together. 0 for any number.
    pub hourly: usize,
    /// The servers, by which it goes to the first that takes it; never empty.
    pub servers: Vec<Arc<Server>>,
}

impl Email {
    /// The server that is tried first, by which the mail is known.
    pub(crate) fn server(&self) -> &Server {
        &self.servers[0]
    }

    /// Whether it depends on the group who is told, or by whom.
    pub(crate) fn varies(&self) -> bool {
        matches!(self.to, To::Template { .. }) || matches!(self.from, From::Template { .. })
    }
}

/// Everything the decisions need to know.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The tree; the root is the first.
    pub routes: Vec<Route>,
    /// Muting rules.
    pub inhibit: Vec<InhibitRule>,
    /// Receivers, those that no route names among them.
    pub receivers: Vec<Receiver>,
    /// Times that routes name.
    pub intervals: Vec<Interval>,
    /// How long an alert without an end fires after it was last heard of, in
    /// milliseconds.
    pub resolve_timeout_ms: i64,
    /// What becomes of alerts that nobody ends or answers.
    pub escalation: Vec<Policy>,
    /// How ends are believed.
    pub recovery: Recovery,
    /// When much of one host is told in one mail.
    pub collapse: Option<Collapse>,
    /// Episodes of alerts that are kept at most.
    pub episodes: usize,
    /// How many silences there may be, and how long they stay.
    pub silences: Limits,
    /// The configuration as clients are shown it.
    pub original: String,
    /// Whether the arithmetic is Alertmanager's to the letter. Our own tree
    /// repeats on the minute, tells the end of what was told even if it is
    /// muted by then, and forgets what ended unseen.
    pub letter: bool,
}

impl Plan {
    /// The receiver that a route's messages go to.
    #[must_use]
    pub(crate) fn receiver_of(&self, route: usize) -> &Receiver {
        &self.receivers[self.routes[route].receiver]
    }

    /// The routes that `labels` take, by index: depth first, the first match
    /// without `continue` ends the walk among its siblings.
    #[must_use]
    pub(crate) fn routes_of(&self, labels: &Pairs) -> Vec<usize> {
        let mut found = Vec::new();
        self.walk(0, labels, &mut found);
        found
    }

    /// What keeps a route from telling anything at `now_ms`, if anything does,
    /// and the names of the time intervals that do.
    #[must_use]
    pub(crate) fn closed(&self, route: usize, now_ms: i64) -> Option<(Mute, Vec<Arc<str>>)> {
        let route = &self.routes[route];
        let named = |at: &usize| Arc::clone(&self.intervals[*at].name);
        let holds = |at: &&usize| self.intervals[**at].holds(now_ms);
        if !route.active.is_empty() && !route.active.iter().any(|at| holds(&at)) {
            return Some((Mute::Inactive, route.active.iter().map(named).collect()));
        }
        let muting: Vec<_> = route.mute.iter().filter(holds).map(named).collect();
        (!muting.is_empty()).then_some((Mute::Window, muting))
    }

    fn walk(&self, at: usize, labels: &Pairs, found: &mut Vec<usize>) -> bool {
        let route = &self.routes[at];
        if !crate::matcher::all_match(&route.matchers, labels) {
            return false;
        }
        let before = found.len();
        for child in &route.children {
            if self.walk(*child, labels, found) && !self.routes[*child].continues {
                break;
            }
        }
        // A node speaks only where none of its children did.
        if found.len() == before {
            found.push(at);
        }
        true
    }
}

impl Route {
    /// The part of `labels` that the route's groups share.
    #[must_use]
    pub(crate) fn group_labels(&self, labels: &Pairs) -> Pairs {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => labels
                .iter()
                .filter(|(name, _)| names.iter().any(|wanted| wanted == name))
                .collect(),
        }
    }

    /// Names the group of an alert with these labels among the route's.
    #[must_use]
    pub(crate) fn group_fingerprint(&self, labels: &Pairs) -> u64 {
        match &self.group_by {
            GroupBy::All => labels.fingerprint(),
            GroupBy::Labels(names) => {
                labels.fingerprint_of(|name| names.iter().any(|wanted| wanted == name))
            }
        }
    }

    /// A group's key: `{}/{team="db"}:{alertname="x", job="j"}`.
    #[must_use]
    pub(crate) fn group_key(&self, labels: &Pairs) -> String {
        let items: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={}", crate::matcher::go_quoted(value)))
            .collect();
        format!("{}:{{{}}}", self.key, items.join(", "))
    }
}

#[cfg(test)]
mod tests;
