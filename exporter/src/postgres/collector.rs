//! Collectors as data: a query, which of its columns are labels, and which are
//! families. Writing the families is a pure function of the answer.

use exposition::{Kind, Spelled};

use super::rows::{Row, Rows};
use crate::pieces::Sheet;

/// One question to a server, and the families that its answer gives.
#[derive(Debug)]
pub(super) struct Collector {
    /// The label `collector` of the families about collecting.
    pub(super) name: &'static str,
    /// The first and the last major version that is asked.
    pub(super) versions: std::ops::RangeInclusive<u32>,
    pub(super) pace: Pace,
    pub(super) sql: &'static str,
    pub(super) labels: &'static [&'static str],
    /// Whether the label `server` goes with every sample.
    pub(super) server: bool,
    pub(super) null: Null,
    pub(super) columns: &'static [Column],
}

/// How often a collector is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At each reading.
    Each,
    /// Seldom, because it changes seldom or costs the server much.
    Seldom,
}

/// What becomes of a null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    Zero,
    NaN,
    /// No sample.
    Nothing,
}

/// A column and its family.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) column: &'static str,
    pub(super) family: &'static str,
    pub(super) kind: Kind,
    /// What the value is multiplied with.
    pub(super) scale: f64,
    pub(super) help: &'static str,
}

pub(super) const ALL: std::ops::RangeInclusive<u32> = 0..=u32::MAX;

pub(super) const fn gauge(
    column: &'static str,
    family: &'static str,
    help: &'static str,
) -> Column {
    scaled(column, family, Kind::Gauge, 1.0, help)
}

pub(super) const fn counter(
    column: &'static str,
    family: &'static str,
    help: &'static str,
) -> Column {
    scaled(column, family, Kind::Counter, 1.0, help)
}

pub(super) const fn untyped(
    column: &'static str,
    family: &'static str,
    help: &'static str,
) -> Column {
    scaled(column, family, Kind::Untyped, 1.0, help)
}

pub(super) const fn scaled(
    column: &'static str,
    family: &'static str,
    kind: Kind,
    scale: f64,
    help: &'static str,
) -> Column {
    Column {
        column,
        family,
        kind,
        scale,
        help,
    }
}

impl Collector {
    /// Writes the families of an answer; a column that this server lacks gives
    /// none.
    pub(super) fn encode(&self, rows: &Rows, server: &str, sheet: &mut Sheet) {
        // What does not differ from column to column is made once for each row.
        let labels: Vec<Spelled> = rows
            .iter()
            .map(|row| self.labels(row, server, sheet))
            .collect();
        for column in self.columns {
            let Some(at) = rows.place(column.column) else {
                continue;
            };
            let mut family = sheet.family(column.family, column.help, column.kind);
            for (row, labels) in rows.iter().zip(&labels) {
                let value = match (row.number_at(at), self.null) {
                    (Some(value), _) => value,
                    // Text where a number should be is no better than a null.
                    (None, Null::Zero) => 0.0,
                    (None, Null::NaN) => f64::NAN,
                    (None, Null::Nothing) => continue,
                };
                family.spelled(labels, value * column.scale);
            }
        }
    }

    fn labels(&self, row: Row<'_>, server: &str, sheet: &Sheet) -> Spelled {
        let texts: Vec<_> = self.labels.iter().map(|label| row.label(label)).collect();
        let pairs = self.labels.iter().zip(&texts);
        let mut labels: Vec<(&str, &str)> =
            pairs.map(|(label, text)| (*label, text.as_ref())).collect();
        if self.server {
            labels.push(("server", server));
        }
        sheet.spell(&labels)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::catalogue;
    use super::*;

    const TEST: Collector = Collector {
        name: "test",
        versions: ALL,
        pace: Pace::Each,
        sql: "",
        labels: &["datname"],
        server: true,
        null: Null::Nothing,
        columns: &[
            scaled("ms", "a_seconds_total", Kind::Counter, 1e-3, "A."),
            gauge("gone", "b", "B."),
        ],
    };

    #[test]
    fn rows_become_samples_and_columns_that_are_missing_become_nothing() {
        let cell = |text: &str| Some(text.to_owned());
        let rows = Rows {
            names: vec!["datname".into(), "ms".into()],
            cells: vec![cell("x"), cell("1500"), cell("y"), None],
        };
        let mut sheet = Sheet::new(&"".into());
        TEST.encode(&rows, "db:5432", &mut sheet);
        assert_eq!(
            crate::pieces::page(&[Arc::new(sheet.finish())]),
            "# HELP a_seconds_total A.\n# TYPE a_seconds_total counter\n\
             a_seconds_total{datname=\"x\",server=\"db:5432\"} 1.5\n"
        );
    }

    #[test]
    fn a_family_has_one_type_wherever_it_is_written() {
        let mut kinds = BTreeMap::new();
        for collector in catalogue::all() {
            for column in collector.columns {
                let kind = kinds.entry(column.family).or_insert(column.kind);
                assert_eq!(*kind, column.kind, "{}", column.family);
            }
        }
    }
}
