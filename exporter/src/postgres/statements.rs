//! What pg_stat_statements counts, for the statements that took most time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use exposition::Kind;

use super::collector::{ALL, Collector, Column, Null, Pace, counter, scaled};
use super::literal;
use super::rows::Rows;
use crate::pieces::Sheet;

/// In which schema the extension is; no row where it is not installed.
pub(super) const WHERE: &str = "SELECT quote_ident(n.nspname) AS schema
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements'";

/// The counts, without the texts, which the server keeps in a file. A statement
/// that runs within functions too has two entries.
pub(super) fn counts(schema: &str, version: u32, most: usize) -> String {
    let blocks = if version < 17 { "blk" } else { "shared_blk" };
    format!(
        "SELECT r.rolname AS user, d.datname, s.queryid, sum(s.calls) AS calls,
           sum(s.total_exec_time) AS total_exec_time, sum(s.rows) AS rows,
           sum(s.{blocks}_read_time) AS read_time, sum(s.{blocks}_write_time) AS write_time
         FROM {schema}.pg_stat_statements(false) s
         JOIN pg_roles r ON r.oid = s.userid JOIN pg_database d ON d.oid = s.dbid
         WHERE s.queryid IS NOT NULL
         GROUP BY 1, 2, 3 ORDER BY 5 DESC LIMIT {most}"
    )
}

/// The texts of some statements.
pub(super) fn texts(schema: &str, ids: &[&str]) -> String {
    let mut list = String::new();
    // Numbers only: they came from the server and go back into a statement.
    for id in ids.iter().filter(|id| id.parse::<i64>().is_ok()) {
        let _ = write!(list, "{}{id}", if list.is_empty() { "" } else { "," });
    }
    format!(
        "SELECT DISTINCT ON (queryid) queryid, left(query, 4000) AS query
         FROM {schema}.pg_stat_statements(true)
         WHERE queryid = ANY ('{{{list}}}'::bigint[]) ORDER BY queryid"
    )
}

/// Writes what [`counts`] answers.
pub(super) const COUNTS: Collector = Collector {
    name: "stat_statements",
    versions: ALL,
    pace: Pace::Each,
    sql: "",
    labels: &["datname", "queryid", "user"],
    server: false,
    null: Null::Zero,
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    counter(
        "calls",
        "pg_stat_statements_calls_total",
        "Executions of the statement.",
    ),
    scaled(
        "total_exec_time",
        "pg_stat_statements_seconds_total",
        Kind::Counter,
        1e-3,
        "Time spent executing the statement.",
    ),
    counter(
        "rows",
        "pg_stat_statements_rows_total",
        "Rows that the statement returned or changed.",
    ),
    scaled(
        "read_time",
        "pg_stat_statements_block_read_seconds_total",
        Kind::Counter,
        1e-3,
        "Time the statement spent reading blocks.",
    ),
    scaled(
        "write_time",
        "pg_stat_statements_block_write_seconds_total",
        Kind::Counter,
        1e-3,
        "Time the statement spent writing blocks.",
    ),
];

/// The texts of the statements that are shown, without values.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeMap<String, String>);

impl Texts {
    /// Forgets statements that are no longer shown; those whose text is not
    /// known.
    pub(super) fn lacking<'a>(&mut self, counts: &'a Rows) -> Vec<&'a str> {
        let mut shown: Vec<&str> = counts.iter().filter_map(|row| row.get("queryid")).collect();
        shown.sort_unstable();
        shown.dedup();
        self.0
            .retain(|id, _| shown.binary_search(&id.as_str()).is_ok());
        shown.retain(|id| !self.0.contains_key(*id));
        shown
    }

    /// Takes in what [`texts`] answered.
    pub(super) fn learn(&mut self, texts: &Rows) {
        for row in texts.iter() {
            if let (Some(id), Some(query)) = (row.get("queryid"), row.get("query")) {
                self.0.insert(id.to_owned(), literal::free(query));
            }
        }
    }

    pub(super) fn encode(&self, sheet: &mut Sheet) {
        if self.0.is_empty() {
            return;
        }
        let help = "The text of a statement, without values.";
        let mut family = sheet.family("pg_stat_statements_query_id", help, Kind::Counter);
        for (id, query) in &self.0 {
            family.sample(&[("query", query), ("queryid", id)], 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: [&str; 2], cells: &[[&str; 2]]) -> Rows {
        Rows {
            names: names.map(str::to_owned).into(),
            cells: cells
                .iter()
                .flatten()
                .map(|cell| Some((*cell).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn texts_are_asked_for_once_and_forgotten_with_their_statement() {
        let mut known = Texts::default();
        let shown = |ids: &[[&str; 2]]| rows(["queryid", "calls"], ids);
        let counts = shown(&[["7", "1"], ["-8", "1"], ["7", "2"]]);
        assert_eq!(known.lacking(&counts), ["-8", "7"]);
        known.learn(&rows(["queryid", "query"], &[["7", "SELECT 'x'"]]));
        assert_eq!(known.lacking(&counts), ["-8"]);
        let mut sheet = Sheet::new(&"".into());
        known.encode(&mut sheet);
        let page = crate::pieces::page(&[std::sync::Arc::new(sheet.finish())]);
        assert!(
            page.ends_with("{query=\"SELECT ?\",queryid=\"7\"} 1\n"),
            "{page}"
        );
        assert_eq!(known.lacking(&shown(&[["9", "1"]])), ["9"]);
        assert_eq!(known.lacking(&counts), ["-8", "7"]);
    }

    #[test]
    fn only_numbers_get_into_a_statement() {
        let sql = texts("public", &["7", "8}'); DROP TABLE x; --", "-9"]);
        assert!(sql.contains("'{7,-9}'") && !sql.contains("DROP"));
    }
}
