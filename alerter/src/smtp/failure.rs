//! From an error of the SMTP client to a reason of the closed set.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp::Error;

use crate::health::{Class, Failure};

/// A failure where a refusal for good counts as `permanent`.
pub(super) fn classed(err: &Error, permanent: Class) -> Failure {
    match answer(err) {
        // "Who are you?" may come as late as the sender.
        Some((530 | 534 | 535 | 538, words)) => Failure::new(Class::Auth, words),
        Some((_, words)) if err.is_transient() && permanent != Class::Tls => {
            Failure::new(Class::Transient, words)
        }
        Some((_, words)) => Failure::new(permanent, words),
        None => broken(err),
    }
}

/// Why one recipient was refused; nothing if the connection broke instead.
pub(super) fn refused(err: &Error) -> Option<Failure> {
    let (_, words) = answer(err)?;
    Some(match err.is_transient() {
        true => Failure::new(Class::Transient, words),
        false => Failure::new(Class::Permanent, words),
    })
}

/// A failure without an answer of the server.
pub(super) fn broken(err: &Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = err.source();
    let mut words = err.to_string();
    let mut class = match err.is_timeout() {
        true => Class::Timeout,
        false if err.is_tls() => Class::Tls,
        // The server broke off, or spoke something else than SMTP.
        false => Class::Refused,
    };
    while let Some(err) = cause {
        words = err.to_string();
        let inner = err
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(|inner| inner.is::<rustls::Error>());
        if inner || err.is::<rustls::Error>() {
            class = Class::Tls;
        }
        cause = err.source();
    }
    Failure::new(class, words)
}

/// The server's code and words.
fn answer(err: &Error) -> Option<(u16, String)> {
    let code = u16::from(err.status()?);
    let words = err.source().map(ToString::to_string).unwrap_or_default();
    Some((code, format!("{code} {}", words.trim())))
}
