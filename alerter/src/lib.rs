//! Routes alerts, groups them, repeats and resolves pages, and sends mail.
//!
//! [`Alerter::start`] runs it; a [`Handle`] is what others hold. The decisions
//! are pure functions of the state and the time, with Alertmanager's semantics.
//! Nothing here evaluates a rule or knows a template: alerts come in by
//! [`Handle::put`], words from a closure.

pub mod api;
mod backoff;
mod bounce;
mod clock;
mod config;
mod dedup;
mod depend;
mod episode;
mod escalation;
mod handle;
mod health;
mod held;
mod http;
mod inhibit;
mod interval;
mod json;
mod matcher;
mod message;
mod metrics;
mod notice;
mod notification;
mod pairs;
mod plan;
mod recovery;
mod rota;
mod silence;
mod smtp;
mod state;
mod store;
mod task;
mod times;
mod vendor;
mod whom;
mod windows;
mod words;

pub use bounce::{Bounce, Fate, LONGEST as LONGEST_BOUNCE, NoBounce, Returned};
pub(crate) use config::plan;
pub use config::{
    Authorization, BasicAuth, Collapse as CollapsePolicy, Config, Email,
    Escalation as EscalationPolicy, Global, HeaderValues, HttpConfig, InhibitRule, Mail, MailToken,
    OAuth2, OnCall, Problem, Receiver, Recovery as RecoveryPolicy, Route, Silences, Spare,
    Threading, TimeInterval, TimeOfDay, TimeSpan, TlsConfig, check,
};
pub use dedup::Reason;
pub use depend::Need;
pub use episode::{Ack, Episode, Step, StepKind};
pub use handle::{
    AckError, AckOf, AckRequest, BounceError, Clock, Handle, HistoryFilter, Parts, ReloadError,
    Render, StartError, Stopped,
};
pub use health::{Class, Failure, MailHealth, StoreHealth};
pub use notice::Daily;
pub use notification::{Notification, Rendered, Told};
pub use silence::{Silence, SilenceDraft, SilenceError, SilenceMatcher, SilenceState};
pub use smtp::Tls;
pub use state::{
    AckLink, AlertState, AlertView, Alerter, Escalation, Event, EventKind, FindError, GroupView,
    Laid, Outcome, PendingView, Refusal, Why, WhyIntegration, WhyRoute,
};
pub use vendor::{
    Discord, Gotify, Jira, MsTeams, MsTeamsV2, Ntfy, OpsGenie, OpsGenieResponder, PagerDuty,
    PagerDutyImage, PagerDutyLink, Pushover, RocketChat, RocketChatAction, RocketChatField, SigV4,
    Slack, SlackAction, SlackConfirmation, SlackField, Sns, Telegram, VictorOps, WeChat, Webex,
    Webhook,
};
pub use windows::WindowEnd;
