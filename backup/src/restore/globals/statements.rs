//! A text of SQL as its statements, so that each can be told on its own.
//!
//! What is for `psql` itself, a line that begins with a backslash, is left out: a
//! backup makes roles, and runs no commands.

/// Where in the text we are.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Statement,
    /// A text in single quotes; with `E` before it a backslash escapes.
    Text {
        escapes: bool,
    },
    Name,
    /// What goes to the end of its line and is left out.
    Line,
}

/// The statements of a text, without their semicolons.
pub(super) fn statements(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut one = String::new();
    let mut within = Within::Statement;
    let mut escaped = false;
    // Whether the text that was left last had escapes, should it go on.
    let mut had_escapes = false;
    for letter in text.chars() {
        match (within, letter) {
            (Within::Line, '\n') => within = Within::Statement,
            (Within::Line, _) => continue,
            (Within::Statement, ';') => {
                push(&mut all, &mut one);
                continue;
            }
            (Within::Statement, '-') if one.ends_with('-') => {
                one.pop();
                within = Within::Line;
                continue;
            }
            (Within::Statement, '\\') => {
                within = Within::Line;
                continue;
            }
            (Within::Statement, '\'') => {
                let goes_on = one.ends_with('\'') && had_escapes;
                let escapes = goes_on || one.ends_with(['E', 'e']);
                had_escapes = escapes;
                within = Within::Text { escapes };
            }
            (Within::Statement, '"') => within = Within::Name,
            // A quote that is doubled ends one text and begins the next.
            (Within::Text { .. }, _) if escaped => escaped = false,
            (Within::Text { escapes: true }, '\\') => escaped = true,
            (Within::Text { .. }, '\'') | (Within::Name, '"') => within = Within::Statement,
            _ => {}
        }
        one.push(letter);
    }
    push(&mut all, &mut one);
    all
}

fn push(all: &mut Vec<String>, one: &mut String) {
    let text = one.trim();
    if !text.is_empty() {
        all.push(text.to_owned());
    }
    one.clear();
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn statements_end_where_their_semicolons_are_no_part_of_a_text_or_a_name() {
        let text = "-- roles; of it\n\\restrict aBc\nSET a = on;\n\nCREATE ROLE \"odd;one\";\n\
            COMMENT ON ROLE x IS 'it''s; two\nlines -- \\! rm';\n\
            ALTER ROLE x PASSWORD E'a\\'''; b\\\\';\nCREATE ROLE y; \\! touch /tmp/x\n\\unrestrict aBc\n";
        assert_eq!(
            statements(text),
            [
                "SET a = on",
                "CREATE ROLE \"odd;one\"",
                "COMMENT ON ROLE x IS 'it''s; two\nlines -- \\! rm'",
                "ALTER ROLE x PASSWORD E'a\\'''; b\\\\'",
                "CREATE ROLE y",
            ]
        );
        assert_eq!(statements("  \n-- nothing\n"), Vec::<String>::new());
    }
}
