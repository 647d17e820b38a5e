//! Text that others wrote: labels, annotations, error messages, names.
//!
//! It is made fit to be read: control characters do nothing, marks that turn or
//! hide text are spelled out, and what is too long is cut with an ellipsis.
//! Escaping for HTML is not done here: the templates do it.

/// Lines that a block keeps.
const BLOCK_LINES: usize = 24;

/// One line of at most `max` characters.
#[must_use]
pub fn line(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut left = max;
    let mut space = false;
    for letter in text.chars() {
        if letter.is_whitespace() {
            space = !out.is_empty();
            continue;
        }
        if left <= usize::from(space) {
            return cut(out, max);
        }
        if std::mem::take(&mut space) {
            out.push(' ');
            left -= 1;
        }
        left = left.saturating_sub(push(&mut out, letter));
    }
    out
}

/// Several lines of at most `max` characters together; line breaks stay.
#[must_use]
pub fn block(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut left = max;
    for (number, part) in text.trim().lines().enumerate() {
        if number == BLOCK_LINES || left == 0 {
            out.push_str("\n…");
            break;
        }
        if number > 0 {
            out.push('\n');
        }
        let part = line(part, left);
        left = left.saturating_sub(part.chars().count() + 1);
        out.push_str(&part);
    }
    out
}

/// A link that a reader may follow: `http` or `https`, else nothing.
#[must_use]
pub fn link(url: &str) -> String {
    let url = url.trim();
    let known = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let clean = !url
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || hidden(c));
    if known && clean && url.len() <= 1000 {
        url.into()
    } else {
        String::new()
    }
}

fn cut(mut out: String, max: usize) -> String {
    let keep = max.saturating_sub(1);
    if let Some((end, _)) = out.char_indices().nth(keep) {
        out.truncate(end);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

fn push(out: &mut String, letter: char) -> usize {
    if hidden(letter) {
        let spelled = format!("<U+{:04X}>", u32::from(letter));
        out.push_str(&spelled);
        return spelled.len();
    }
    out.push(if letter.is_control() {
        '\u{fffd}'
    } else {
        letter
    });
    1
}

/// Characters that are not seen and change what is seen. The joiners (U+200C,
/// U+200D) are left alone: Persian and many emoji need them.
fn hidden(letter: char) -> bool {
    matches!(letter,
        '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_shows_what_hides() {
        for (text, read) in [
            (
                "  api\r\nBcc: all@example.org\t",
                "api Bcc: all@example.org",
            ),
            ("a\u{202e}b", "a<U+202E>b"),
            ("a\u{1b}[31mb\u{0}", "a\u{fffd}[31mb\u{fffd}"),
            ("a\u{2028}b", "a b"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("", ""),
        ] {
            assert_eq!(line(text, 100), read);
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(line("ünïcödé", 7), "ünïcödé");
        assert_eq!(line("ünïcödé", 6), "ünïcö…");
        assert_eq!(line("a b c", 4), "a b…");
        assert_eq!(line(&"x".repeat(10_240), 200).chars().count(), 200);
        assert!(line(&"\u{202e}".repeat(10_240), 200).chars().count() <= 200);
    }

    #[test]
    fn a_block_keeps_its_lines_but_not_all_of_them() {
        assert_eq!(block("one\n  two\n\nthree\n", 100), "one\ntwo\n\nthree");
        assert_eq!(
            block(&"x\n".repeat(100), 1000).lines().count(),
            BLOCK_LINES + 1
        );
        assert!(block(&"word ".repeat(10_000), 500).chars().count() <= 502);
    }

    #[test]
    fn only_web_links_are_links() {
        assert_eq!(link(" https://example.org/a "), "https://example.org/a");
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//example.org",
            "http",
            "https://a b",
            "https://a\u{202e}b",
        ] {
            assert_eq!(link(bad), "", "{bad}");
        }
    }
}
