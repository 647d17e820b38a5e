//! Writing a page in text format 0.0.4, or as rows for a store of the same process.

use std::fmt::Write as _;

use crate::number::push_value;
use crate::rows::Rows;

/// The type that a page states for a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value that only grows, but for restarts.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Buckets, a sum and a count.
    Histogram,
    /// Quantiles, a sum and a count.
    Summary,
    /// Buckets that go up and down, a sum and a count; only OpenMetrics has it.
    GaugeHistogram,
    /// Labels that say something, with the value 1; only OpenMetrics has it.
    Info,
    /// One series for each state; only OpenMetrics has it.
    StateSet,
    /// Not stated.
    Untyped,
}

impl Kind {
    /// The word that stands in a `# TYPE` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Untyped => "untyped",
        }
    }
}

/// A value of a label that is longer, in bytes, is cut: who reads a page refuses it whole
/// for one such value, and names may come from outside.
pub const LONGEST_VALUE: usize = 4096;

/// Collects a page. A family is opened with [`Writer::family`]; its samples
/// follow. Label values are escaped here and nowhere else.
#[derive(Debug, Default)]
pub struct Writer {
    page: String,
    name: String,
    rows: Option<Rows>,
}

impl Writer {
    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What `write` puts on a page, as rows: no value is spelled only to be read again.
    #[must_use]
    pub fn rows(write: impl FnOnce(&mut Self)) -> Rows {
        let mut page = Self {
            rows: Some(Rows::default()),
            ..Self::default()
        };
        write(&mut page);
        page.rows.unwrap_or_default()
    }

    /// Opens a family: its `# HELP` and `# TYPE` lines. What cannot stand in a name, which
    /// may come from a file, becomes `_`, since one such line spoils a whole page.
    pub fn family(&mut self, name: &str, help: &str, kind: Kind) -> &mut Self {
        self.name.clear();
        match is_name(name) {
            true => self.name.push_str(name),
            false => self.name.extend(name.chars().map(|letter| {
                let fits = letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
                if fits { letter } else { '_' }
            })),
        }
        let page = match &mut self.rows {
            Some(rows) => &mut rows.families,
            None => &mut self.page,
        };
        page.push_str("# HELP ");
        page.push_str(&self.name);
        page.push(' ');
        escape(page, help, false);
        let _ = writeln!(page, "\n# TYPE {} {}", self.name, kind.as_str());
        self
    }

    /// One sample of the open family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.suffixed("", labels, value)
    }

    /// One sample whose name is the family's with `suffix` (`_bucket`, `_sum`,
    /// `_count`) behind it.
    pub fn suffixed(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.spelled(suffix, &Spelled::default(), labels, value)
    }

    /// As [`Writer::suffixed`], with labels in front that many samples share.
    pub fn spelled(
        &mut self,
        suffix: &str,
        shared: &Spelled,
        labels: &[(&str, &str)],
        value: f64,
    ) -> &mut Self {
        if let Some(rows) = &mut self.rows {
            rows.push(value, |text| key(text, &self.name, suffix, shared, labels));
            return self;
        }
        let page = &mut self.page;
        key(page, &self.name, suffix, shared, labels);
        page.push(' ');
        push_value(page, value);
        page.push('\n');
        self
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, help: &str, kind: Kind, value: f64) -> &mut Self {
        self.family(name, help, kind).sample(&[], value)
    }

    /// The finished page.
    #[must_use]
    pub fn finish(self) -> String {
        self.page
    }
}

/// Whether a family can have this name, as far as its letters go: none here begins with a digit.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    name.bytes().all(fits)
}

/// Labels as a page spells them, made once for all samples that have them.
#[derive(Debug, Clone, Default)]
pub struct Spelled(String);

impl Spelled {
    /// Spells labels.
    #[must_use]
    pub fn new(labels: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        spell(&mut text, 0, labels);
        Self(text)
    }

    /// The same with more labels behind.
    #[must_use]
    pub fn and(&self, labels: &[(&str, &str)]) -> Self {
        let mut text = self.0.clone();
        spell(&mut text, 0, labels);
        Self(text)
    }
}

/// Adds the spelling of a series.
fn key(text: &mut String, name: &str, suffix: &str, shared: &Spelled, labels: &[(&str, &str)]) {
    text.push_str(name);
    text.push_str(suffix);
    let begin = text.len();
    text.push('{');
    text.push_str(&shared.0);
    spell(text, begin + 1, labels);
    match text.len() == begin + 1 {
        true => text.truncate(begin),
        false => text.push('}'),
    }
}

/// Adds labels to those that begin at `first`.
fn spell(text: &mut String, first: usize, labels: &[(&str, &str)]) {
    // An empty value is an absent label, for every reader of this page.
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        if text.len() > first {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        escape(
            text,
            &value[..value.floor_char_boundary(LONGEST_VALUE)],
            true,
        );
        text.push('"');
    }
}

/// Nearly every text is written as it is, so what needs no escape is copied whole.
fn escape(page: &mut String, text: &str, quote: bool) {
    let needs_it = |byte: u8| matches!(byte, b'\\' | b'\n') || quote && byte == b'"';
    let mut rest = text;
    while let Some(at) = rest.bytes().position(needs_it) {
        page.push_str(&rest[..at]);
        page.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            _ => "\\\"",
        });
        rest = &rest[at + 1..];
    }
    page.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_help_type_and_escaped_samples() {
        let mut page = Writer::new();
        page.family("a_total", "Counts \\ and\nlines.", Kind::Counter)
            .sample(&[("path", "C:\\x\"\n"), ("empty", "")], 3.0)
            .sample(&[], 0.5);
        assert_eq!(
            page.finish(),
            "# HELP a_total Counts \\\\ and\\nlines.\n# TYPE a_total counter\n\
             a_total{path=\"C:\\\\x\\\"\\n\"} 3\na_total 0.5\n"
        );
    }

    #[test]
    fn a_value_that_is_too_long_spoils_no_page() {
        let longest = "x".repeat(LONGEST_VALUE);
        for (value, kept) in [
            (longest.clone(), &*longest),
            (format!("{longest}y"), &longest),
            (format!("{}é", &longest[1..]), &longest[1..]),
        ] {
            let mut page = Writer::new();
            page.family("a", "A.", Kind::Gauge);
            page.sample(&[("b", &value), ("c", "d")], 1.0);
            let page = page.finish();
            let sample = page.lines().last().unwrap();
            assert_eq!(sample, format!("a{{b=\"{kept}\",c=\"d\"}} 1"));
        }
    }

    #[test]
    fn a_name_with_letters_that_no_name_has_spoils_no_page() {
        let mut page = Writer::new();
        page.single("a_b c\n{é", "A.", Kind::Gauge, 1.0);
        assert_eq!(
            page.finish(),
            "# HELP a_b_c___ A.\n# TYPE a_b_c___ gauge\na_b_c___ 1\n"
        );
    }

    #[test]
    fn labels_that_are_spelled_once_stand_before_those_of_a_sample() {
        let mut page = Writer::new();
        page.family("a", "A.", Kind::Gauge);
        let labels = [("x", "1\""), ("empty", ""), ("y", "2")];
        for shared in [&labels[..], &labels[1..2]] {
            for own in [&[("z", "3")][..], &[("gone", "")], &[]] {
                let all = [shared, own].concat();
                let mut other = Writer::new();
                other
                    .family("a", "A.", Kind::Gauge)
                    .suffixed("_b", &all, 1.0);
                let mut page = Writer::new();
                page.family("a", "A.", Kind::Gauge);
                page.spelled("_b", &Spelled::new(shared), own, 1.0);
                let mut longer = Writer::new();
                longer.family("a", "A.", Kind::Gauge);
                longer.spelled("_b", &Spelled::new(shared).and(own), &[], 1.0);
                assert_eq!(page.finish(), longer.page);
                assert_eq!(longer.page, other.finish());
            }
        }
        page.spelled("", &Spelled::new(&labels), &[("z", "3")], 1.5);
        let page = page.finish();
        assert!(
            page.ends_with("\na{x=\"1\\\"\",y=\"2\",z=\"3\"} 1.5\n"),
            "{page}"
        );
    }
}
