//! Routes alerts, groups them, repeats and resolves pages, and sends mail.
//!
//! [`Alerter`] holds the state and every decision, pure and tested in virtual
//! time, with Alertmanager's semantics.
//! Nothing here evaluates a rule: alerts come from outside, by
//! [`Alerter::put`].

mod backoff;
mod config;
mod dedup;
mod health;
mod inhibit;
mod matcher;
mod notification;
mod plan;
mod smtp;
mod state;

pub use config::{
    Config, Email, Global, InhibitRule, Mail, Problem, Receiver, Route, TlsConfig, plan,
};
pub use dedup::Reason;
pub use health::{Class, Failure, MailHealth, StoreHealth};
pub use notification::{Notification, Rendered, Told};
pub use plan::Plan;
pub use smtp::Tls;
pub use state::{
    AlertRow, AlertState, AlertView, Alerter, Changes, Delivery, Event, EventKind, GroupRow,
    GroupView, LogRow, Outcome, PendingRow, PendingView, Refusal, Stored,
};
