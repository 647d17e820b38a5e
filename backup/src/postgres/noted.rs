//! Rows of a database that was just filled, as its server noted them meanwhile.
//!
//! It notes how many rows a table took in, and how many it read of it to build an index.
//! Where both are the number that is wanted, its rows went in and were read back already.
//! All else is counted: a table without an index, which nobody has read, one of which
//! anything else is noted, and all where the server may lose what it notes or where
//! somebody else is in the database.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::sleep;

use super::facts::{AT_ONCE, numbers, tables};
use super::{Error, Session};
use crate::manifest::Table;

/// From this version on nothing of it is lost on its way.
const SURE: u32 = 150_000;

/// What went into a table, less what was deleted, and what was read for an index. Statistics
/// made since then leave an estimate, which is the number only where it is right.
const NOTED: &str = ", pg_stat_get_tuples_inserted(c.oid) - pg_stat_get_tuples_deleted(c.oid), \
CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid) THEN c.reltuples::float8 END";

/// Whoever filled it tells what was noted when he goes, and may go a moment later. Of others
/// a role may not be told what they are.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
AND coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()";
const MOMENT: Duration = Duration::from_millis(10);
const MOMENTS: u32 = 100;

/// A table's schema, its name, both as SQL takes them, and what is noted.
type Noted = (String, String, String, Option<i64>, Option<f64>);

/// The rows of each table that has some of its own, and how many of these were counted. The
/// database was made and filled by us, and nobody else has used it.
///
/// # Errors
/// When one cannot be counted.
pub async fn noted_rows(
    session: &mut Session,
    wanted: &[Table],
) -> Result<(Vec<Table>, usize), Error> {
    let mut sure = false;
    if session.version().await? >= SURE {
        for _ in 0..MOMENTS {
            sure = session.line(OTHERS).await? == "0";
            if sure {
                break;
            }
            sleep(MOMENT).await;
        }
    }
    let wanted: HashMap<_, _> = wanted
        .iter()
        .map(|table| ((&*table.schema, &*table.name), table.rows))
        .collect();
    let (mut found, mut uncounted) = (Vec::new(), Vec::new());
    let all: Vec<Noted> = session.json(&tables(NOTED)).await?;
    for (schema, name, sql, taken, read) in all {
        let rows = wanted.get(&(&*schema, &*name)).copied();
        match rows {
            Some(rows) if sure && is_right(rows, taken, read) => {
                found.push(Table { schema, name, rows });
            }
            _ => uncounted.push((schema, name, sql)),
        }
    }
    let counted = uncounted.len();
    for some in uncounted.chunks(AT_ONCE) {
        let counts = numbers(session, some.iter().map(|(_, _, sql)| sql.clone())).await?;
        for ((schema, name, _), rows) in some.iter().zip(counts) {
            let (schema, name) = (schema.clone(), name.clone());
            found.push(Table { schema, name, rows });
        }
    }
    Ok((found, counted))
}

/// What is noted of all that was ever written to the tables of a database: alike twice only
/// where nothing was written in between. Nothing where that is not sure: of a server that
/// may lose what it notes and, where it must be told to its end, while somebody else is in
/// the database, whose last writes come when he goes.
///
/// # Errors
/// When the server does not tell.
pub async fn writes(session: &mut Session, alone: bool) -> Result<Option<String>, Error> {
    if session.version().await? < SURE || alone && session.line(OTHERS).await? != "0" {
        return Ok(None);
    }
    let told = session.line(WRITES).await?;
    // One that counts nothing always says the same.
    Ok(told.strip_prefix("on").map(str::to_owned))
}

const WRITES: &str = "SELECT current_setting('track_counts') || md5(coalesce(string_agg(concat_ws(':', c.oid, pg_stat_get_tuples_inserted(c.oid), \
pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid)), ' ' ORDER BY c.oid), '')) \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') \
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Whether both are what is wanted. What was read is noted to 24 bits. Nothing is what is
/// noted as well where nothing ever is.
fn is_right(rows: u64, taken: Option<i64>, read: Option<f64>) -> bool {
    let taken = taken.and_then(|taken| u64::try_from(taken).ok());
    rows > 0 && taken == Some(rows) && read == Some(f64::from(rows as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_right_only_where_all_its_rows_went_in_and_were_read() {
        assert!(is_right(7, Some(7), Some(7.0)));
        assert!(is_right(100_000_001, Some(100_000_001), Some(1e8)));
        for (rows, taken, read) in [
            (7, Some(6), Some(7.0)),
            (7, Some(7), Some(6.0)),
            (7, Some(7), Some(-1.0)),
            (7, Some(7), None),
            (7, None, Some(7.0)),
            (0, Some(0), Some(0.0)),
            (7, Some(-7), Some(7.0)),
        ] {
            assert!(!is_right(rows, taken, read), "{rows} {taken:?} {read:?}");
        }
    }
}
