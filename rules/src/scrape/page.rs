//! One page as lines that are ready for the store.
//!
//! Labels are parsed only for series that the target had not named before; of
//! the others a repeated scrape reads no more than value and time.

use std::sync::Arc;

use exposition::{Entry, Labels, parse, parse_value};
use series::Appender;

use super::Target;

/// Samples further ahead of the clock than this are not taken.
pub(super) const MAX_AHEAD_MS: i64 = 10 * 60_000;

/// One sample of a page.
pub(super) struct Line<'a> {
    /// The series as the page spells it.
    pub(super) key: &'a str,
    pub(super) value: f64,
    pub(super) time_ms: Option<i64>,
    /// With those of the target; absent for a series that is known already.
    pub(super) labels: Option<Labels>,
}

/// What reading a page needs to know of its target.
pub(super) struct Reader<'a> {
    pub(super) target: &'a Target,
    /// The labels of the target.
    pub(super) labels: &'a [(Arc<str>, Arc<str>)],
    pub(super) known: &'a Appender,
}

impl Reader<'_> {
    /// Reads a whole page, or says what is wrong with it. `counted` is how many
    /// samples were seen, also when it fails.
    pub(super) fn page<'t>(
        &self,
        text: &'t str,
        counted: &mut usize,
    ) -> Result<Vec<Line<'t>>, String> {
        let limits = &self.target.limits;
        limits.body(text.len())?;
        let mut lines = Vec::new();
        for (at, line) in text.split('\n').enumerate() {
            let line = line.trim_matches([' ', '\t', '\r']);
            let said = self.line(line).map_err(|what| match what {
                Fault::Line(what) => format!("line {}: {what}", at + 1),
                Fault::Limit(what) => what,
            })?;
            let Some(sample) = said else {
                continue;
            };
            *counted += 1;
            // Counted to the end, so that the reader sees how far over it is.
            if *counted <= limits.samples {
                lines.push(sample);
            }
        }
        limits.count(*counted)?;
        Ok(lines)
    }

    fn line<'t>(&self, line: &'t str) -> Result<Option<Line<'t>>, Fault> {
        if line.is_empty() || line.starts_with("# HELP ") {
            return Ok(None);
        }
        let key = key(line);
        if line.starts_with('#') || !self.known.knows(key) {
            return self.new_line(line, key);
        }
        let mut words = line[key.len()..].split_ascii_whitespace();
        let value = words.next().and_then(parse_value);
        let time_ms = words.next().map(str::parse).transpose();
        match (value, time_ms, words.next()) {
            (Some(value), Ok(time_ms), None) => Ok(Some(Line {
                key,
                value,
                time_ms,
                labels: None,
            })),
            // The full parser says what is wrong.
            _ => self.new_line(line, key),
        }
    }

    fn new_line<'t>(&self, line: &'t str, key: &'t str) -> Result<Option<Line<'t>>, Fault> {
        let Some(entry) = parse(line).next() else {
            return Ok(None);
        };
        let Entry::Sample(sample) = entry.map_err(|err| Fault::Line(err.what))? else {
            return Ok(None);
        };
        let labels = merged(&sample.labels, self.labels, self.target.honor_labels);
        self.target.limits.series(&labels).map_err(Fault::Limit)?;
        Ok(Some(Line {
            key,
            value: sample.value,
            time_ms: sample.time_ms,
            labels: Some(labels),
        }))
    }
}

enum Fault {
    Line(&'static str),
    Limit(String),
}

/// The labels of a series by its spelling, with those of its target.
pub(super) fn labels_of(key: &str, target: &[(Arc<str>, Arc<str>)], honor: bool) -> Option<Labels> {
    match parse(&format!("{key} 0")).next() {
        Some(Ok(Entry::Sample(sample))) => Some(merged(&sample.labels, target, honor)),
        _ => None,
    }
}

/// Everything before the value: up to the closing brace, or to the first space.
fn key(line: &str) -> &str {
    let bytes = line.as_bytes();
    let open = bytes
        .iter()
        .position(|byte| matches!(byte, b'{' | b' ' | b'\t'));
    let Some(mut at) = open else {
        return line;
    };
    // Spaces may stand between a name and its brace.
    let brace = at
        + bytes[at..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
    if bytes.get(brace) != Some(&b'{') {
        return &line[..at];
    }
    at = brace;
    let (mut quoted, mut escaped) = (false, false);
    for (length, byte) in bytes[at..].iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return &line[..=at + length],
            _ => {}
        }
    }
    line
}

/// The labels of a sample together with those of its target.
fn merged(scraped: &Labels, target: &[(Arc<str>, Arc<str>)], honor: bool) -> Labels {
    let mut builder = scraped.edit();
    let mut clashes = Vec::new();
    for (name, value) in target {
        let there = scraped.get(name);
        if there.is_empty() {
            builder.set(Arc::clone(name), Arc::clone(value));
        } else if !honor {
            clashes.push((name, Arc::<str>::from(there)));
            builder.set(Arc::clone(name), Arc::clone(value));
        }
    }
    // All of the target's labels are in place before a free name is looked for.
    for (name, value) in clashes {
        let mut renamed = format!("exported_{name}");
        while !builder.get(&renamed).is_empty() {
            renamed.insert_str(0, "exported_");
        }
        builder.set(renamed, value);
    }
    builder.build()
}
