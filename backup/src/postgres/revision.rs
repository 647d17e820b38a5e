//! The revision of a database's schema, as migration tools note it in a table of theirs:
//! an application that finds another one than it was made for does not start.

use super::{Error, Session, literal};
use crate::manifest::Revision;

/// A tool, its table, the columns by which the table is known for its own, some with
/// what type they are of, and the question for the revision; `{}` stands for the table.
/// No answer may hang on a collation: a copy may be restored where others are.
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
        "SELECT string_agg(version_num::text, ', ' ORDER BY version_num::text COLLATE \"C\") FROM {}",
    ),
    (
        "django",
        "django_migrations",
        &["id ordered", "app", "name"],
        "SELECT app::text || '.' || name::text FROM {} ORDER BY id DESC LIMIT 1",
    ),
    // Rails, golang-migrate, Ecto and others.
    (
        "schema_migrations",
        "schema_migrations",
        &["version"],
        "SELECT max(version::text COLLATE \"C\") FROM {} WHERE length(version::text) = (SELECT max(length(version::text)) FROM {})",
    ),
    (
        "flyway",
        "flyway_schema_history",
        &["installed_rank ordered", "version", "success bool"],
        "SELECT version FROM {} WHERE success AND version IS NOT NULL ORDER BY installed_rank DESC LIMIT 1",
    ),
    (
        "liquibase",
        "databasechangelog",
        &["id", "orderexecuted ordered"],
        "SELECT id FROM {} ORDER BY orderexecuted DESC LIMIT 1",
    ),
    (
        "prisma",
        "_prisma_migrations",
        &["migration_name", "finished_at ordered", "rolled_back_at"],
        "SELECT migration_name FROM {} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY finished_at DESC, migration_name::text COLLATE \"C\" DESC LIMIT 1",
    ),
    (
        "sqlx",
        "_sqlx_migrations",
        &["version ordered", "success bool"],
        "SELECT max(version) FROM {} WHERE success",
    ),
    (
        "diesel",
        "__diesel_schema_migrations",
        &["version"],
        "SELECT max(version::text COLLATE \"C\") FROM {}",
    ),
    (
        "goose",
        "goose_db_version",
        &["id ordered", "version_id", "is_applied bool"],
        "SELECT version_id FROM {} WHERE is_applied ORDER BY id DESC LIMIT 1",
    ),
    (
        "knex",
        "knex_migrations",
        &["id ordered", "name", "batch"],
        "SELECT name FROM {} ORDER BY id DESC LIMIT 1",
    ),
    (
        "sequelize",
        "SequelizeMeta",
        &["name"],
        "SELECT max(name::text COLLATE \"C\") FROM {}",
    ),
    (
        "entity framework",
        "__EFMigrationsHistory",
        &["MigrationId"],
        "SELECT max(\"MigrationId\"::text COLLATE \"C\") FROM {}",
    ),
    (
        "doctrine",
        "doctrine_migration_versions",
        &["version"],
        "SELECT max(version::text COLLATE \"C\") FROM {}",
    ),
    (
        "drizzle",
        "__drizzle_migrations",
        &["id", "hash", "created_at ordered"],
        "SELECT hash FROM {} ORDER BY created_at DESC LIMIT 1",
    ),
    (
        "laravel",
        "migrations",
        &["id ordered", "migration", "batch"],
        "SELECT migration FROM {} ORDER BY id DESC LIMIT 1",
    ),
    (
        "typeorm",
        "migrations",
        &["id", "timestamp ordered", "name"],
        "SELECT name FROM {} ORDER BY \"timestamp\" DESC LIMIT 1",
    ),
    // Gitea, Forgejo and others that use xorm.
    (
        "version",
        "version",
        &["id int8", "version int8"],
        "SELECT max(version) FROM {} HAVING count(*) = 1 AND max(id) = 1",
    ),
];

/// Types that sort alike wherever they are restored: numbers and times.
const ORDERED: &str = "'int2', 'int4', 'int8', 'numeric', 'timestamp', 'timestamptz'";

/// A longer one is cut.
const LONGEST: usize = 200;

/// What migration tools have noted, by table; nothing of tables that are empty. Who asks
/// may read everything, and the tables are anybody's: they are chosen so that nothing of
/// their owners' is run.
///
/// # Errors
/// When a table cannot be read.
pub(crate) async fn revisions(session: &mut Session) -> Result<Vec<Revision>, Error> {
    let found: Vec<(usize, String, String)> = session.json(&tables()).await?;
    let ask = |(at, shown, name): &(usize, String, String)| {
        let (tool, _, _, question) = TOOLS.get(*at)?;
        let question = question.replace("{}", &format!("ONLY {name}"));
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
    let mut noted: Vec<Revision> = session.json(&questions.join(";\n")).await?;
    noted.retain(|noted| is_revision(&noted.tool, &noted.revision));
    Ok(noted)
}

/// Whether it looks like one. A manifest is not encrypted, and a table of a tool's name
/// may be of somebody else who keeps other things in it.
fn is_revision(tool: &str, text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let fits = |c: char| word(c) || ".:\\/+, '-".contains(c);
    if text.is_empty() || text.chars().count() > LONGEST || !text.chars().all(fits) {
        return false;
    }
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match tool {
        // A name and milliseconds.
        "typeorm" => {
            let at = text.len().checked_sub(13).filter(|at| *at > 0);
            let parts = at.and_then(|at| text.split_at_checked(at));
            parts.is_some_and(|(name, time)| name.chars().all(word) && digits(time))
        }
        // A day, a time of six digits, and a name.
        "laravel" => {
            let parts: Vec<_> = text.splitn(5, '_').collect();
            let [year, month, day, time, name] = parts[..] else {
                return false;
            };
            let lengths = [year, month, day, time].map(str::len);
            lengths == [4, 2, 2, 6]
                && [year, month, day, time].into_iter().all(digits)
                && !name.is_empty()
                && name.chars().all(word)
        }
        _ => true,
    }
}

/// Tables of any schema that a tool knows for its own: its number, how the table is
/// shown, and its name in SQL. Types that somebody has made have casts and operators that
/// run what they like.
fn tables() -> String {
    let known = TOOLS.iter().enumerate();
    let known = known.map(|(at, (_, table, columns, _))| {
        let columns: Vec<_> = columns.iter().map(|column| literal(column)).collect();
        let columns = columns.join(", ");
        format!("({at}, {}, ARRAY[{columns}])", literal(table))
    });
    format!(
        "SELECT json_build_array(k.at, n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname)) \
         FROM (VALUES {}) k (at, name, columns) JOIN pg_class c ON c.relname = k.name AND c.relkind = 'r' AND c.relpersistence <> 't' \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_' \
         AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
         AND NOT EXISTS (SELECT FROM pg_depend p WHERE p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.deptype = 'e') \
         AND NOT EXISTS (SELECT FROM unnest(k.columns) AS wanted WHERE NOT EXISTS (SELECT FROM pg_attribute a \
         JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attname = split_part(wanted, ' ', 1) \
         AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid < {BUILT_IN} AND CASE split_part(wanted, ' ', 2) \
         WHEN '' THEN true WHEN 'ordered' THEN t.typname IN ({ORDERED}) ELSE t.typname = split_part(wanted, ' ', 2) END)) \
         ORDER BY n.nspname, c.relname, k.at",
        known.collect::<Vec<_>>().join(", ")
    )
}

/// The first number of what somebody has made.
const BUILT_IN: u32 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_look_like_a_revision_is_none() {
        for (tool, text, wanted) in [
            ("alembic", "3f2a, 91bc", true),
            ("django", "shop.0002_it's", true),
            (
                "doctrine",
                "DoctrineMigrations\\Version20260823154640",
                true,
            ),
            ("liquibase", "somebody@example.com", false),
            ("sqlx", "one\nother", false),
            ("sqlx", "", false),
            ("typeorm", "CreateUser1724427040000", true),
            ("typeorm", "1724427040000", false),
            ("typeorm", "Alice Smith", false),
            ("typeorm", "Ünder1724427040000", true),
            ("typeorm", "über724427040000", false),
            ("laravel", "2026_08_23_154640_create_users_table", true),
            ("laravel", "2026_08_23_154640_", false),
            ("laravel", "2026_08_23_create_users_table", false),
            ("laravel", "from Berlin to Rome", false),
        ] {
            assert_eq!(is_revision(tool, text), wanted, "{tool} {text}");
        }
        assert!(is_revision("knex", &"x".repeat(LONGEST)));
        assert!(!is_revision("knex", &"x".repeat(LONGEST + 1)));
    }
}
