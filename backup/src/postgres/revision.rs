//! The revision of a database's schema, as migration tools note it in a table of theirs:
//! an application that finds another one than it was made for does not start.

use super::{Error, Session, literal};
use crate::manifest::Revision;

/// A tool, its table, the columns by which the table is known for its own, and the
/// question for the revision; `{}` stands for the table.
type Tool = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
);

const TOOLS: [Tool; 17] = [
    (
        "alembic",
        "alembic_version",
        &["version_num"],
        "SELECT string_agg(version_num, ', ' ORDER BY version_num) FROM {}",
    ),
    (
        "django",
        "django_migrations",
        &["id", "app", "name"],
        "SELECT app || '.' || name FROM {} ORDER BY id DESC LIMIT 1",
    ),
    // Rails, golang-migrate, Ecto and others.
    (
        "schema_migrations",
        "schema_migrations",
        &["version"],
        "SELECT max(version::text) FROM {} WHERE length(version::text) = (SELECT max(length(version::text)) FROM {})",
    ),
    (
        "flyway",
        "flyway_schema_history",
        &["installed_rank", "version", "success"],
        "SELECT version FROM {} WHERE success AND version IS NOT NULL ORDER BY installed_rank DESC LIMIT 1",
    ),
    (
        "liquibase",
        "databasechangelog",
        &["id", "orderexecuted"],
        "SELECT id FROM {} ORDER BY orderexecuted DESC LIMIT 1",
    ),
    (
        "prisma",
        "_prisma_migrations",
        &["migration_name", "finished_at", "rolled_back_at"],
        "SELECT migration_name FROM {} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY finished_at DESC, migration_name DESC LIMIT 1",
    ),
    (
        "sqlx",
        "_sqlx_migrations",
        &["version", "success"],
        "SELECT max(version) FROM {} WHERE success",
    ),
    (
        "diesel",
        "__diesel_schema_migrations",
        &["version"],
        "SELECT max(version) FROM {}",
    ),
    (
        "goose",
        "goose_db_version",
        &["id", "version_id", "is_applied"],
        "SELECT version_id FROM {} WHERE is_applied ORDER BY id DESC LIMIT 1",
    ),
    (
        "knex",
        "knex_migrations",
        &["id", "name", "batch"],
        "SELECT name FROM {} ORDER BY id DESC LIMIT 1",
    ),
    (
        "sequelize",
        "SequelizeMeta",
        &["name"],
        "SELECT max(name) FROM {}",
    ),
    (
        "entity framework",
        "__EFMigrationsHistory",
        &["MigrationId"],
        "SELECT max(\"MigrationId\") FROM {}",
    ),
    (
        "doctrine",
        "doctrine_migration_versions",
        &["version"],
        "SELECT max(version) FROM {}",
    ),
    (
        "drizzle",
        "__drizzle_migrations",
        &["id", "hash", "created_at"],
        "SELECT hash FROM {} ORDER BY created_at DESC LIMIT 1",
    ),
    (
        "laravel",
        "migrations",
        &["id", "migration", "batch"],
        "SELECT migration FROM {} ORDER BY id DESC LIMIT 1",
    ),
    (
        "typeorm",
        "migrations",
        &["id", "timestamp", "name"],
        "SELECT name FROM {} ORDER BY \"timestamp\" DESC LIMIT 1",
    ),
    // Gitea, Forgejo and others that use xorm.
    (
        "version",
        "version",
        &["id", "version"],
        "SELECT max(version::text) FROM {} HAVING count(*) = 1 AND max(id::text) = '1' AND max(pg_typeof(version)::text) = 'bigint'",
    ),
];

/// A longer one is cut.
const LONGEST: usize = 200;

/// What migration tools have noted, by table; nothing of tables that are empty.
///
/// # Errors
/// When a table cannot be read.
pub(crate) async fn revisions(session: &mut Session) -> Result<Vec<Revision>, Error> {
    let found: Vec<(usize, String, String)> = session.json(&tables()).await?;
    let ask = |(at, shown, name): &(usize, String, String)| {
        let (tool, _, _, question) = TOOLS.get(*at)?;
        let question = question.replace("{}", name);
        Some(format!(
            "SELECT json_build_object('tool', {}, 'table', {}, 'revision', r) \
             FROM (SELECT left(({question})::text, {LONGEST}) AS r) q WHERE r <> ''",
            literal(tool),
            literal(shown)
        ))
    };
    let questions: Vec<_> = found.iter().filter_map(ask).collect();
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    session.json(&questions.join(";\n")).await
}

/// Tables of any schema that a tool knows for its own: its number, how the table is
/// shown, and its name in SQL.
fn tables() -> String {
    let known = TOOLS.iter().enumerate();
    let known = known.map(|(at, (_, table, columns, _))| {
        let columns: Vec<_> = columns.iter().map(|column| literal(column)).collect();
        let columns = columns.join(", ");
        format!("({at}, {}, ARRAY[{columns}]::name[])", literal(table))
    });
    format!(
        "SELECT json_build_array(k.at, n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname)) \
         FROM (VALUES {}) k (at, name, columns) JOIN pg_class c ON c.relname = k.name AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_' AND NOT EXISTS \
         (SELECT FROM unnest(k.columns) AS wanted WHERE NOT EXISTS (SELECT FROM pg_attribute a \
         WHERE a.attrelid = c.oid AND a.attname = wanted AND a.attnum > 0 AND NOT a.attisdropped)) ORDER BY n.nspname, c.relname, k.at",
        known.collect::<Vec<_>>().join(", ")
    )
}
