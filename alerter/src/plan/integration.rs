//! The ways in which a receiver is told: mails, and messages over HTTP by someone who
//! brings them to people. Whom an alert goes to is decided elsewhere.

use std::sync::Arc;
use std::time::Duration;

use lettre::Address;

use crate::http::{Line, Way};
use crate::notification::Notification;
use crate::smtp::Server;
use crate::state::Outcome;
use crate::vendor::Vendor;
use crate::whom::{From, To};
use crate::words::Words;

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
    /// Where it goes if it comes back; to the sender without a word.
    pub return_path: Option<Address>,
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
