//! What a database's own catalogue says of it, within the transaction of the dump.

use serde::Deserialize;

use super::{Error, Session, literal};
use crate::manifest::{Extension, Moment, Postgres, Properties, Table};

const DATABASE: &str = "SELECT json_build_object('row', to_jsonb(d), 'owner', pg_get_userbyid(d.datdba), \
'encoding', pg_encoding_to_char(d.encoding), 'comment', shobj_description(d.oid, 'pg_database'), \
'version', current_setting('server_version_num')::int, 'size', pg_database_size(d.oid), \
'preload', (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'), \
'moment', json_build_object('database', d.oid::bigint, 'server', (SELECT system_identifier::text FROM pg_control_system()), 'snapshot', txid_current_snapshot()::text), \
'settings', (SELECT coalesce(json_agg(json_build_array(CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END, c)), '[]') \
FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid), \
'extensions', (SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion) ORDER BY extname), '[]') FROM pg_extension)) \
FROM pg_database d WHERE d.datname = current_database()";

/// Tables with rows of their own that a dump holds: not those of extensions, of
/// sessions, or on other servers.
const TABLES: &str = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
AND NOT EXISTS (SELECT FROM pg_depend p WHERE p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.deptype = 'e') \
ORDER BY n.nspname, c.relname";

#[derive(Deserialize)]
struct Database {
    row: Row,
    owner: String,
    encoding: String,
    comment: Option<String>,
    version: u32,
    size: u64,
    preload: Option<String>,
    moment: Moment,
    settings: Vec<(Option<String>, String)>,
    extensions: Vec<Extension>,
}

/// Columns of pg_database; their set differs from version to version.
#[derive(Deserialize)]
struct Row {
    datname: String,
    datcollate: String,
    datctype: String,
    datconnlimit: i64,
    datlocprovider: Option<String>,
    daticulocale: Option<String>,
    datlocale: Option<String>,
    datacl: Option<Vec<String>>,
}

/// The question for the schema and the name of each such table, its name as SQL takes it,
/// and what else is asked.
pub(super) fn tables(more: &str) -> String {
    format!(
        "SELECT json_build_array(n.nspname, c.relname, format('%I.%I', n.nspname, c.relname){more}) {TABLES}"
    )
}

/// What is known without counting.
pub(super) async fn database(session: &mut Session) -> Result<Postgres, Error> {
    let all: Vec<Database> = session.json(DATABASE).await?;
    let Some(found) = all.into_iter().next() else {
        return Err(Error::Answer("the database has no entry of its own".into()));
    };
    let row = found.row;
    Ok(Postgres {
        database: row.datname,
        server_version: found.version,
        dumped_by: String::new(),
        properties: Properties {
            owner: found.owner,
            encoding: found.encoding,
            collate: row.datcollate,
            ctype: row.datctype,
            provider: row.datlocprovider.unwrap_or_default(),
            locale: row.datlocale.or(row.daticulocale).unwrap_or_default(),
            connection_limit: row.datconnlimit,
            comment: found.comment,
            acl: row.datacl,
            settings: found.settings,
        },
        extensions: found.extensions,
        tables: Vec::new(),
        revisions: Vec::new(),
        preload: found.preload,
        size: Some(found.size),
        moment: Some(found.moment),
        entries: None,
    })
}

/// Rows of each table that has some of its own.
///
/// # Errors
/// When one cannot be counted.
pub async fn count(session: &mut Session) -> Result<Vec<Table>, Error> {
    counted(session, "", None).await
}

/// The same as a snapshot has them, which another session keeps.
pub(super) async fn count_in(session: &mut Session, snapshot: &str) -> Result<Vec<Table>, Error> {
    counted(session, "", Some(snapshot)).await
}

async fn counted(
    session: &mut Session,
    which: &str,
    snapshot: Option<&str>,
) -> Result<Vec<Table>, Error> {
    // A lock on each table and index until the end is more than a server may have.
    let begin = snapshot.map(|snapshot| {
        let snapshot = literal(snapshot);
        format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {snapshot}"
        )
    });
    if let Some(begin) = &begin {
        session.lines(begin).await?;
    }
    let names: Vec<(String, String, String)> = session.json(&tables("")).await?;
    let mut tables = Vec::with_capacity(names.len());
    for names in names.chunks(AT_ONCE) {
        if let Some(begin) = &begin {
            session.lines(&format!("COMMIT; {begin}")).await?;
        }
        let which = names.iter().map(|(_, _, name)| format!("{name} {which}"));
        let counts = numbers(session, which).await?;
        for ((schema, name, _), rows) in names.iter().zip(counts) {
            let (schema, name) = (schema.clone(), name.clone());
            tables.push(Table { schema, name, rows });
        }
    }
    Ok(tables)
}

/// So many tables are counted at once.
pub(super) const AT_ONCE: usize = 200;

/// How many rows there are in each of these: each answer is one number on a line.
pub(super) async fn numbers(
    session: &mut Session,
    of: impl Iterator<Item = String>,
) -> Result<Vec<u64>, Error> {
    let questions: Vec<_> = of
        .map(|of| format!("SELECT count(*) FROM ONLY {of}"))
        .collect();
    let lines = session.lines(&questions.join(";\n")).await?;
    if lines.len() != questions.len() {
        return Err(Error::Answer("not all tables were counted".into()));
    }
    let number = |line: String| line.parse().map_err(|_| Error::Answer(line));
    lines.into_iter().map(number).collect()
}

/// Rows of each table that were written after a moment of this very database: new
/// ones and changed ones. Nothing where it is not that database, or too long ago.
///
/// # Errors
/// When one cannot be counted.
pub async fn written_since(
    session: &mut Session,
    moment: &Moment,
) -> Result<Option<Vec<Table>>, Error> {
    let mut parts = moment.snapshot.split(':');
    let (_, Some(next), Some(open)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    let Ok(next) = next.parse::<u64>() else {
        return Ok(None);
    };
    let same = format!(
        "SELECT d.oid::bigint = {} AND (SELECT system_identifier::text FROM pg_control_system()) = {} \
         AND txid_snapshot_xmax(txid_current_snapshot()) - {next} BETWEEN 0 AND 1000000000 \
         FROM pg_database d WHERE d.datname = current_database()",
        moment.database,
        literal(&moment.server)
    );
    if session.line(&same).await? != "t" {
        return Ok(None);
    }
    // Transactions are told from each other by the lower half of their numbers.
    let short = |number: u64| (number & u64::from(u32::MAX)).to_string();
    let open = open.split(',').filter_map(|number| number.parse().ok());
    let open: Vec<_> = open.map(|number| format!("'{}'", short(number))).collect();
    let or = match open.is_empty() {
        true => String::new(),
        false => format!(" OR xmin::text IN ({})", open.join(", ")),
    };
    let next = short(next);
    // Those that are frozen seem to be of the farthest past.
    let later = format!("WHERE (age(xmin) <= age('{next}'::xid) AND xmin::text::bigint > 2){or}");
    Ok(Some(counted(session, &later, None).await?))
}
