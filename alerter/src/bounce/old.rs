//! Bounces without a report: those of qmail, of old servers, and of some providers.
//!
//! What no mail server sends is none, so that nobody's notice of a holiday, which may
//! quote the mail that it answers, is taken for one.

use super::mime::Part;
use super::{Fate, NoBounce, RECIPIENTS, Returned, address, words};

/// Who sends bounces.
const SENDERS: [&str; 3] = ["mailer-daemon", "postmaster", "mail delivery"];

/// What subjects say of mails that are still tried.
const DELAYS: [&str; 5] = ["delay", "warning", "not yet", "still being", "temporarily"];

/// Whom the mail did not reach.
pub(super) fn recipients(mail: &Part<'_>, leaves: &[Part<'_>]) -> Result<Vec<Returned>, NoBounce> {
    let from = mail.field("From").to_ascii_lowercase();
    let failed = mail.field("X-Failed-Recipients");
    if failed.is_empty() && !SENDERS.iter().any(|sender| from.contains(sender)) {
        return Err(NoBounce::Other);
    }
    let subject = mail.field("Subject");
    let text = leaves.first().map(Part::text).unwrap_or_default();
    // What follows is the mail that came back, whose header names others too.
    let end = text.lines().position(|line| {
        let line = line.trim_start_matches(['>', ' ']);
        line.starts_with("---") || line.to_ascii_lowercase().starts_with("message-id:")
    });
    let own: Vec<&str> = text.lines().take(end.unwrap_or(usize::MAX)).collect();
    let people = match failed.is_empty() {
        true => address::in_text(&own.join("\n")),
        false => address::in_text(failed),
    };
    let low = subject.to_ascii_lowercase();
    let fate = match DELAYS.iter().any(|word| low.contains(word)) {
        true => Fate::Delayed,
        false => Fate::Failed,
    };
    let reason = own.iter().find(|line| is_reply(line));
    let said = words(reason.map_or(subject, |line| line));
    let one = |address| Returned {
        addresses: vec![address],
        fate,
        said: said.clone(),
    };
    Ok(people.into_iter().take(RECIPIENTS).map(one).collect())
}

/// Whether a line has a server's answer: `550 5.1.1 no such user`.
fn is_reply(line: &str) -> bool {
    line.split_whitespace().any(|word| {
        let code = word.split(['-', ':', ',']).next().unwrap_or_default();
        let bytes = code.as_bytes();
        bytes.len() == 3 && matches!(bytes[0], b'4' | b'5') && bytes.iter().all(u8::is_ascii_digit)
    })
}
