//! Expressions that mean a few texts, some with holes, and nothing else: `a|b`,
//! `host[12].example.org`, `db-.*`. Nearly all that people and their tools write
//! are so.
//!
//! Comparing texts costs a fraction of what a compiled expression takes in memory.

use regex_syntax::hir::{Class, Dot, Hir, HirKind};

/// Texts beyond which an expression is compiled.
const WORDS: usize = 1_000;

/// Bytes that all of them may take before: a repetition of repetitions is one text, of
/// as many pieces as anybody likes.
const BYTES: usize = 256 << 10;

/// Letters of a class, and repetitions, beyond which it is compiled.
const LETTERS: u32 = 16;

/// What an expression means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Texts {
    /// One of these, which stand in order.
    Whole(Box<[Box<str>]>),
    /// One of these.
    Holed(Box<[Box<[Piece]>]>),
}

/// A piece of a text with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Box<str>),
    /// Any letter but the end of a line.
    One,
    /// Any number of these.
    Many,
}

impl Texts {
    /// All texts that the whole expression matches, if these are few.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        let expression = regex_syntax::parse(pattern).ok()?;
        let texts = expand(&expression)?.texts;
        let texts: Vec<Vec<Piece>> = texts.into_iter().map(joined).collect();
        let whole = |pieces: &Vec<Piece>| match &pieces[..] {
            [] => Some("".into()),
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        };
        if let Some(mut words) = texts.iter().map(whole).collect::<Option<Vec<_>>>() {
            words.sort_unstable();
            words.dedup();
            return Some(Self::Whole(words.into()));
        }
        Some(Self::Holed(texts.into_iter().map(Into::into).collect()))
    }

    /// Whether it is one of these.
    pub(super) fn has(&self, text: &str) -> bool {
        match self {
            Self::Whole(words) => words.binary_search_by(|it| (**it).cmp(text)).is_ok(),
            Self::Holed(texts) => texts.iter().any(|pieces| fits(pieces, text)),
        }
    }

    /// What each begins with, if all begin with something.
    pub(super) fn begins(&self) -> Option<Vec<&str>> {
        let Self::Holed(texts) = self else {
            return None;
        };
        let firsts = texts.iter().map(|pieces| pieces.first());
        let begins = firsts.map(|first| match first {
            Some(Piece::Text(text)) => Some(&**text),
            _ => None,
        });
        begins.collect()
    }

    /// Bytes that they take, about.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Whole(words) => words.iter().map(|word| word.len() + 40).sum(),
            Self::Holed(texts) => texts.iter().flatten().map(Piece::weight).sum(),
        }
    }
}

impl Piece {
    /// Bytes that it takes, about.
    fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 40,
            Self::One | Self::Many => 16,
        }
    }
}

/// Texts in pieces; never more of them than is bearable.
struct Few {
    texts: Vec<Vec<Piece>>,
    bytes: usize,
}

impl Few {
    fn new(texts: Vec<Vec<Piece>>) -> Option<Self> {
        let bytes = texts.iter().flatten().map(Piece::weight).sum();
        bearable(texts.len(), bytes).then_some(Self { texts, bytes })
    }

    /// The text that has nothing in it.
    fn empty() -> Self {
        Self {
            texts: vec![Vec::new()],
            bytes: 0,
        }
    }

    /// Each of these with each of the others behind it.
    fn then(mut self, then: &Self) -> Option<Self> {
        let (first, second) = (self.texts.len(), then.texts.len());
        let bytes = self.bytes * second + then.bytes * first;
        if !bearable(first * second, bytes) {
            return None;
        }
        match &then.texts[..] {
            [one] if one.is_empty() => {}
            // Else a long row of pieces would be copied with each of them.
            [one] => {
                for text in &mut self.texts {
                    text.extend_from_slice(one);
                }
            }
            many => {
                let firsts = self.texts.iter();
                let both = firsts.flat_map(|a| many.iter().map(move |b| [&a[..], b].concat()));
                self.texts = both.collect();
            }
        }
        Some(Self { bytes, ..self })
    }

    /// These and the others.
    fn or(mut self, mut other: Self) -> Option<Self> {
        self.texts.append(&mut other.texts);
        self.bytes += other.bytes;
        bearable(self.texts.len(), self.bytes).then_some(self)
    }
}

fn bearable(texts: usize, bytes: usize) -> bool {
    (1..=WORDS).contains(&texts) && bytes <= BYTES
}

/// Each text that an expression stands for.
fn expand(expression: &Hir) -> Option<Few> {
    let texts = match expression.kind() {
        HirKind::Empty => vec![Vec::new()],
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            // What goes on over the end of a line is for those who know how.
            let sound = !text.contains('\n');
            vec![vec![sound.then(|| Piece::Text(text.into()))?]]
        }
        HirKind::Class(_) if is_dot(expression) => vec![vec![Piece::One]],
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = || class.iter().map(|it| (it.start(), it.end()));
            let count = ranges().map(|(first, last)| u32::from(last) - u32::from(first) + 1);
            if count.fold(0, u32::saturating_add) > LETTERS {
                return None;
            }
            let letters = ranges().flat_map(|(first, last)| first..=last);
            let texts = letters.map(|it| vec![Piece::Text(it.to_string().into())]);
            texts.collect()
        }
        HirKind::Repetition(repetition) => {
            let (sub, min, max) = (&repetition.sub, repetition.min, repetition.max);
            match max {
                None if min <= 1 && is_dot(sub) => {
                    let once = std::iter::repeat_n(Piece::One, min as usize);
                    vec![once.chain([Piece::Many]).collect()]
                }
                Some(1) if min == 0 => return expand(sub)?.or(Few::empty()),
                Some(max) if min == max && max <= LETTERS => {
                    let sub = expand(sub)?;
                    return (0..max).try_fold(Few::empty(), |texts, _| texts.then(&sub));
                }
                _ => return None,
            }
        }
        HirKind::Capture(capture) => return expand(&capture.sub),
        HirKind::Concat(parts) => {
            let mut parts = parts.iter();
            return parts.try_fold(Few::empty(), |texts, part| texts.then(&expand(part)?));
        }
        HirKind::Alternation(parts) => {
            let (first, others) = parts.split_first()?;
            let mut others = others.iter();
            return others.try_fold(expand(first)?, |texts, part| texts.or(expand(part)?));
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) => return None,
    };
    Few::new(texts)
}

fn is_dot(expression: &Hir) -> bool {
    expression.kind() == Hir::dot(Dot::AnyCharExceptLF).kind()
}

/// Texts side by side become one.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let (mut all, mut text) = (Vec::new(), String::new());
    let end = |text: &mut String| {
        let text = std::mem::take(text);
        (!text.is_empty()).then(|| Piece::Text(text.into()))
    };
    for piece in pieces {
        match piece {
            Piece::Text(more) => text += &more,
            hole => {
                all.extend(end(&mut text));
                all.push(hole);
            }
        }
    }
    all.extend(end(&mut text));
    all
}

/// Whether all of `text` is what the pieces say. Only the last [`Piece::Many`] is
/// ever tried again: what those before it leave is the most that can be left.
fn fits(pieces: &[Piece], text: &str) -> bool {
    let any = |text: &str| {
        let first = text.chars().next().filter(|it| *it != '\n')?;
        Some(first.len_utf8())
    };
    let (mut at, mut rest) = (0, text);
    let mut many = None;
    loop {
        let step = match pieces.get(at) {
            Some(Piece::Text(text)) => rest.starts_with(&**text).then_some(text.len()),
            Some(Piece::One) => any(rest),
            Some(Piece::Many) => {
                many = Some((at + 1, rest));
                Some(0)
            }
            None if rest.is_empty() => return true,
            None => None,
        };
        if let Some(length) = step {
            (at, rest) = (at + 1, &rest[length..]);
            continue;
        }
        let Some((after, from)) = many else {
            return false;
        };
        let Some(length) = any(from) else {
            return false;
        };
        (at, rest) = (after, &from[length..]);
        many = Some((after, rest));
    }
}

#[cfg(test)]
mod tests;
