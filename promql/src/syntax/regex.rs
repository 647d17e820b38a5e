//! Patterns in RE2's syntax, which Prometheus' users write, in that of the `regex` crate.
//!
//! Both match in linear time; they differ in spelling: RE2 knows `\Q..\E`,
//! takes a brace that begins no repetition and a bracket within a class as
//! themselves, and its `\d \w \s \b` mean ASCII.

/// The same pattern in the spelling of the `regex` crate. What neither knows
/// passes through and is refused by its parser.
#[must_use]
pub fn rust_regex(pattern: &str) -> String {
    if !pattern.contains(['\\', '{', '[']) {
        return pattern.to_owned();
    }
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        rest = match letter {
            '\\' => escape(rest, false, &mut out),
            '[' => class(rest, &mut out),
            '{' if !is_repetition(rest) => {
                out.push_str("\\{");
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

/// Takes the escape at the start of `rest` and returns what stands behind it.
fn escape<'a>(rest: &'a str, in_class: bool, out: &mut String) -> &'a str {
    let mut letters = rest[1..].chars();
    let Some(letter) = letters.next() else {
        out.push('\\');
        return "";
    };
    let behind = letters.as_str();
    if letter == 'Q' {
        let (literal, behind) = behind.split_once("\\E").unwrap_or((behind, ""));
        out.push_str(&regex::escape(literal));
        return behind;
    }
    let ascii = match (letter, in_class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', false) => "[\\t\\n\\x0C\\r ]",
        ('s', true) => "\\t\\n\\x0C\\r ",
        ('S', _) => "[^\\t\\n\\x0C\\r ]",
        ('b', false) => "(?-u:\\b)",
        // Word ends in one, plain signs in the other.
        ('<', _) => "<",
        ('>', _) => ">",
        _ => {
            out.push('\\');
            out.push(letter);
            return behind;
        }
    };
    out.push_str(ascii);
    behind
}

/// Takes the class at the start of `rest` and returns what stands behind it.
fn class<'a>(rest: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    let mut rest = &rest[1..];
    if let Some(behind) = rest.strip_prefix('^') {
        out.push('^');
        rest = behind;
    }
    let mut first = true;
    while let Some(letter) = rest.chars().next() {
        rest = match letter {
            ']' if first => {
                out.push_str("\\]");
                &rest[1..]
            }
            ']' => {
                out.push(']');
                return &rest[1..];
            }
            '\\' => escape(rest, true, out),
            '[' if rest.starts_with("[:") && rest.contains(":]") => {
                let end = rest.find(":]").map_or(rest.len(), |at| at + 2);
                out.push_str(&rest[..end]);
                &rest[end..]
            }
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(letter);
                &rest[1..]
            }
            // A second dash would be a set difference.
            '-' if rest.starts_with("--") => {
                out.push_str("\\-");
                &rest[1..]
            }
            _ => {
                out.push(letter);
                &rest[letter.len_utf8()..]
            }
        };
        first = false;
    }
    rest
}

/// Whether `{n}`, `{n,}` or `{n,m}` stands at the start.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest[1..].split_once('}') else {
        return false;
    };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(pattern: &str, text: &str) -> bool {
        regex::Regex::new(&format!("^(?s:{})$", rust_regex(pattern)))
            .unwrap()
            .is_match(text)
    }

    #[test]
    fn what_re2_reads_otherwise_is_translated() {
        for (pattern, text, matches) in [
            (r"\Qa.b\E.*", "a.bc", true),
            (r"\Qa.b\E.*", "axbc", false),
            (r"\Qa(b", "a(b", true),
            (r"/api/{id}", "/api/{id}", true),
            (r"a{2}", "aa", true),
            (r"a{,2}", "a{,2}", true),
            (r"[[]", "[", true),
            (r"[]a]+", "]a", true),
            (r"[a&&b]+", "a&b", true),
            (r"[[:digit:]]", "7", true),
            (r"[a-c--e]", "-", true),
            (r"\d", "\u{664}", false),
            (r"[\w-]+", "a-b_1", true),
            (r"\w", "\u{e9}", false),
            (r"\<x\>", "<x>", true),
            (r".", "\n", true),
            (r"(?i:PRO).*", "production", true),
            (r"\bx\b", "x", true),
            (r"\.", ".", true),
        ] {
            assert_eq!(takes(pattern, text), matches, "{pattern} on {text}");
        }
    }
}
