//! What a query answered: text cells under the names of their columns, and
//! what number a text is.

use std::borrow::Cow;

/// A query's answer.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Rows {
    pub(super) names: Vec<String>,
    /// Row after row, as many cells each as there are names.
    pub(super) cells: Vec<Option<String>>,
}

/// One row of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    names: &'a [String],
    cells: &'a [Option<String>],
}

impl Rows {
    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        let rows = self.cells.chunks_exact(self.names.len().max(1));
        rows.map(|cells| Row {
            names: &self.names,
            cells,
        })
    }

    /// Where a column stands; nowhere on servers that lack it.
    pub(super) fn place(&self, column: &str) -> Option<usize> {
        self.names.iter().position(|name| name == column)
    }
}

impl<'a> Row<'a> {
    /// The cell of a column; nothing where it is null or there is none.
    pub(super) fn get(self, column: &str) -> Option<&'a str> {
        let at = self.names.iter().position(|name| name == column)?;
        self.cells.get(at)?.as_deref()
    }

    /// The cell as a label, cut to what a label may be.
    pub(super) fn label(self, column: &str) -> Cow<'a, str> {
        let text = self.get(column).unwrap_or_default();
        if text.len() <= LONGEST_LABEL {
            return Cow::Borrowed(text);
        }
        match text.char_indices().nth(LONGEST_LABEL) {
            Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
            None => Cow::Borrowed(text),
        }
    }

    pub(super) fn number(self, column: &str) -> Option<f64> {
        number(self.get(column)?)
    }

    /// The number in the cell at a [place](Rows::place).
    pub(super) fn number_at(self, place: usize) -> Option<f64> {
        number(self.cells.get(place)?.as_deref()?)
    }
}

/// In characters; names in PostgreSQL have 63 bytes at most.
const LONGEST_LABEL: usize = 200;

/// The number that a cell holds: a number, a truth, a place in the log of
/// writes in bytes, or a time in seconds since 1970.
pub(super) fn number(text: &str) -> Option<f64> {
    match text {
        "t" => return Some(1.0),
        "f" => return Some(0.0),
        _ => {}
    }
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    if let Some((high, low)) = text.split_once('/') {
        let high = u32::from_str_radix(high, 16).ok()?;
        let low = u32::from_str_radix(low, 16).ok()?;
        return Some((u64::from(high) << 32 | u64::from(low)) as f64);
    }
    // `2026-11-29 05:36:35.524+00`: the connection speaks UTC.
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_microsecond() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_numbers_by_their_form() {
        for (text, value) in [
            ("12", Some(12.0)),
            ("-1", Some(-1.0)),
            ("0.25", Some(0.25)),
            ("t", Some(1.0)),
            ("f", Some(0.0)),
            ("0/0", Some(0.0)),
            ("1/A0", Some(4_294_967_456.0)),
            ("1970-01-02 00:00:00+00", Some(86_400.0)),
            ("1970-01-01 00:00:00.5+00", Some(0.5)),
            ("streaming", None),
            ("", None),
            ("z/z", None),
        ] {
            assert_eq!(number(text), value, "{text:?}");
        }
        assert!(number("NaN").unwrap().is_nan());
    }

    #[test]
    fn a_column_that_is_missing_or_null_is_nothing() {
        let rows = Rows {
            names: vec!["a".into(), "b".into()],
            cells: vec![Some("1".into()), None, Some("2".into()), Some("x".into())],
        };
        let all: Vec<_> = rows
            .iter()
            .map(|row| (row.number("a"), row.get("b")))
            .collect();
        assert_eq!(all, [(Some(1.0), None), (Some(2.0), Some("x"))]);
        assert_eq!(rows.iter().next().unwrap().get("c"), None);
        assert_eq!((rows.place("b"), rows.place("c")), (Some(1), None));
        let long = Rows {
            names: vec!["a".into()],
            cells: vec![Some("ä".repeat(500))],
        };
        let label = long.iter().next().unwrap().label("a");
        assert_eq!(label.chars().count(), LONGEST_LABEL + 3);
    }

    proptest::proptest! {
        #[test]
        fn any_cell_is_a_number_or_not(text in "[-+0-9a-fA-FxNinf/: .]{0,40}|\\PC{0,40}") {
            let _ = number(&text);
        }
    }
}
