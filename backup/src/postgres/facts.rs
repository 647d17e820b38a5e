//! What a database's own catalogue says of it, within the transaction of the dump.

use serde::Deserialize;

use super::{Error, Session};
use crate::manifest::{Extension, Postgres, Properties, Table};

const DATABASE: &str = "SELECT json_build_object('row', to_jsonb(d), 'owner', pg_get_userbyid(d.datdba), \
'encoding', pg_encoding_to_char(d.encoding), 'comment', shobj_description(d.oid, 'pg_database'), \
'version', current_setting('server_version_num')::int, \
'settings', (SELECT coalesce(json_agg(json_build_array(CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END, c)), '[]') \
FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid), \
'extensions', (SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion) ORDER BY extname), '[]') FROM pg_extension)) \
FROM pg_database d WHERE d.datname = current_database()";

/// Tables with rows of their own that a dump holds: not those of extensions, of
/// sessions, or on other servers.
const TABLES: &str = "SELECT json_build_array(n.nspname, c.relname, format('%I.%I', n.nspname, c.relname)) \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
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
        entries: None,
    })
}

/// Rows of each table that has some of its own.
///
/// # Errors
/// When one cannot be counted.
pub async fn count(session: &mut Session) -> Result<Vec<Table>, Error> {
    let names: Vec<(String, String, String)> = session.json(TABLES).await?;
    let mut tables = Vec::with_capacity(names.len());
    // Many at once: each answer is one number on a line.
    for names in names.chunks(200) {
        let questions: Vec<_> = names
            .iter()
            .map(|(_, _, name)| format!("SELECT count(*) FROM ONLY {name}"))
            .collect();
        let lines = session.lines(&questions.join(";\n")).await?;
        if lines.len() != names.len() {
            return Err(Error::Answer("not all tables were counted".into()));
        }
        for ((schema, name, _), line) in names.iter().zip(lines) {
            let rows = line.parse().map_err(|_| Error::Answer(line))?;
            let (schema, name) = (schema.clone(), name.clone());
            tables.push(Table { schema, name, rows });
        }
    }
    Ok(tables)
}
