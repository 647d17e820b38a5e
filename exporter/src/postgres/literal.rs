//! The text of a statement without the values in it, which may be secrets.
//!
//! PostgreSQL itself leaves values of most statements out of its statistics,
//! but not those of `ALTER ROLE ... PASSWORD` and its like. Where it is not
//! plain how far a value goes, the rest of the text is left out.

/// The longest text, in characters.
const LONGEST: usize = 200;

/// The statement with `?` for each value, without comments, in one line.
pub(super) fn free(statement: &str) -> String {
    let mut out = String::new();
    let mut rest = statement;
    // The last letter before `rest`: a digit behind a name belongs to it.
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        if out.chars().count() >= LONGEST {
            out = out.chars().take(LONGEST).collect();
            out.push_str("...");
            break;
        }
        let word = before.is_alphanumeric() || before == '_' || before == '$';
        let (shown, length) = if letter == '\'' {
            ("?", quoted(rest, before))
        } else if letter == '$' && !word && dollar_quoted(rest).is_some() {
            ("?", dollar_quoted(rest).flatten())
        } else if letter.is_ascii_digit() && !word {
            ("?", Some(digits(rest)))
        } else if letter == '"' {
            let end = rest[1..].find('"').map(|end| end + 2);
            (end.map_or("", |end| &rest[..end]), end)
        } else if rest.starts_with("--") {
            (" ", Some(rest.find('\n').unwrap_or(rest.len())))
        } else if rest.starts_with("/*") {
            (" ", comment(rest))
        } else {
            let end = letter.len_utf8();
            (
                if letter.is_whitespace() {
                    " "
                } else {
                    &rest[..end]
                },
                Some(end),
            )
        };
        if !(shown == " " && (out.is_empty() || out.ends_with(' '))) {
            // A name in quotes may hold anything, and be as long as it likes.
            let plain = shown.chars().take(LONGEST);
            out.extend(plain.map(|letter| if letter.is_control() { ' ' } else { letter }));
        }
        let Some(length) = length else {
            out.push_str("...");
            break;
        };
        before = rest[..length].chars().next_back().unwrap_or(' ');
        rest = &rest[length..];
    }
    out.trim_end().to_owned()
}

/// The length of the text in quotes that `rest` begins with; nothing where its
/// end is missing or not certain.
fn quoted(rest: &str, before: char) -> Option<usize> {
    let escapes = matches!(before, 'e' | 'E');
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if escapes => _ = letters.next(),
            // Whether it escapes what follows is a setting of the server.
            '\\' => return None,
            '\'' if matches!(letters.peek(), Some((_, '\''))) => _ = letters.next(),
            '\'' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Whether a text in dollars begins here, and its length if it ends.
fn dollar_quoted(rest: &str) -> Option<Option<usize>> {
    let end = rest[1..].find('$')? + 2;
    let tag = &rest[..end];
    let name = &tag[1..end - 1];
    let plain = name
        .chars()
        .all(|letter| letter.is_alphanumeric() || letter == '_');
    if !plain || name.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    Some(rest[end..].find(tag).map(|found| end + found + tag.len()))
}

/// `1`, `1.5e-3`, `0xFF`, `1_000`.
fn digits(rest: &str) -> usize {
    let mut before = '0';
    let end = rest.find(|letter: char| {
        let sign = matches!(letter, '+' | '-') && matches!(before, 'e' | 'E');
        before = letter;
        !(letter.is_ascii_alphanumeric() || letter == '.' || letter == '_' || sign)
    });
    end.unwrap_or(rest.len())
}

fn comment(rest: &str) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_form_are_left_out() {
        for (statement, shown) in [
            ("SELECT $1", "SELECT $1"),
            (
                "select * from t1 where a = 42 and b1 = 1.5e-3",
                "select * from t1 where a = ? and b1 = ?",
            ),
            ("ALTER ROLE x PASSWORD 'hunter2'", "ALTER ROLE x PASSWORD ?"),
            ("SELECT 'it''s hunter2', 2", "SELECT ?, ?"),
            (r"SELECT E'a\'hunter2' || 'b'", "SELECT E? || ?"),
            (r"SELECT 'a\'hunter2' || 'b'", "SELECT ?..."),
            ("SELECT 'hunter2", "SELECT ?..."),
            ("DO $$ hunter2 $$", "DO ?"),
            ("DO $x$ hunter2 $$ $x$ , 3", "DO ? , ?"),
            ("DO $x$ hunter2 $$", "DO ?..."),
            ("SELECT 1 -- hunter2\n, 2", "SELECT ? , ?"),
            ("SELECT /* hunter2 /* x */ */ a", "SELECT a"),
            ("SELECT /* hunter2", "SELECT ..."),
            (
                "SELECT \"a 'b' 5\" FROM \"x\"\n\t WHERE 0xFF",
                "SELECT \"a 'b' 5\" FROM \"x\" WHERE ?",
            ),
            ("SELECT \"hunter2", "SELECT ..."),
            ("SELECT -5, a.b, $12", "SELECT -?, a.b, $12"),
            ("Größe = 'ä'", "Größe = ?"),
            ("", ""),
        ] {
            assert_eq!(free(statement), shown, "{statement}");
        }
    }

    #[test]
    fn long_statements_are_cut_and_hold_no_value_at_the_cut() {
        let statement = format!("SELECT {} 'hunter2'", "a, ".repeat(100));
        let shown = free(&statement);
        assert_eq!(shown.chars().count(), LONGEST + 3);
        assert!(shown.ends_with("...") && !shown.contains("hunter2"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_one_short_line(
            text in "(''|['\"$\\\\/*-]|--|/\\*|\\$x\\$|[eE0-9_.+]|\\PC|\\s){0,300}",
        ) {
            let shown = free(&text);
            assert!(shown.chars().count() <= 2 * LONGEST && !shown.contains('\n'), "{shown}");
        }

        /// Whatever stands around it, as long as quotes before it are closed.
        #[test]
        fn a_value_in_quotes_never_shows(
            before in "([a-z, ]|'[^'\\\\]{0,5}'|\"[^\"]{0,5}\"| \\$x\\$[^$]{0,5}\\$x\\$ | [0-9] ){0,30}",
            after in "\\PC{0,30}",
        ) {
            let shown = free(&format!("{before} 'hunter2 {after}"));
            assert!(!shown.contains("hunter"), "{shown}");
        }
    }
}
