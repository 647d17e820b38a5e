//! The running alerter against real servers: exim for what works, a sink of our
//! own for what does not.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod addressing;
mod api;
mod big_mail;
mod conform;
mod delivery;
mod durable;
mod faults;
mod intervals;
mod mail_servers;
mod notices;
mod on_call;
mod silences;
mod support;
mod vendors;
mod webhook;
mod webhook_tls;
