//! `message/delivery-status`: for each recipient what became of the mail, and why.

use super::mime::{self, Fields, Part, value};
use super::{Fate, NoBounce, RECIPIENTS, Returned, address, words};

/// Whether a part is such a report; some servers call the same by a newer name, and
/// some send it as plain text.
pub(super) fn is_one(part: &Part<'_>) -> bool {
    match &*part.kind() {
        "message/delivery-status" | "message/global-delivery-status" => true,
        "text/plain" => {
            let text = part.text();
            let lines = text.lines();
            let mut named = lines.filter(|line| {
                let line = line.to_ascii_lowercase();
                line.starts_with("final-recipient:") || line.starts_with("action:")
            });
            named.nth(1).is_some()
        }
        _ => false,
    }
}

/// Whom the mail did not reach.
pub(super) fn recipients(text: &str) -> Result<Vec<Returned>, NoBounce> {
    let (mut found, mut delivered) = (Vec::new(), false);
    let mut rest = text;
    while !rest.is_empty() && found.len() < RECIPIENTS {
        let (fields, after) = mime::fields(rest);
        // A line that is no field would be met again without end.
        rest = match after.len() == rest.len() {
            true => after.split_once('\n').map_or("", |(_, after)| after),
            false => after,
        };
        match fate(&fields) {
            Some(Ok(fate)) => found.extend(returned(&fields, fate)),
            Some(Err(())) => delivered = true,
            None => {}
        }
    }
    match (found.is_empty(), delivered) {
        (true, true) => Err(NoBounce::Delivered),
        (true, false) => Err(NoBounce::NoRecipient),
        (false, _) => Ok(found),
    }
}

/// What became of it; an error if it arrived, nothing if that is not about somebody.
fn fate(fields: &Fields) -> Option<Result<Fate, ()>> {
    let named = |name: &&str| !value(fields, name).is_empty();
    ["Final-Recipient", "Original-Recipient"]
        .iter()
        .find(|name| named(name))?;
    let action = value(fields, "Action").to_ascii_lowercase();
    let word = action.split([' ', '(']).next().unwrap_or_default();
    Some(
        match (word, value(fields, "Status").trim().chars().next()) {
            ("failed", _) | ("", Some('5')) => Ok(Fate::Failed),
            ("delayed", _) | ("", Some('4')) => Ok(Fate::Delayed),
            // `delivered`, `relayed`, `expanded`, or a word that nobody knows.
            _ => Err(()),
        },
    )
}

fn returned(fields: &Fields, fate: Fate) -> Option<Returned> {
    let mut addresses: Vec<String> = Vec::new();
    for name in ["Original-Recipient", "Final-Recipient"] {
        let found = address::of_field(value(fields, name));
        if let Some(found) = found.filter(|it| !addresses.contains(it)) {
            addresses.push(found);
        }
    }
    if addresses.is_empty() {
        return None;
    }
    let status = value(fields, "Status");
    let diagnostic = after_kind(value(fields, "Diagnostic-Code"));
    let mut said = match (diagnostic.contains(status), diagnostic.is_empty()) {
        (_, true) if status.is_empty() => "no reason is given".to_owned(),
        (_, true) => format!("status {status}"),
        (true, false) => diagnostic.to_owned(),
        (false, false) => format!("{status} {diagnostic}"),
    };
    let server = after_kind(value(fields, "Remote-MTA"));
    if !server.is_empty() {
        said = format!("{said} (by {server})");
    }
    Some(Returned {
        addresses,
        fate,
        said: words(&said),
    })
}

/// `mx.example.org` of `dns; mx.example.org`.
fn after_kind(value: &str) -> &str {
    let kind = |kind: &str| kind.trim().bytes().all(|it| it.is_ascii_graphic());
    match value.split_once(';') {
        Some((first, rest)) if kind(first) && !first.trim().contains('=') => rest.trim(),
        _ => value.trim(),
    }
}
