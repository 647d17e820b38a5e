//! Lines of text that a terminal and every mail program can show.

/// The widest line.
pub(super) const WIDTH: usize = 78;

/// Folds every line at spaces to at most [`WIDTH`] characters, continued under
/// the text of its beginning. What has no spaces is left whole if it is a link
/// (a broken link is no link) and cut hard if not. Empty lines are never more
/// than one in a row.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
        } else {
            fold_line(line, &mut out);
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn fold_line(line: &str, out: &mut String) {
    if line.chars().count() <= WIDTH {
        out.push_str(line);
        out.push('\n');
        return;
    }
    let indent = indent(line);
    let mut width = 0;
    // Spaces inside stay as they are: they line columns up.
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if width > indent && width + length > WIDTH {
            width = break_line(out, indent);
        }
        if length > WIDTH - indent && !word.contains("://") {
            for letter in word.trim_end().chars() {
                if width == WIDTH {
                    width = break_line(out, indent);
                }
                out.push(letter);
                width += 1;
            }
            out.push(' ');
            width += 1;
        } else {
            out.push_str(word);
            width += word.chars().count();
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
}

fn break_line(out: &mut String, indent: usize) -> usize {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    indent
}

/// Where the text of a line begins: after ` 1  `, after `Next:   `, or where
/// its first word does.
fn indent(line: &str) -> usize {
    let start = line.chars().take_while(|c| *c == ' ').count();
    let name: usize = line[start..].chars().take_while(|c| *c != ' ').count();
    let gap = line
        .chars()
        .skip(start + name)
        .take_while(|c| *c == ' ')
        .count();
    let column = start + name + gap;
    if gap >= 2 && column <= 20 {
        column
    } else {
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_continue_under_their_text() {
        let long = format!(" 1  {}", "word ".repeat(40));
        let folded = fold(&long);
        let lines: Vec<_> = folded.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("    word"), "{folded}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn a_link_is_never_broken_and_all_else_is() {
        let link = format!("see https://example.org/{}", "x".repeat(100));
        assert_eq!(fold(&link).lines().nth(1).map(str::len), Some(120));
        let solid = "é".repeat(200);
        assert!(
            fold(&solid)
                .lines()
                .all(|line| line.chars().count() <= WIDTH)
        );
        assert_eq!(fold(&solid).lines().count(), 3);
    }

    #[test]
    fn short_lines_and_their_columns_are_left_alone() {
        assert_eq!(fold("a   b\n\n\n\nc\n\n"), "a   b\n\nc\n");
        assert_eq!(fold(""), "\n");
    }
}
