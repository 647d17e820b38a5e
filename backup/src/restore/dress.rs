//! What no dump holds of a database: its settings, its comment, its limits, and who
//! may connect.

use crate::manifest::Postgres;
use crate::postgres::{Error as PostgresError, Session, ident, literal};

/// Gives a database what no dump holds: settings, comment, limit of connections,
/// and who may connect.
///
/// # Errors
/// When the server refuses.
pub(super) async fn dress(
    admin: &mut Session,
    facts: &Postgres,
    name: &str,
) -> Result<(), PostgresError> {
    let properties = &facts.properties;
    let database = ident(name);
    let mut all = vec![format!(
        "ALTER DATABASE {database} CONNECTION LIMIT {}",
        properties.connection_limit
    )];
    if let Some(comment) = &properties.comment {
        all.push(format!(
            "COMMENT ON DATABASE {database} IS {}",
            literal(comment)
        ));
    }
    for (role, setting) in &properties.settings {
        let Some((key, value)) = setting.split_once('=') else {
            continue;
        };
        // Lists are stored as they are written.
        let value = if LISTS.contains(&key) {
            value.to_owned()
        } else {
            literal(value)
        };
        let who = match role {
            Some(role) => format!("ROLE {} IN DATABASE {database}", ident(role)),
            None => format!("DATABASE {database}"),
        };
        all.push(format!("ALTER {who} SET {key} = {value}"));
    }
    if let Some(acl) = &properties.acl {
        all.push(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"));
        all.extend(acl.iter().filter_map(|item| grant(item, &database)));
    }
    for sql in all {
        admin.lines(&sql).await?;
    }
    Ok(())
}

/// Settings whose values are lists of names.
const LISTS: [&str; 6] = [
    "search_path",
    "DateStyle",
    "temp_tablespaces",
    "session_preload_libraries",
    "local_preload_libraries",
    "shared_preload_libraries",
];

/// `seller=CTc/owner` as the statement that gives it.
fn grant(item: &str, database: &str) -> Option<String> {
    let (who, rest) = item.rsplit_once('=')?;
    let (letters, _) = rest.split_once('/')?;
    let who = match who.trim_matches('"').replace("\"\"", "\"") {
        who if who.is_empty() => "PUBLIC".to_owned(),
        who => ident(&who),
    };
    let rights: Vec<_> = letters
        .chars()
        .filter_map(|letter| match letter {
            'C' => Some("CREATE"),
            'c' => Some("CONNECT"),
            'T' => Some("TEMPORARY"),
            _ => None,
        })
        .collect();
    let option = if letters.contains('*') {
        " WITH GRANT OPTION"
    } else {
        ""
    };
    (!rights.is_empty()).then(|| {
        format!(
            "GRANT {} ON DATABASE {database} TO {who}{option}",
            rights.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_given_as_they_were_read() {
        for (item, sql) in [
            (
                "=Tc/postgres",
                Some("GRANT TEMPORARY, CONNECT ON DATABASE d TO PUBLIC"),
            ),
            (
                "seller=C*T*c*/postgres",
                Some(
                    "GRANT CREATE, TEMPORARY, CONNECT ON DATABASE d TO \"seller\" WITH GRANT OPTION",
                ),
            ),
            (
                "\"odd=one\"=c/postgres",
                Some("GRANT CONNECT ON DATABASE d TO \"odd=one\""),
            ),
            ("nothing", None),
        ] {
            assert_eq!(grant(item, "d").as_deref(), sql, "{item}");
        }
    }
}
