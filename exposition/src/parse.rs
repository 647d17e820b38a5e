//! Reading a page: what its lines say.

use crate::{Format, Kind, Sample};

/// What one line of a page says.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// `# HELP name text`, with escapes resolved.
    Help(&'a str, String),
    /// `# TYPE name kind`.
    Type(&'a str, Kind),
    /// `# UNIT name unit`, which OpenMetrics has.
    Unit(&'a str, &'a str),
    /// A sample line.
    Sample(Sample),
}

/// A line that is not exposition text. A page with one is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Reads a page in text format 0.0.4 line by line. Iteration goes on behind a
/// faulty line; a reader that follows Prometheus refuses the page at the first
/// error.
pub fn parse(page: &str) -> impl Iterator<Item = Result<Entry<'_>, ParseError>> {
    Format::Text.parse(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;

    fn samples(page: &str) -> Result<Vec<Sample>, ParseError> {
        parse(page)
            .filter_map(|entry| match entry {
                Ok(Entry::Sample(sample)) => Some(Ok(sample)),
                Ok(_) => None,
                Err(err) => Some(Err(err)),
            })
            .collect()
    }

    #[test]
    fn a_written_page_is_read_back() {
        let mut page = Writer::new();
        page.family("a", "x", Kind::Gauge)
            .sample(&[("p", "C:\\\"\n,}{=")], -2.5)
            .sample(&[], f64::INFINITY);
        let page = page.finish();
        let read = samples(&page).unwrap();
        assert_eq!(read[0].labels.get("p"), "C:\\\"\n,}{=");
        assert_eq!(read[0].value, -2.5);
        assert_eq!(read[1].value, f64::INFINITY);
        assert_eq!(parse(&page).nth(1), Some(Ok(Entry::Type("a", Kind::Gauge))));
    }

    #[test]
    fn spaces_commas_and_times_are_taken_as_prometheus_does() {
        let read = samples("a { x = \"1\" , } 3 1600000000123\n\n# just a remark\nb\t4").unwrap();
        assert_eq!(read[0].labels.to_string(), r#"a{x="1"}"#);
        assert_eq!(read[0].time_ms, Some(1_600_000_000_123));
        assert_eq!(read[1].labels.name(), "b");
    }

    #[test]
    fn of_what_is_no_escape_both_letters_stay() {
        let read = samples(r#"a{b="C:\dir\new\\x"} 1"#).unwrap();
        assert_eq!(read[0].labels.get("b"), "C:\\dir\new\\x");
        let help = parse(r"# HELP a A \d+ \\ \n.").next();
        assert_eq!(help, Some(Ok(Entry::Help("a", "A \\d+ \\ \n.".into()))));
    }

    #[test]
    fn a_label_without_a_value_is_none_and_was_said() {
        let line = r#"a{b="",c="d=\"\"",e = "" } 1"#;
        assert_eq!(samples(line).unwrap()[0].labels.len(), 2);
        for (label, said) in [("b", true), ("c", false), ("d", false), ("e", true)] {
            assert_eq!(crate::spells_empty(line, label), said, "{label}");
        }
        assert!(!crate::spells_empty("a", "b"));
    }

    #[test]
    fn names_in_quotes_may_be_any_text() {
        let read = samples("{ \"a.b c\" , \"l \\\"m\\\"\"=\"1\", n=\"2\" } 3\na{\"o.p\"=\"4\"} 5")
            .unwrap();
        assert_eq!(read[0].labels.name(), "a.b c");
        assert_eq!(read[0].labels.get("l \"m\""), "1");
        assert_eq!(read[0].labels.get("n"), "2");
        assert_eq!(read[1].labels.get("o.p"), "4");
        assert_eq!(
            parse("# TYPE \"a.b c\" gauge").next(),
            Some(Ok(Entry::Type("a.b c", Kind::Gauge)))
        );
    }

    #[test]
    fn faulty_lines_are_named() {
        for (page, what) in [
            ("a", "a sample needs a value"),
            ("a x", "bad value"),
            ("a 1 x", "bad timestamp"),
            ("a 1 2 3", "text behind the timestamp"),
            ("1a 1", "bad metric name"),
            ("a{b} 1", "a label needs an equals sign"),
            ("{a=\"b\"} 1", "a series needs a name"),
            ("{\"a\",\"b\"} 1", "a label stands twice"),
            ("a{\"b} 1", "a label value without its closing quote"),
            ("a{b=c} 1", "a label value needs quotes"),
            ("a{b=\"c} 1", "a label value without its closing quote"),
            (
                "a{b=\"c\" d=\"e\"} 1",
                "labels need commas between them and a brace behind",
            ),
            ("a{b=\"c\",b=\"d\"} 1", "a label stands twice"),
            (
                "# TYPE a number",
                "TYPE is none of counter, gauge, histogram, summary, untyped",
            ),
        ] {
            assert_eq!(samples(page), Err(ParseError { line: 1, what }), "{page}");
        }
    }
}
