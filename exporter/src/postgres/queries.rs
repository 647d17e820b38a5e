//! Questions of the user's own whose answers become metrics, and ready ones for
//! what most applications have.

use std::collections::BTreeSet;
use std::time::Duration;

/// The columns that a preset's answer has its values in, when it has but one.
pub(super) const VALUE: &str = "value";

::settings::section! {
    /// A question in SQL whose answer becomes metrics. It is asked in a
    /// read-only transaction.
    pub struct Query {
        /// The name of the family; a value's column is put behind it, unless the
        /// column is called `value`.
        pub name: String = String::new(),
        /// A ready question, instead of `sql`.
        pub preset: Preset = Preset::None,
        /// One SELECT, without a semicolon.
        pub sql: String = String::new(),
        /// The columns that become labels.
        pub labels: Vec<String> = Vec::new(),
        /// The columns that become values. Empty: all others.
        pub values: Vec<String> = Vec::new(),
        /// The server's name, when it is for one of several. Empty: all.
        pub server: String = String::new(),
        /// The databases that are asked. Empty: the one of the address.
        pub databases: Vec<String> = Vec::new(),
        /// What the values are.
        pub kind: Sort = Sort::Gauge,
        /// How often it is asked.
        pub interval: Duration = Duration::from_secs(60),
        /// How long the server may work for it.
        pub timeout: Duration = Duration::from_secs(2),
        /// The most rows that are taken.
        pub limit: usize = 100,
        /// What the family means.
        pub help: String = String::new(),
        /// For presets: the table, with or without its schema.
        pub table: String = String::new(),
        /// For presets: the column with the time of a row; for the revision of
        /// the schema, the column with that.
        pub column: String = String::new(),
        /// For presets: the column with the state or the reason.
        pub by: String = String::new(),
        /// For `outcome_by_reason`: how far it looks back.
        pub since: Duration = Duration::from_secs(3600),
    }
}

::settings::choice! {
    /// What the values of a question are.
    pub enum Sort {
        /// They go up and down.
        Gauge = "gauge",
        /// They only grow, and begin at 0 again. Their names should end in _total.
        Counter = "counter",
    }
}

::settings::choice! {
    /// Ready questions.
    pub enum Preset {
        /// The question is in `sql`.
        None = "none",
        /// How many rows `table` has.
        RowCount = "row_count",
        /// The age of the newest row by `column`, in seconds.
        NewestRowAge = "newest_row_age",
        /// For each state in `by`: the age of the oldest row by `column`, and
        /// how many rows there are. Shows what is stuck.
        OldestRowPerState = "oldest_row_per_state",
        /// For each reason in `by`: rows whose `column` is not older than `since`.
        OutcomeByReason = "outcome_by_reason",
        /// The revision of the schema, in a label; Alembic's table unless
        /// `table` and `column` say otherwise.
        SchemaRevision = "schema_revision",
    }
}

impl Query {
    /// What contradicts itself, as (key, message).
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if !is_name(&self.name) {
            let message = "letters, digits and _ are wanted, beginning with a letter";
            faults.push(("name", message.to_owned()));
        } else if self.name.starts_with("pg_") || self.name.starts_with("belfry_") {
            let message = "names that begin with pg_ or belfry_ are taken";
            faults.push(("name", message.to_owned()));
        }
        let sql = self.sql.trim();
        match (self.preset, sql.is_empty()) {
            (Preset::None, true) => {
                faults.push(("sql", "a question or a preset is wanted".to_owned()));
            }
            (Preset::None, false) if sql.trim_end_matches(';').contains(';') => {
                faults.push((
                    "sql",
                    "one statement is wanted, without a semicolon".to_owned(),
                ));
            }
            (Preset::None, false) => {}
            (_, false) => faults.push(("sql", "a preset has its own question".to_owned())),
            (preset, true) => {
                let (column, by) = match preset {
                    Preset::NewestRowAge => (true, false),
                    Preset::OldestRowPerState | Preset::OutcomeByReason => (true, true),
                    _ => (false, false),
                };
                let table = preset != Preset::SchemaRevision;
                for (key, wanted, said) in [
                    ("table", table, &self.table),
                    ("column", column, &self.column),
                    ("by", by, &self.by),
                ] {
                    if wanted && said.is_empty() {
                        faults.push((key, "this preset wants it".to_owned()));
                    }
                }
            }
        }
        if self.preset != Preset::None && self.kind == Sort::Counter {
            let message = "what a preset tells goes up and down".to_owned();
            faults.push(("kind", message));
        }
        let mut seen = BTreeSet::new();
        for label in self.labels.iter().chain(&self.values) {
            let taken = matches!(label.as_str(), "datname" | "instance" | "job" | "server");
            if !is_name(label) || taken || !seen.insert(label) {
                let message = format!("{label:?} cannot be the name of a label or value here");
                faults.push(("labels", message));
            }
        }
        if self.interval < Duration::from_millis(100) {
            faults.push(("interval", "it must be 100ms at least".to_owned()));
        }
        if self.limit == 0 || self.limit > 1000 {
            faults.push(("limit", "1 to 1000 rows are wanted".to_owned()));
        }
        faults
    }

    /// The question as it is asked: so many rows at most, in a transaction that
    /// cannot write. One row more than wanted shows that there are more.
    pub(super) fn script(&self) -> String {
        let timeout = self.timeout.as_millis().max(1);
        let most = self.limit + 1;
        // A cursor takes a query and nothing else. The names in it are the
        // user's, who thinks of the usual path. What ends in a remark ends there.
        format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = {timeout}; \
             SET LOCAL search_path TO DEFAULT; DECLARE belfry NO SCROLL CURSOR FOR {}\n; FETCH {most} FROM belfry; ROLLBACK",
            self.question()
        )
    }

    fn question(&self) -> String {
        let or = |said: &str, usual: &str| quoted(if said.is_empty() { usual } else { said });
        let (table, column, by) = (&self.table, &self.column, &self.by);
        match self.preset {
            Preset::None => self.sql.trim().trim_end_matches(';').to_owned(),
            Preset::RowCount => format!("SELECT count(*) AS value FROM {}", quoted(table)),
            Preset::NewestRowAge => format!(
                "SELECT extract(epoch FROM now() - max({})) AS value FROM {}",
                quoted(column),
                quoted(table)
            ),
            Preset::OldestRowPerState => format!(
                "SELECT {}::text AS state, extract(epoch FROM now() - min({})) AS age_seconds, \
                 count(*) AS rows FROM {} GROUP BY 1 ORDER BY 2 DESC NULLS LAST",
                quoted(by),
                quoted(column),
                quoted(table)
            ),
            Preset::OutcomeByReason => format!(
                "SELECT {}::text AS reason, count(*) AS value FROM {} \
                 WHERE {} > now() - interval '{} seconds' GROUP BY 1 ORDER BY 2 DESC",
                quoted(by),
                quoted(table),
                quoted(column),
                self.since.as_secs()
            ),
            Preset::SchemaRevision => format!(
                "SELECT {}::text AS revision, 1 AS value FROM {}",
                or(column, "version_num"),
                or(table, "alembic_version")
            ),
        }
    }

    /// The columns that become labels.
    pub(super) fn label_columns(&self) -> Vec<&str> {
        let own = match self.preset {
            Preset::OldestRowPerState => Some("state"),
            Preset::OutcomeByReason => Some("reason"),
            Preset::SchemaRevision => Some("revision"),
            _ => None,
        };
        own.into_iter()
            .chain(self.labels.iter().map(String::as_str))
            .collect()
    }

    /// The columns of an answer that become values.
    pub(super) fn value_columns<'a>(&'a self, answered: &'a [String]) -> Vec<&'a str> {
        let labels = self.label_columns();
        let wanted = |column: &&str| match self.values.is_empty() {
            true => !labels.contains(column) && is_name(column),
            false => self.values.iter().any(|value| value == column),
        };
        answered.iter().map(String::as_str).filter(wanted).collect()
    }

    /// The family of a value.
    pub(super) fn family(&self, column: &str) -> String {
        match column {
            VALUE => self.name.clone(),
            column => format!("{}_{column}", self.name),
        }
    }
}

/// What may stand in the name of a family or label.
fn is_name(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(plain)
}

/// A name as SQL takes it, whatever is in it; a dot parts schema and table.
fn quoted(name: &str) -> String {
    let parts = name
        .split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_questions_and_names_in_them_are_quoted() {
        let query = |preset| Query {
            name: "orders".into(),
            preset,
            table: "shop.ord\"ers".into(),
            column: "updated".into(),
            by: "state".into(),
            ..Query::default()
        };
        let of = |preset| query(preset).question();
        assert_eq!(
            of(Preset::RowCount),
            "SELECT count(*) AS value FROM \"shop\".\"ord\"\"ers\""
        );
        assert!(of(Preset::OldestRowPerState).contains("min(\"updated\")"));
        assert!(of(Preset::OutcomeByReason).contains("interval '3600 seconds'"));
        let revision = Query {
            preset: Preset::SchemaRevision,
            ..Query::default()
        };
        assert!(revision.question().ends_with("FROM \"alembic_version\""));
        let answered = ["state", "age_seconds", "rows"].map(str::to_owned);
        let stuck = query(Preset::OldestRowPerState);
        assert_eq!(stuck.value_columns(&answered), ["age_seconds", "rows"]);
        assert_eq!(stuck.family("rows"), "orders_rows");
        assert_eq!(stuck.family("value"), "orders");
        assert_eq!(stuck.faults(), []);
    }

    #[test]
    fn what_cannot_be_asked_is_a_fault() {
        let asks = |sql: &str| Query {
            name: "a".into(),
            sql: sql.into(),
            ..Query::default()
        };
        let keys = |query: Query| {
            let faults = query.faults();
            faults.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(keys(asks("SELECT 1 AS value;")), Vec::<&str>::new());
        assert_eq!(keys(asks("SELECT 1; DROP TABLE a")), ["sql"]);
        assert_eq!(keys(asks("")), ["sql"]);
        for name in ["", "1a", "a-b", "pg_up", "belfry_x"] {
            let named = Query {
                name: name.into(),
                ..asks("SELECT 1")
            };
            assert_eq!(keys(named), ["name"], "{name}");
        }
        let labelled = Query {
            labels: vec!["instance".into()],
            limit: 0,
            ..asks("SELECT 1")
        };
        assert_eq!(keys(labelled), ["labels", "limit"]);
        let bare = Query {
            preset: Preset::OldestRowPerState,
            ..asks("")
        };
        assert_eq!(keys(bare), ["table", "column", "by"]);
        let growing = Query {
            kind: Sort::Counter,
            ..asks("SELECT 1")
        };
        assert_eq!(keys(growing.clone()), Vec::<&str>::new());
        let counted = Query {
            preset: Preset::RowCount,
            table: "orders".into(),
            sql: String::new(),
            ..growing
        };
        assert_eq!(keys(counted), ["kind"]);
    }
}
