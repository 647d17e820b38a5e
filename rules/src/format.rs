//! Rule files in canonical form: only the expressions are written anew; every
//! other letter of the file, remarks among them, stays as it is.
//!
//! An expression of several lines keeps its lines where its tokens are the same
//! ones. Whatever cannot be written anew without a doubt is left alone.

mod layout;
mod write;

use settings::{Fault, Kind, Node, Place};

use crate::file::spelled::{Style, spelled};
use crate::file::{self, Source};

/// A file in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// The whole file.
    pub text: String,
    /// The expressions that were written anew.
    pub changed: Vec<Place>,
    /// The expressions that were left as they are, and why.
    pub left: Vec<Fault>,
}

/// Writes a rule file in canonical form.
///
/// # Errors
/// All faults of the file, when it has any.
pub fn format(source: &Source) -> Result<Formatted, Vec<Fault>> {
    let groups = file::read(std::slice::from_ref(source))?;
    let mut out = Formatted {
        text: source.text.clone(),
        changed: Vec::new(),
        left: Vec::new(),
    };
    // From the end on, so that the places before stay what they are. Two rules
    // that share an expression by an alias share its place.
    let mut places: Vec<(&Place, &promql::Expr)> = groups
        .iter()
        .flat_map(|group| &group.rules)
        .map(|rule| (&rule.expr_place, &rule.expr))
        .collect();
    places.sort_by_key(|(place, _)| std::cmp::Reverse(at(place)));
    places.dedup_by_key(|(place, _)| at(place));
    for (place, expr) in places {
        match anew(&source.name, &out.text, place, expr) {
            Ok(text) if text == out.text => {}
            Ok(text) => {
                out.text = text;
                out.changed.push(place.clone());
            }
            Err(why) => out.left.push(Fault {
                place: place.clone(),
                key: String::new(),
                message: why.into(),
            }),
        }
    }
    out.changed.reverse();
    out.left.reverse();
    Ok(out)
}

fn at(place: &Place) -> (usize, usize) {
    match place {
        Place::Line { line, column, .. } => (*line, *column),
        Place::Environment(_) => (0, 0),
    }
}

/// The file with the expression at `place` in canonical form.
fn anew(
    name: &str,
    text: &str,
    place: &Place,
    expr: &promql::Expr,
) -> Result<String, &'static str> {
    let canonical = expr.to_string();
    let spelled = spelled(text, place).ok_or("it is spelled with escapes of YAML")?;
    if layout::has_remark(&spelled.text) {
        return Err("it holds a remark, which would be lost");
    }
    let kept = layout::keep_lines(&spelled.text, &canonical);
    let wanted = match (spelled.style, kept) {
        (Style::Single | Style::Double, _) => canonical.clone(),
        (_, Some(kept)) => kept,
        (Style::Block(_), None) => expr.pretty(),
        (Style::Plain, None) => canonical.clone(),
    };
    if wanted == spelled.text {
        return Ok(text.to_owned());
    }
    let written = write::replaced(text, &spelled, &wanted);
    // What was written is read again: it must say the same, and so must the rest.
    let before = settings::parse(name, text).map_err(|_| "the file cannot be read")?;
    let after = settings::parse(name, &written).map_err(|_| "YAML would not take it")?;
    if same(&before, &after, &canonical) {
        Ok(written)
    } else {
        Err("YAML would read it differently")
    }
}

/// Whether two trees say the same, where expressions are the same when they
/// print the same.
fn same(before: &Node, after: &Node, canonical: &str) -> bool {
    match (&before.kind, &after.kind) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Scalar { text: one, .. }, Kind::Scalar { text: other, .. }) => {
            let print = |text: &str| promql::parse(text).is_ok_and(|e| e.to_string() == canonical);
            one == other || (print(one) && print(other))
        }
        (Kind::List(one), Kind::List(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| same(one, other, canonical))
        }
        (Kind::Map(one), Kind::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|((name, one), (renamed, other))| {
                        name.text == renamed.text && same(one, other, canonical)
                    })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
