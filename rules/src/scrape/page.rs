//! One page as lines that are ready for the store.
//!
//! Labels are parsed and relabelled only for series that the target had not named
//! before; of the others a repeated scrape reads no more than value and time.

use exposition::{
    Entry, Format, Kind, Label, Labels, NAME, format_bound, parse_value, spells_empty,
};
use series::{Appender, Finder, Slot};

use super::Target;
use crate::relabel;

/// Samples further ahead of the clock than this are not taken.
pub(super) const MAX_AHEAD_MS: i64 = 10 * 60_000;

/// Of so many new series the labels are kept ready; those of others are made one
/// at a time, so that a page of a million new ones takes little memory.
const READY: usize = 10_000;

/// A page as it came, and how it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<'a> {
    /// The page.
    pub text: &'a str,
    /// Its format.
    pub format: Format,
}

impl<'a> From<&'a str> for Page<'a> {
    fn from(text: &'a str) -> Self {
        Self {
            text,
            format: Format::Text,
        }
    }
}

/// One sample of a page.
pub(super) struct Line<'a> {
    pub(super) value: f64,
    pub(super) time_ms: Option<i64>,
    pub(super) series: Series<'a>,
}

/// What is known of a line's series.
pub(super) enum Series<'a> {
    /// It was on the page before; the line begins at this byte of the page.
    Known { slot: Slot, at: u32, kind: Kind },
    /// It was not. Boxed, since of a repeated page none are.
    New(Box<New<'a>>),
}

/// A series that was not on the page before.
pub(super) struct New<'a> {
    /// As the page spells it.
    pub(super) key: &'a str,
    /// The type of the family it stands in.
    pub(super) kind: Kind,
    pub(super) labels: Labelled,
}

/// The labels of a new series.
pub(super) enum Labelled {
    /// They are valid, and made when asked for.
    Later,
    /// Relabelling drops it.
    Dropped,
    Made(Labels),
}

/// How the series of a page get their labels.
#[derive(Clone, Copy)]
pub(super) struct Dress<'a> {
    pub(super) target: &'a Target,
    /// The labels of the target.
    pub(super) labels: &'a [Label],
    pub(super) format: Format,
}

/// How many samples a page has.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) scraped: usize,
    /// Left by relabelling.
    pub(super) kept: usize,
}

/// Reads a whole page, or says what is wrong with it; `counted` is right also
/// when it fails.
pub(super) fn read<'t>(
    dress: Dress<'_>,
    known: &Appender,
    text: &'t str,
    counted: &mut Counted,
) -> Result<Vec<Line<'t>>, String> {
    let limits = &dress.target.limits;
    limits.body(text.len())?;
    let body = dress.format.body(text).map_err(|err| err.to_string())?;
    let mut reader = Reader {
        dress,
        finder: known.finder(),
        kind: Kind::Untyped,
        at: 0,
    };
    let mut lines = Vec::with_capacity(known.len());
    for (at, line) in body.split('\n').enumerate() {
        if counted.kept > limits.samples && dress.target.relabel.is_empty() {
            // The page is refused whatever follows, so that is only counted.
            let counts = usize::from(!line.is_empty() && !line.starts_with('#'));
            counted.scraped += counts;
            counted.kept += counts;
            continue;
        }
        let said = reader.line(line).map_err(|what| match what {
            Fault::Line(what) => format!("line {}: {what}", at + 1),
            Fault::Limit(what) => what,
        })?;
        reader.at += line.len() + 1;
        let Some(mut sample) = said else {
            continue;
        };
        counted.scraped += 1;
        counted.kept += usize::from(match &sample.series {
            Series::Known { slot, .. } => reader.finder.keeps(*slot),
            Series::New(new) => !matches!(new.labels, Labelled::Dropped),
        });
        if counted.kept > READY
            && let Series::New(new) = &mut sample.series
            && let Labelled::Made(_) = new.labels
        {
            new.labels = Labelled::Later;
        }
        // Counted to the end, so that the reader sees how far over it is.
        if counted.kept <= limits.samples {
            lines.push(sample);
        }
    }
    limits.count(counted.kept)?;
    Ok(lines)
}

/// Reads a page line by line.
struct Reader<'a> {
    dress: Dress<'a>,
    finder: Finder<'a>,
    /// The type of the family that is open.
    kind: Kind,
    /// Where on the page the next line begins.
    at: usize,
}

impl Reader<'_> {
    fn line<'t>(&mut self, line: &'t str) -> Result<Option<Line<'t>>, Fault> {
        let line = self.dress.bare(line);
        if line.is_empty() || line.starts_with("# HELP ") {
            return Ok(None);
        }
        let format = self.dress.format;
        if line.starts_with('#') {
            if let Some(Entry::Type(_, said)) = format.line(line).map_err(Fault::Line)? {
                self.kind = said;
            }
            return Ok(None);
        }
        let (known, end) = match self.finder.expected(line) {
            Some((slot, end)) => (Some(slot), end),
            None => {
                let key = key(line);
                (self.finder.find(key), key.len())
            }
        };
        let series = match known {
            Some(slot) => Series::Known {
                slot,
                at: u32::try_from(self.at).unwrap_or(u32::MAX),
                kind: self.kind,
            },
            None => {
                let (key, kind) = (&line[..end], self.kind);
                let labels = match self.dress.of(key, kind)? {
                    Some(labels) => Labelled::Made(labels),
                    None => Labelled::Dropped,
                };
                Series::New(Box::new(New { key, kind, labels }))
            }
        };
        let tail = format.tail(&line[end..]);
        let (value, time_ms) = tail.map_err(Fault::Line)?;
        Ok(Some(Line {
            value,
            time_ms: time_ms.filter(|_| self.dress.target.honor_timestamps),
            series,
        }))
    }
}

impl Dress<'_> {
    /// A line without what may stand around it.
    fn bare(self, line: &str) -> &str {
        match self.format {
            Format::Text => line.trim_matches([' ', '\t', '\r']),
            Format::OpenMetrics => line,
        }
    }

    /// The labels of the series whose line begins at a byte of the page.
    pub(super) fn labels_at(self, text: &str, at: u32, kind: Kind) -> Option<Labels> {
        let line = text.get(at as usize..)?.split('\n').next()?;
        self.labels_of(key(self.bare(line)), kind)
    }

    /// The labels of a series by its spelling; none when relabelling drops it.
    pub(super) fn labels_of(self, key: &str, kind: Kind) -> Option<Labels> {
        self.of(key, kind).ok().flatten()
    }

    /// As [`Dress::labels_of`], or what is wrong with the series.
    pub(super) fn of(self, key: &str, kind: Kind) -> Result<Option<Labels>, Fault> {
        let spelled = format!("{key} 0");
        let entry = self.format.line(&spelled).map_err(Fault::Line)?;
        let Some(Entry::Sample(sample)) = entry else {
            return Ok(None);
        };
        let scraped = bounded(sample.labels, kind);
        let labels = merged(key, &scraped, self.labels, self.target.honor_labels);
        let labels = if self.target.relabel.is_empty() {
            labels
        } else {
            let mut builder = labels.edit();
            if !relabel::apply(&self.target.relabel, &mut builder) {
                return Ok(None);
            }
            let labels = builder.build();
            if labels.is_empty() {
                return Ok(None);
            }
            if labels.get(NAME).is_empty() {
                return Err(Fault::Limit(format!(
                    "relabelling leaves a series without a name: {key}"
                )));
            }
            labels
        };
        self.target.limits.series(&labels).map_err(Fault::Limit)?;
        Ok(Some(labels))
    }
}

/// Why a page is refused.
pub(super) enum Fault {
    /// A line is none.
    Line(&'static str),
    /// It holds what it must not.
    Limit(String),
}

/// A bucket's bound and a quantile are spelled one way, whichever the page chose.
fn bounded(labels: Labels, kind: Kind) -> Labels {
    let name = match kind {
        Kind::Histogram => "le",
        Kind::Summary => "quantile",
        _ => return labels,
    };
    let spelled = labels.get(name);
    match parse_value(spelled).map(format_bound) {
        Some(wanted) if wanted != spelled => labels.edit().set(name, wanted).build(),
        _ => labels,
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
    at = brace + 1;
    // Most of a line is values, in which only their end is looked for.
    while let Some(to) = bytes[at..]
        .iter()
        .position(|byte| matches!(byte, b'"' | b'}'))
    {
        at += to + 1;
        if bytes[at - 1] == b'}' {
            return &line[..at];
        }
        loop {
            let Some(to) = line[at..].find('"') else {
                return line;
            };
            let before = bytes[at..at + to].iter().rev();
            at += to + 1;
            if before.take_while(|byte| **byte == b'\\').count() % 2 == 0 {
                break;
            }
        }
    }
    line
}

/// The labels of a sample, which a page spells like that, together with those of its target.
fn merged(spelled: &str, scraped: &Labels, target: &[Label], honor: bool) -> Labels {
    let mut builder = scraped.edit();
    let mut clashes = Vec::new();
    for label in target {
        let name = label.name();
        let there = scraped.get(name);
        match (there.is_empty(), honor) {
            (false, true) => continue,
            // A federated page says so of series that have no instance.
            (true, true) if spells_empty(spelled, name) => continue,
            (false, false) => clashes.push((name, there)),
            (true, _) => {}
        }
        builder.put(label.clone());
    }
    // All of the target's labels are in place before a free name is looked for; the
    // shortest name takes its first.
    clashes.sort_by_key(|(name, _)| name.len());
    for (name, value) in clashes {
        let mut renamed = format!("exported_{name}");
        while !builder.get(&renamed).is_empty() {
            renamed.insert_str(0, "exported_");
        }
        builder.set(renamed, value);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_ends_with_the_brace_that_stands_in_no_value() {
        for (line, expected) in [
            ("a 1", "a"),
            ("a\t1", "a"),
            ("a", "a"),
            ("a{} 1", "a{}"),
            ("a {b=\"c\"} 1", "a {b=\"c\"}"),
            (r#"a{b="}",c="{"} 1"#, r#"a{b="}",c="{"}"#),
            (r#"a{b="\"}",c="d"} 1 # {e="f"} 2"#, r#"a{b="\"}",c="d"}"#),
            (r#"a{b="\\",c="}"} 1"#, r#"a{b="\\",c="}"}"#),
            (r#"a{b="\\\"}"} 1"#, r#"a{b="\\\"}"}"#),
            (r#"a{b="ä}",} 1"#, r#"a{b="ä}",}"#),
            (r#"{"a.b",c="d"} 1"#, r#"{"a.b",c="d"}"#),
            // What has no end is all of the line.
            (r#"a{b="c} 1"#, r#"a{b="c} 1"#),
            (r#"a{b="c"" 1"#, r#"a{b="c"" 1"#),
            ("a{b=c 1", "a{b=c 1"),
        ] {
            assert_eq!(key(line), expected, "{line}");
        }
    }
}
