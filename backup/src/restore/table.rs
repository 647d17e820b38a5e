//! Restoring a single table: into a new table beside the live one, in the live
//! database. No table that is there is touched.
//!
//! The dump's definitions and the rows of that table alone go into a scratch
//! database; from there the rows are copied. The new table has the columns of the
//! old one and no indexes or constraints: it is there to be looked at and read from.

use serde::Deserialize;

use super::beside;
use super::fetched::{Fetched, fetched};
use crate::catalogue::Copy;
use crate::drill::Scratch;
use crate::manifest::Postgres;
use crate::postgres::{Server, Session, ident, literal};
use crate::run::{Lock, Say};
use crate::setup::short;
use crate::target::Target;
use crate::tool::Running;
use crate::{Job, Setup};

/// A table's schema and name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Name(String, String);

impl Name {
    fn sql(&self) -> String {
        format!("{}.{}", ident(&self.0), ident(&self.1))
    }
}

/// A column, as the scratch database tells it.
#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    kind: String,
    collation: Option<String>,
    required: bool,
}

/// Restores a table of a copy; what the new one is called. `table` is `schema.name`,
/// or a name alone; `into` is what the new one is to be called.
///
/// # Errors
/// With the step that failed; the new table is not there then.
pub async fn restore(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    (table, into): (&str, Option<&str>),
    say: Say<'_>,
) -> Result<String, String> {
    Box::pin(made(setup, job, target, copy, (table, into), say)).await
}

async fn made(
    setup: &Setup,
    job: &Job,
    target: &Target,
    copy: &Copy,
    (table, into): (&str, Option<&str>),
    say: Say<'_>,
) -> Result<String, String> {
    let _lock = Lock::take(&setup.work, &job.name).map_err(|taken| taken.to_string())?;
    let facts = copy.manifest.postgres.as_ref();
    let facts = facts.ok_or("it is no backup of a database")?;
    let why = |err: crate::postgres::Error| err.to_string();
    let (live, version) = setup.server(job)?.prepared().await.map_err(why)?;
    let wanted = wanted(table);
    let new = named(&wanted, into, &copy.manifest.id);
    let mut session = Session::open(&live).await.map_err(why)?;
    let sql = format!("SELECT to_regclass({}) IS NULL", literal(&new.sql()));
    if session.line(&sql).await.map_err(why)? != "t" {
        return Err(format!("there is a table {}.{} already", new.0, new.1));
    }
    let identities = setup.identities()?;
    let admin = Server {
        database: setup.admin(job)?.database,
        ..live.clone()
    };
    let mut admin_session = Session::open(&admin).await.map_err(why)?;
    beside::preflight(&mut admin_session, facts, version).await?;
    let folder = setup.scratch(job)?;
    let dump = fetched(target, copy, &identities, &folder, say).await?;
    let scratch = Scratch::new(&setup.mark(), job, &copy.manifest.id);
    scratch
        .sweep(setup, &mut admin_session)
        .await
        .map_err(why)?;
    let done = async {
        beside::create(&mut admin_session, facts, &scratch.name)
            .await
            .map_err(why)?;
        let from = Server {
            database: scratch.name.clone(),
            ..live.clone()
        };
        beside::restore(&from, &dump, &DEFINITIONS)
            .await
            .map_err(|err| err.to_string())?;
        let source = Source::of(&from, &wanted, facts).await?;
        source.fill(&from, &dump).await?;
        source.copy((&from, &live), &new, &mut session).await?;
        say(format!(
            "made    {}.{}: {} rows, as in the backup",
            new.0, new.1, source.rows
        ));
        Ok(format!("{}.{}", new.0, new.1))
    };
    let done = done.await;
    // Whatever came of it; what stays is swept by the next drill.
    let dropped = scratch.drop(&mut admin_session).await.map_err(why);
    done.and_then(|name| dropped.map(|()| name))
}

/// Owners and rights may be of roles that are not here, and are of no use here.
const DEFINITIONS: [&str; 3] = ["--section=pre-data", "--no-owner", "--no-privileges"];

/// `public.orders`; a name alone is of the schema `public`.
fn wanted(table: &str) -> Name {
    let (schema, name) = table.split_once('.').unwrap_or(("public", table));
    Name(schema.to_owned(), name.to_owned())
}

/// What the new table is called.
fn named(wanted: &Name, into: Option<&str>, id: &str) -> Name {
    match into.map(|into| into.split_once('.').unwrap_or((&wanted.0, into))) {
        Some((schema, name)) => Name(schema.to_owned(), name.to_owned()),
        None => {
            let tail = id.rsplit('-').next().unwrap_or(id);
            let short = short(&wanted.1);
            Name(wanted.0.clone(), format!("{short}__restored_{tail}"))
        }
    }
}

/// The table in the scratch database.
struct Source {
    name: Name,
    columns: Vec<Column>,
    /// Those that hold its rows: itself, or its partitions.
    leaves: Vec<Name>,
    /// Whether the rows are those of its partitions.
    parted: bool,
    /// How many rows the backup has of it.
    rows: u64,
}

impl Source {
    async fn of(from: &Server, wanted: &Name, facts: &Postgres) -> Result<Self, String> {
        let why = |err: crate::postgres::Error| err.to_string();
        let mut session = Session::open(from).await.map_err(why)?;
        let is = format!(
            "n.nspname = {} AND c.relname = {}",
            literal(&wanted.0),
            literal(&wanted.1)
        );
        let kind = format!(
            "SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {is}"
        );
        let kind = session.lines(&kind).await.map_err(why)?.join("");
        if kind != "r" && kind != "p" {
            let near: Vec<_> = facts.tables.iter().map(|table| &*table.name).collect();
            let same = near.contains(&&*wanted.1);
            return Err(format!(
                "the backup has no table {}.{}{}",
                wanted.0,
                wanted.1,
                if same {
                    ", but one of that name in another schema"
                } else {
                    ""
                }
            ));
        }
        let columns = format!("{COLUMNS} AND {is} ORDER BY a.attnum");
        let columns: Vec<Column> = session.json(&columns).await.map_err(why)?;
        let parted = kind == "p";
        let leaves = if parted {
            let tree = format!(
                "SELECT json_build_array(n.nspname, c.relname) FROM pg_partition_tree({}::regclass) t \
                 JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE t.isleaf AND c.relkind = 'r'",
                literal(&wanted.sql())
            );
            session.json(&tree).await.map_err(why)?
        } else {
            vec![wanted.clone()]
        };
        let is_leaf = |leaf: &Name, schema: &str, name: &str| leaf.0 == schema && leaf.1 == name;
        let tables = facts.tables.iter().filter(|table| {
            let mut leaves = leaves.iter();
            leaves.any(|leaf| is_leaf(leaf, &table.schema, &table.name))
        });
        let rows = tables.map(|table| table.rows).sum();
        Ok(Self {
            name: wanted.clone(),
            columns,
            leaves,
            parted,
            rows,
        })
    }

    /// Puts the rows into the scratch database.
    async fn fill(&self, from: &Server, dump: &Fetched) -> Result<(), String> {
        let mut wanted = vec!["--section=data".to_owned()];
        for leaf in &self.leaves {
            wanted.push(format!("--schema={}", leaf.0));
            wanted.push(format!("--table={}", leaf.1));
        }
        let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
        beside::restore(from, dump, &wanted)
            .await
            .map_err(|err| err.to_string())
    }

    /// Copies the rows into a new table: all of them, or there is no table.
    async fn copy(
        &self,
        (from, live): (&Server, &Server),
        new: &Name,
        session: &mut Session,
    ) -> Result<(), String> {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|column| ident(&column.name))
            .collect();
        let only = if self.parted { "" } else { "ONLY " };
        let out = format!(
            "COPY (SELECT {} FROM {only}{}) TO STDOUT",
            columns.join(", "),
            self.name.sql()
        );
        let made: Vec<_> = self.columns.iter().map(Column::sql).collect();
        let make = format!("CREATE TABLE {} ({})", new.sql(), made.join(", "));
        let take = format!("COPY {} FROM STDIN", new.sql());
        let told = |err: crate::tool::Error| err.to_string();
        let mut giving = psql(from, &["-c", &out], false).await.map_err(told)?;
        let commands = ["--single-transaction", "-c", &make, "-c", &take];
        let mut taking = psql(live, &commands, true).await.map_err(told)?;
        while let Some(bytes) = giving.next().await.map_err(told)? {
            taking.write(&bytes).await.map_err(told)?;
        }
        // Only what was given to its end is taken: else the other is let go of, and
        // its transaction with it.
        giving.finish().await.map_err(told)?;
        taking.finish().await.map_err(told)?;
        let why = |err: crate::postgres::Error| err.to_string();
        let count = format!("SELECT count(*) FROM {}", new.sql());
        let count = session.line(&count).await.map_err(why)?;
        if count != self.rows.to_string() {
            let drop = format!("DROP TABLE {}", new.sql());
            session.lines(&drop).await.map_err(why)?;
            return Err(format!(
                "{}.{} has {count} rows, and the backup has {}",
                self.name.0, self.name.1, self.rows
            ));
        }
        Ok(())
    }
}

impl Column {
    fn sql(&self) -> String {
        let collation = self.collation.as_ref();
        let collation = collation.map_or_else(String::new, |name| format!(" COLLATE {name}"));
        let required = if self.required { " NOT NULL" } else { "" };
        format!("{} {}{collation}{required}", ident(&self.name), self.kind)
    }
}

const COLUMNS: &str = "SELECT json_build_object('name', a.attname, 'kind', format_type(a.atttypid, a.atttypmod), \
'required', a.attnotnull, 'collation', CASE WHEN a.attcollation <> t.typcollation THEN \
(SELECT format('%I.%I', s.nspname, l.collname) FROM pg_collation l JOIN pg_namespace s ON s.oid = l.collnamespace WHERE l.oid = a.attcollation) END) \
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_class c ON c.oid = a.attrelid \
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.attnum > 0 AND NOT a.attisdropped";

/// A `psql` that writes and reads values in one way, whatever its database is set to.
async fn psql(
    server: &Server,
    commands: &[&str],
    input: bool,
) -> Result<Running, crate::tool::Error> {
    let common = ["-X", "-q", "-w", "-v", "ON_ERROR_STOP=1"];
    let mut call = server.call("psql", &[&common[..], commands].concat());
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    call.environment.push(set("PGCLIENTENCODING", "UTF8"));
    call.environment.push(set(
        "PGOPTIONS",
        "-c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=3 \
         -c bytea_output=hex -c row_security=off -c statement_timeout=0",
    ));
    call.input = input;
    server.place.start(call).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_table_stands_beside_the_old_one_or_where_it_is_told() {
        let id = "20260823T031000Z-0123abcd";
        for (table, into, name) in [
            ("orders", None, "public.orders__restored_0123abcd"),
            ("a.orders", None, "a.orders__restored_0123abcd"),
            ("a.orders", Some("old"), "a.old"),
            ("a.orders", Some("b.old"), "b.old"),
        ] {
            let new = named(&wanted(table), into, id);
            assert_eq!(format!("{}.{}", new.0, new.1), name, "{table} {into:?}");
        }
    }
}
