//! Patterns in RE2's syntax, which users of Prometheus and Alertmanager write, in that of
//! the `regex` crate.
//!
//! Both match in linear time; they differ in spelling. In RE2 `\d`, `\w`, `\s` and `\b` know
//! ASCII only, `\Q..\E` quotes, `\101` is a sign by its octal number, `\p{^Greek}` negates,
//! a brace that begins no repetition is itself, and in a class so are `[`, `&` and `~`, and a
//! dash wherever it makes no range. Repetitions of a repetition and of more than a thousand
//! are refused by RE2, and so are flags that it does not know.

mod class;
mod repeat;

use std::fmt::{self, Write as _};

use repeat::Repeats;

/// What RE2 refuses and the `regex` crate would take, in the words of Go's library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    what: &'static str,
    at: String,
}

impl Fault {
    fn new(what: &'static str, at: &str) -> Self {
        Self {
            what,
            at: at.to_owned(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "error parsing regexp: {}: `{}`", self.what, self.at)
    }
}

impl std::error::Error for Fault {}

/// The same pattern in the spelling of the `regex` crate. What neither knows passes through
/// and is refused by its parser.
///
/// # Errors
/// If RE2 refuses what the crate would take.
pub fn rust_regex(pattern: &str) -> Result<String, Fault> {
    if !pattern.contains(['\\', '{', '[', '*', '+', '?']) {
        return Ok(pattern.to_owned());
    }
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut repeats = Repeats::new(pattern);
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        rest = match letter {
            '(' => {
                let behind = group(rest, &mut repeats)?;
                out.push_str(&rest[..rest.len() - behind.len()]);
                behind
            }
            _ if repeat::begins(rest) => {
                let behind = repeats.take(rest)?;
                out.push_str(&rest[..rest.len() - behind.len()]);
                behind
            }
            '\\' => match quoted(rest, &mut out) {
                Some(("", behind)) => {
                    repeats.nothing();
                    behind
                }
                Some((_, behind)) => {
                    repeats.piece();
                    behind
                }
                None => {
                    repeats.piece();
                    escape(rest, &mut out)
                }
            },
            '[' => {
                repeats.piece();
                class::take(rest, &mut out)
            }
            '{' => {
                repeats.piece();
                out.push_str(r"\{");
                &rest[1..]
            }
            _ => {
                match letter {
                    ')' => repeats.close(),
                    '|' => repeats.alternative(),
                    _ => repeats.piece(),
                }
                out.push(letter);
                &rest[letter.len_utf8()..]
            }
        };
    }
    Ok(out)
}

/// Takes the beginning of a group at the start of `rest`, or flags for what follows, and
/// returns what stands behind it.
fn group<'a>(rest: &'a str, repeats: &mut Repeats<'a>) -> Result<&'a str, Fault> {
    let Some(flags) = rest.strip_prefix("(?") else {
        repeats.open();
        return Ok(&rest[1..]);
    };
    if flags.starts_with("P<") || flags.starts_with('<') {
        repeats.open();
        // What it is called, the engine reads.
        let end = flags.find('>').map_or(flags.len(), |at| at + 1);
        return Ok(&flags[end..]);
    }
    let mut negated = false;
    // Whether a flag follows the dash.
    let mut flagged = true;
    for (at, letter) in flags.char_indices() {
        match letter {
            'i' | 'm' | 's' | 'U' => flagged = true,
            '-' if !negated => (negated, flagged) = (true, false),
            ':' if flagged => {
                repeats.open();
                return Ok(&flags[at + 1..]);
            }
            ')' if flagged => {
                repeats.nothing();
                return Ok(&flags[at + 1..]);
            }
            _ => {
                let until = "(?".len() + at + letter.len_utf8();
                let what = "invalid or unsupported Perl syntax";
                return Err(Fault::new(what, &rest[..until]));
            }
        }
    }
    Err(Fault::new("missing closing )", repeats.pattern()))
}

/// Takes what `\Q` at the start of `rest` quotes, and returns it and what stands behind it.
fn quoted<'a>(rest: &'a str, out: &mut String) -> Option<(&'a str, &'a str)> {
    let behind = rest.strip_prefix(r"\Q")?;
    let (literal, behind) = behind.split_once(r"\E").unwrap_or((behind, ""));
    out.push_str(&regex::escape(literal));
    Some((literal, behind))
}

/// Takes the escape at the start of `rest`, which is in no class and quotes nothing, and
/// returns what stands behind it.
fn escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    if let Some(behind) = rest.strip_prefix(r"\b") {
        out.push_str(r"(?-u:\b)");
        return behind;
    }
    set(rest, out).unwrap_or_else(|| sign(rest, out))
}

/// Takes a set of signs by its name, such as `\d` or `\p{Greek}`, if one is at the start.
fn set<'a>(rest: &'a str, out: &mut String) -> Option<&'a str> {
    let name = rest.strip_prefix('\\')?.chars().next()?;
    let behind = &rest[1 + name.len_utf8()..];
    // Within a class they are classes too: a dash behind one makes no range.
    out.push_str(match name {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'p' | 'P' => return Some(property(name, behind, out)),
        _ => return None,
    });
    Some(behind)
}

/// Takes the name of a property behind `\p` or `\P`: one letter, or up to the brace's end.
fn property<'a>(letter: char, rest: &'a str, out: &mut String) -> &'a str {
    let end = match rest.starts_with('{') {
        true => rest.find('}').map_or(rest.len(), |at| at + 1),
        false => rest.chars().next().map_or(0, char::len_utf8),
    };
    let (name, behind) = rest.split_at(end);
    match (letter, name.strip_prefix("{^")) {
        ('p', Some(name)) => out.extend([r"\P{", name]),
        (_, Some(name)) => out.extend([r"\p{", name]),
        ('p', None) => out.extend([r"\p", name]),
        (_, None) => out.extend([r"\P", name]),
    }
    behind
}

/// Takes one sign that is written with a backslash.
fn sign<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let behind = &rest[1..];
    let octal = |it: &u8| (b'0'..=b'7').contains(it);
    let digits = behind.bytes().take(3).take_while(octal).count();
    // One digit that is no zero would be a backreference, which nobody takes.
    if behind.starts_with('0') || digits > 1 {
        let number = u32::from_str_radix(&behind[..digits], 8).unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = write!(out, r"\x{{{number:x}}}");
        return &behind[digits..];
    }
    let Some(letter) = behind.chars().next() else {
        out.push('\\');
        return "";
    };
    let mut end = letter.len_utf8();
    // Word ends in one, plain signs in the other.
    if !matches!(letter, '<' | '>') {
        out.push('\\');
    }
    // \x{1F514} up to its end.
    if behind.starts_with("x{") {
        end = behind.find('}').map_or(behind.len(), |at| at + 1);
    }
    out.push_str(&behind[..end]);
    &behind[end..]
}

#[cfg(test)]
mod tests;
