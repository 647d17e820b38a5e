//! Patterns in RE2's syntax, which users of Prometheus and Alertmanager write, in that of
//! the `regex` crate.
//!
//! Both match in linear time; they differ in spelling. In RE2 `\d`, `\w`, `\s` and `\b` know
//! ASCII only, `\Q..\E` quotes, `\101` is a sign by its octal number, `\p{^Greek}` negates,
//! a brace that begins no repetition is itself, and in a class so are `[`, `&` and `~`, and a
//! dash wherever it makes no range.

mod class;

use std::fmt::Write as _;

/// The same pattern in the spelling of the `regex` crate. What neither knows passes through
/// and is refused by its parser.
#[must_use]
pub fn rust_regex(pattern: &str) -> String {
    if !pattern.contains(['\\', '{', '[']) {
        return pattern.to_owned();
    }
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        rest = match letter {
            '\\' => escape(rest, &mut out),
            '[' => class::take(rest, &mut out),
            '{' if !is_repetition(rest) => {
                out.push_str(r"\{");
                &rest[1..]
            }
            _ => {
                out.push(letter);
                &rest[letter.len_utf8()..]
            }
        };
    }
    out
}

/// Takes the escape at the start of `rest`, which is in no class, and returns what stands
/// behind it.
fn escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    if let Some(behind) = rest.strip_prefix(r"\Q") {
        let (literal, behind) = behind.split_once(r"\E").unwrap_or((behind, ""));
        out.push_str(&regex::escape(literal));
        return behind;
    }
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

/// Whether `{n}`, `{n,}` or `{n,m}` stands at the start.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest[1..].split_once('}') else {
        return false;
    };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits && (text.len() < 2 || !text.starts_with('0'))
    };
    !low.is_empty() && number(low) && number(high)
}

#[cfg(test)]
mod tests;
