//! `/federate`: the newest sample of series, as a page.

use std::io::Write as _;

use exposition::{Labels, NAME, is_stale};
use series::Newest;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::failure::Failure;
use crate::routes::Api;
use crate::{json, selectors};

/// Series that `match[]` selects, with the times of their samples.
pub(crate) fn page(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let source = &api.source;
    let now = (source.now_ms)();
    let lookback = i64::try_from(source.limits.lookback.as_millis()).unwrap_or(i64::MAX);
    let mut found: Vec<Newest> = Vec::new();
    selectors::each(ask, Failure::BadData, |matchers| {
        let mut newest = source
            .store
            .newest(matchers, now.saturating_sub(lookback), now);
        newest.retain(|one| !is_stale(one.value) && !one.labels.name().is_empty());
        found.append(&mut newest);
    })?;
    found.sort_unstable_by(|one, two| {
        let name = one.labels.name().cmp(two.labels.name());
        name.then_with(|| one.labels.cmp(&two.labels))
    });
    found.dedup_by(|one, two| one.labels == two.labels);
    let external = (source.external_labels)();
    let instance = external.get("instance").is_empty();
    let quotes = ask.quotes;
    let mut rows = found.into_iter();
    let mut family = String::new();
    let fill = move |out: &mut Vec<u8>| {
        let Some(Newest {
            labels,
            time_ms,
            value,
        }) = rows.next()
        else {
            return false;
        };
        let metric = spelled(labels.name(), quotes, true);
        if metric.text != family {
            family.clone_from(&metric.text);
            let _ = writeln!(out, "# TYPE {family} untyped");
        }
        line(out, &metric, &labels, &external, instance, quotes);
        json::number(out, value);
        let _ = writeln!(out, " {time_ms}");
        true
    };
    Ok(Answer::Body {
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        fill: Box::new(fill),
    })
}

/// Everything before the value.
fn line(
    out: &mut Vec<u8>,
    metric: &Spelled,
    labels: &Labels,
    external: &Labels,
    instance: bool,
    quotes: bool,
) {
    // A name in quotes stands between the braces.
    let mut before = "{";
    if metric.quoted {
        out.push(b'{');
        before = ",";
    }
    out.extend_from_slice(metric.text.as_bytes());
    let own = labels.iter().filter(|(name, _)| *name != NAME);
    let added = external
        .iter()
        .chain(instance.then_some(("instance", "")))
        .filter(|(name, _)| labels.get(name).is_empty());
    for (name, value) in own.chain(added) {
        out.extend_from_slice(before.as_bytes());
        before = ",";
        out.extend_from_slice(spelled(name, quotes, false).text.as_bytes());
        out.push(b'=');
        quote(out, value);
    }
    out.extend_from_slice(if before == "{" { b" " } else { b"} " });
}

/// A name as a page can have it.
struct Spelled {
    text: String,
    quoted: bool,
}

fn spelled(name: &str, quotes: bool, colons: bool) -> Spelled {
    let takes = |at: usize, letter: char| {
        letter.is_ascii_alphabetic()
            || letter == '_'
            || (colons && letter == ':')
            || (at > 0 && letter.is_ascii_digit())
    };
    let plain = name.char_indices().all(|(at, letter)| takes(at, letter));
    if quotes && !plain {
        let mut text = Vec::new();
        quote(&mut text, name);
        return Spelled {
            text: String::from_utf8_lossy(&text).into_owned(),
            quoted: true,
        };
    }
    let letters = name.char_indices();
    Spelled {
        text: letters
            .map(|(at, letter)| if takes(at, letter) { letter } else { '_' })
            .collect(),
        quoted: false,
    }
}

fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
