//! Lines of an expression: where its author broke them, they stay broken.

/// A piece of an expression, as far as its layout matters.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    /// Quoted; the canonical quotes may be others.
    Text,
    /// A number or a duration; the canonical digits may be others.
    Number,
    /// A name or a keyword.
    Word(&'a str),
    /// Any other letter.
    Sign(char),
    /// From `#` to the end of the line.
    Remark,
}

/// Whether the expression holds a remark.
pub(super) fn has_remark(text: &str) -> bool {
    pieces(text)
        .iter()
        .any(|(piece, _)| *piece == Piece::Remark)
}

/// The canonical text with the line breaks of `written`; nothing where canonical
/// form has put pieces into another order.
pub(super) fn keep_lines(written: &str, canonical: &str) -> Option<String> {
    let (old, new) = (pieces(written), pieces(canonical));
    if !written.trim().contains('\n') {
        return Some(canonical.to_owned());
    }
    if !old.iter().map(|(p, _)| p).eq(new.iter().map(|(p, _)| p)) {
        return None;
    }
    let mut out = String::new();
    let mut from = 0;
    for ((_, was), (_, is)) in old.iter().zip(&new) {
        let before = &written[..*was];
        let gap = &before[before.trim_end().len()..];
        // The first piece has no line before it.
        if let Some((_, indent)) = gap.rsplit_once('\n').filter(|_| !before.trim().is_empty()) {
            out.push_str(canonical[from..*is].trim_end());
            out.push('\n');
            out.push_str(indent);
            from = *is;
        }
    }
    out.push_str(&canonical[from..]);
    Some(out)
}

/// All pieces, each with where it begins.
fn pieces(text: &str) -> Vec<(Piece<'_>, usize)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        let rest = &text[at..];
        let (piece, length) = match letter {
            _ if letter.is_whitespace() => {
                at += letter.len_utf8();
                continue;
            }
            '"' | '\'' | '`' => (Piece::Text, quoted(rest, letter)),
            '#' => (Piece::Remark, rest.find('\n').unwrap_or(rest.len())),
            _ if letter.is_ascii_digit() => (Piece::Number, number(rest)),
            _ if letter.is_alphabetic() || letter == '_' => {
                let length = word(rest);
                (Piece::Word(&rest[..length]), length)
            }
            _ => (Piece::Sign(letter), letter.len_utf8()),
        };
        out.push((piece, at));
        at += length;
    }
    out
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == quote && !escaped;
        escaped = *letter == '\\' && !escaped && quote != '`';
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

fn word(rest: &str) -> usize {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '.')));
    end.unwrap_or(rest.len())
}

/// Digits with what belongs to them, the sign of an exponent too.
fn number(rest: &str) -> usize {
    let length = word(rest);
    let signed = rest[..length].ends_with(['e', 'E'])
        && !rest.starts_with("0x")
        && rest[length..].starts_with(['+', '-']);
    if signed {
        length + 1 + word(&rest[length + 1..])
    } else {
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_where_the_pieces_are_the_same() {
        for (written, canonical, wanted) in [
            ("a+b", "a + b", Some("a + b")),
            ("a\n  and  b", "a and b", Some("a\n  and b")),
            (
                "sum(\n  rate(x{a='#'}[90m])\n)\n>1e3\n",
                "sum(rate(x{a=\"#\"}[1h30m])) > 1000",
                Some("sum(\n  rate(x{a=\"#\"}[1h30m])\n)\n> 1000"),
            ),
            // Put into another order.
            ("sum(x)\nby (y)", "sum by (y) (x)", None),
            ("\n a\n\n  or b", "a or b", Some("a\n  or b")),
        ] {
            assert_eq!(keep_lines(written, canonical).as_deref(), wanted);
        }
    }

    #[test]
    fn a_remark_is_not_a_sign_in_quotes() {
        assert!(has_remark("a # b"));
        assert!(!has_remark("a{b=\"\\\"#\", c='#', d=`\\`}"));
    }
}
