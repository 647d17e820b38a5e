//! Expressions that mean a few texts, some with holes, and nothing else: `a|b`,
//! `host[12].example.org`, `db-.*`. Nearly all that people and their tools write
//! are so.
//!
//! Comparing texts costs a fraction of what a compiled expression takes in memory.

use regex_syntax::hir::{Class, Dot, Hir, HirKind};

/// Texts beyond which an expression is compiled.
const WORDS: usize = 1_000;

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
        let texts: Vec<Vec<Piece>> = expand(&expression)?.into_iter().map(joined).collect();
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
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.len() + 40,
            Piece::One | Piece::Many => 16,
        };
        match self {
            Self::Whole(words) => words.iter().map(|word| word.len() + 40).sum(),
            Self::Holed(texts) => texts.iter().flatten().map(piece).sum(),
        }
    }
}

/// Each text that an expression stands for.
fn expand(expression: &Hir) -> Option<Vec<Vec<Piece>>> {
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
                Some(1) if min == 0 => {
                    let mut texts = expand(sub)?;
                    texts.push(Vec::new());
                    texts
                }
                Some(max) if min == max && max <= LETTERS => {
                    let sub = expand(sub)?;
                    (0..max).try_fold(vec![Vec::new()], |texts, _| product(&texts, &sub))?
                }
                _ => return None,
            }
        }
        HirKind::Capture(capture) => expand(&capture.sub)?,
        HirKind::Concat(parts) => parts.iter().try_fold(vec![Vec::new()], |texts, part| {
            product(&texts, &expand(part)?)
        })?,
        HirKind::Alternation(parts) => {
            let mut texts = Vec::new();
            for part in parts {
                texts.append(&mut expand(part)?);
                if texts.len() > WORDS {
                    return None;
                }
            }
            texts
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) => return None,
    };
    (1..=WORDS).contains(&texts.len()).then_some(texts)
}

/// Each of the first with each of the others behind it.
fn product(first: &[Vec<Piece>], then: &[Vec<Piece>]) -> Option<Vec<Vec<Piece>>> {
    let few = first.len() * then.len() <= WORDS;
    let both = first
        .iter()
        .flat_map(|a| then.iter().map(move |b| [&a[..], &b[..]].concat()));
    few.then(|| both.collect())
}

fn is_dot(expression: &Hir) -> bool {
    expression.kind() == Hir::dot(Dot::AnyCharExceptLF).kind()
}

/// Texts side by side become one.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (all.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => {
                *before = format!("{before}{text}").into();
            }
            (_, piece) => all.push(piece),
        }
    }
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
mod tests {
    use super::*;

    fn whole(pattern: &str) -> regex::Regex {
        regex::Regex::new(&format!("^(?:{pattern})$")).unwrap()
    }

    #[test]
    fn whatever_is_a_few_texts_is_found_and_means_what_the_expression_means() {
        let few = [
            "a",
            "",
            "a|b|ab",
            "a|",
            "host[12]\\.example\\.org",
            "host1.example.org|host3.example.org",
            "(?:a|b)(c|d)?",
            "x{3}",
            "(?i)ab",
            "é|ü",
            "foo1|foo2|foobar",
            "a(|b)c",
            ".",
            ".*",
            ".+",
            "a.*|.*b",
            ".*o.*r",
            "h.*e.*e.*g",
            "foo.+",
        ];
        let many = [
            "[a-z]+",
            "^a$",
            "a\\b",
            "a*",
            "\\d{3}",
            "[^a]",
            "a{1,40}|a+",
            "(a.*)*",
            "(?s).*",
            "a\\n",
        ];
        let texts = [
            "",
            "a",
            "b",
            "ab",
            "AB",
            "aB",
            "ac",
            "abc",
            "bd",
            "bcd",
            "xxx",
            "xx",
            "é",
            "ü",
            "foo1",
            "foo",
            "foobar",
            "host1.example.org",
            "host1xexample.org",
            "host3.example.org",
            "a\n",
            "\n",
            "a|b",
            "a\nb",
            "foo\nbar",
        ];
        for pattern in few {
            let means = Texts::of(pattern).unwrap_or_else(|| panic!("{pattern}"));
            let whole = whole(pattern);
            for text in texts {
                assert_eq!(means.has(text), whole.is_match(text), "{pattern} {text:?}");
            }
        }
        for pattern in many {
            assert_eq!(Texts::of(pattern), None, "{pattern}");
        }
        let hosts = |count: usize| -> String {
            let hosts: Vec<String> = (0..count).map(|at| format!("host{at}")).collect();
            hosts.join("|")
        };
        assert!(Texts::of(&hosts(400)).is_some_and(|it| it.has("host399")));
        assert_eq!(Texts::of(&hosts(4_000)), None);
        assert_eq!(Texts::of("(a|b){16}"), None);
        assert_eq!(Texts::of("a)|(b"), None, "what stands alone is not sound");
    }

    #[test]
    fn any_expression_that_is_taken_means_what_it_means_when_compiled() {
        const PARTS: [&str; 14] = [
            "a", "b", ".", ".*", ".+", "|", "(", ")", "?", "[ab]", "{2}", "ab", "\\.", "é",
        ];
        let mut seed = 7_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        let (mut taken, mut hits) = (0, 0);
        for _ in 0..3_000 {
            let pattern: String = (0..=next(7)).map(|_| PARTS[next(PARTS.len())]).collect();
            let Some(means) = Texts::of(&pattern) else {
                continue;
            };
            taken += 1;
            let whole = whole(&pattern);
            for _ in 0..12 {
                let letters = ['a', 'b', '.', 'é', '\n', 'a', 'b'];
                let text: String = (0..next(7)).map(|_| letters[next(letters.len())]).collect();
                let hit = whole.is_match(&text);
                assert_eq!(means.has(&text), hit, "{pattern} {text:?}");
                hits += usize::from(hit);
            }
        }
        assert!(taken > 500 && hits > 500, "{taken} {hits}");
    }
}
