//! What is wrong with a regular expression, in the words of Go's library:
//! clients know them, and show them.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{ErrorKind, Span};

/// Says what is wrong with a pattern as it stands, if anything is.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    let spelt = re2::rust_regex(pattern).map_err(|err| err.to_string())?;
    let Err(err) = Parser::new().parse(&spelt) else {
        return Ok(());
    };
    // In the words of who wrote it, where it is at fault in the same way as it was written.
    Err(match (Parser::new().parse(pattern), err.kind()) {
        (Err(own), kind) if own.kind() == kind => said(pattern, kind, own.span()),
        // Of these the whole is told.
        (_, kind @ (ErrorKind::GroupUnclosed | ErrorKind::GroupUnopened)) => {
            said(pattern, kind, err.span())
        }
        (_, kind) => said(&spelt, kind, err.span()),
    })
}

/// The same for an error of the engine.
pub(super) fn in_go(pattern: &str, err: &regex::Error) -> String {
    match (err, check(pattern)) {
        (_, Err(said)) => said,
        (regex::Error::CompiledTooBig(_), Ok(())) => {
            format!("error parsing regexp: expression too large: `{pattern}`")
        }
        (_, Ok(())) => format!("error parsing regexp: invalid character class range: `{pattern}`"),
    }
}

fn said(pattern: &str, kind: &ErrorKind, span: &Span) -> String {
    let at = pattern
        .get(span.start.offset..span.end.offset)
        .unwrap_or("");
    let rest = pattern.get(span.start.offset..).unwrap_or("");
    let (what, quoted) = match kind {
        ErrorKind::GroupUnclosed => ("missing closing )", pattern),
        ErrorKind::GroupUnopened => ("unexpected )", pattern),
        ErrorKind::ClassUnclosed => ("missing closing ]", rest),
        ErrorKind::ClassRangeInvalid | ErrorKind::ClassRangeLiteral => {
            ("invalid character class range", at)
        }
        ErrorKind::RepetitionMissing => ("missing argument to repetition operator", operator(rest)),
        ErrorKind::RepetitionCountInvalid
        | ErrorKind::RepetitionCountUnclosed
        | ErrorKind::RepetitionCountDecimalEmpty => ("invalid repeat count", at),
        ErrorKind::EscapeUnexpectedEof => ("trailing backslash at end of expression", ""),
        ErrorKind::EscapeUnrecognized | ErrorKind::UnsupportedBackreference => {
            ("invalid escape sequence", at)
        }
        ErrorKind::GroupNameDuplicate { .. } => ("duplicate capture group name", at),
        ErrorKind::GroupNameInvalid | ErrorKind::GroupNameEmpty => ("invalid named capture", at),
        ErrorKind::NestLimitExceeded(_) => ("expression nests too deeply", pattern),
        _ => ("invalid or unsupported Perl syntax", at),
    };
    format!("error parsing regexp: {what}: `{quoted}`")
}

/// The repetition that stands at the start.
fn operator(rest: &str) -> &str {
    let brace = rest.find('}').filter(|_| rest.starts_with('{'));
    let end = brace.map_or_else(
        || rest.chars().next().map_or(0, char::len_utf8),
        |at| at + 1,
    );
    match rest[end..].starts_with('?') {
        true => &rest[..=end],
        false => &rest[..end],
    }
}
