//! The page `/`: how the host is now.

mod ack;
mod cards;
mod host;
mod now;
mod probes;
mod sentence;
mod services;
mod show;
mod shown;
mod watch;
mod watched;

pub use ack::{AckAlert, AckPage, ack};
pub use now::*;

use crate::fact::Fault;
use crate::{Error, templates};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'";

/// The headers of every page, as names in lower case and values.
#[must_use]
pub fn headers() -> &'static [(&'static str, &'static str)] {
    &[
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
        ("cache-control", "no-store"),
    ]
}

/// The page as HTML.
///
/// # Errors
/// Only if a built-in template and its view disagree, which the tests exclude.
pub fn render(now: &Now) -> Result<String, Error> {
    templates::render("page", &show::show(now))
}
