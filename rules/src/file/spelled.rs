//! How a scalar of a YAML file is spelled: which character of the file each
//! character of its text is, and where the whole of it stands.
//!
//! The tree of a file has the text and its first place only. That is not enough
//! to point into an expression of several lines, or to write another in its place.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle};
use settings::Place;

/// The style of a scalar, as far as it matters to who writes into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// `'...'`
    Single,
    /// `"..."`
    Double,
    /// Behind `|` or `>`, indented by so many columns.
    Block(usize),
}

/// A scalar as the file spells it. Lines stay lines, also where YAML folds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spelled {
    /// The text, without indentation, quotes and escapes.
    pub(crate) text: String,
    /// Line and column of each byte of the text, and of its end.
    at: Vec<(usize, usize)>,
    /// What of the file it covers, quotes included; a block's lines without the
    /// indentation of the first and the end of the last.
    pub(crate) range: Range<usize>,
    pub(crate) style: Style,
}

impl Spelled {
    /// Line and column, counted from 1, of the byte `at` of the text.
    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        self.at[at.min(self.at.len() - 1)]
    }
}

/// The scalar that begins at a place of a file. Nothing for what is spelled with
/// escapes that no expression needs.
pub(crate) fn spelled(source: &str, place: &Place) -> Option<Spelled> {
    let Place::Line { line, column, .. } = place else {
        return None;
    };
    let mut parser = Parser::new_from_str(source);
    while let Some(Ok((event, span))) = parser.next_event() {
        let (start, end) = (span.start, span.end);
        if (start.line(), start.col() + 1) != (*line, *column) {
            continue;
        }
        let Event::Scalar(_, style, ..) = event else {
            continue;
        };
        let from = byte(source, start.index())?;
        let to = byte(source, end.index())?;
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block(start.col()),
        };
        let inside = source[from..to].trim_end();
        return read(inside, from..from + inside.len(), style, (*line, *column));
    }
    None
}

fn byte(text: &str, letters: usize) -> Option<usize> {
    let mut starts = text.char_indices().map(|(at, _)| at);
    starts.nth(letters).or(Some(text.len()))
}

fn read(inside: &str, range: Range<usize>, style: Style, start: (usize, usize)) -> Option<Spelled> {
    let (mut line, mut column) = start;
    let mut text = String::new();
    let mut at = Vec::new();
    let (body, quote) = match style {
        Style::Single => (inside.get(1..inside.len() - 1)?, Some('\'')),
        Style::Double => (inside.get(1..inside.len() - 1)?, Some('"')),
        Style::Plain | Style::Block(_) => (inside, None),
    };
    column += usize::from(quote.is_some());
    let mut letters = body.chars().peekable();
    while let Some(letter) = letters.next() {
        let here = (line, column);
        column += 1;
        let mut said = letter;
        if letter == '\n' {
            (line, column) = (line + 1, 1);
            let indent = match style {
                Style::Block(columns) => columns,
                _ => usize::MAX,
            };
            while column <= indent && letters.next_if(|next| matches!(next, ' ' | '\t')).is_some() {
                column += 1;
            }
        } else if quote == Some('\'') && letter == '\'' {
            letters.next();
            column += 1;
        } else if quote == Some('"') && letter == '\\' {
            said = match letters.next()? {
                'n' => '\n',
                't' => '\t',
                same @ ('"' | '\\' | '/') => same,
                _ => return None,
            };
            column += 1;
        }
        text.push(said);
        at.resize(text.len(), here);
    }
    at.push((line, column));
    Some(Spelled {
        text,
        at,
        range,
        style,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "a: up == 0   # x
b: 'é b''c'
c: |  # remark
   foo
     bar

   baz

# remark
d: >-
    aa
    bb
e: {f: \"a\\\"b\\n\"}
g: a
    b
";

    fn at(line: usize, column: usize) -> Spelled {
        let place = Place::Line {
            file: "x.yml".into(),
            line,
            column,
        };
        spelled(FILE, &place).unwrap()
    }

    #[test]
    fn each_style_is_read_with_its_places() {
        for (line, column, text, covers, style, last) in [
            (1, 4, "up == 0", "up == 0", Style::Plain, (1, 10)),
            (2, 4, "é b'c", "'é b''c'", Style::Single, (2, 10)),
            (
                4,
                4,
                "foo\n  bar\n\nbaz",
                "foo\n     bar\n\n   baz",
                Style::Block(3),
                (7, 6),
            ),
            (11, 5, "aa\nbb", "aa\n    bb", Style::Block(4), (12, 6)),
            (13, 8, "a\"b\n", "\"a\\\"b\\n\"", Style::Double, (13, 13)),
            (14, 4, "a\nb", "a\n    b", Style::Plain, (15, 5)),
        ] {
            let found = at(line, column);
            assert_eq!(found.text, text);
            assert_eq!(&FILE[found.range.clone()], covers);
            assert_eq!(found.style, style);
            assert_eq!(found.place(found.text.len() - 1), last, "{text}");
            assert_eq!(found.place(0).0, line);
        }
    }
}
