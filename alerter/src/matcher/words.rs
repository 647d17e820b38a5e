//! Expressions that mean a few texts and nothing else, such as `a|b|host[12]`: most
//! of those that people and their tools write.
//!
//! Comparing texts costs a fraction of what a compiled expression takes in memory.

use regex_syntax::hir::literal::Extractor;

/// Texts beyond which an expression is quicker.
const WORDS: usize = 1_000;

/// The longest text in bytes.
const LENGTH: usize = 1_024;

/// All texts that the whole expression matches, in order, if these are few.
pub(super) fn of(pattern: &str) -> Option<Box<[Box<str>]>> {
    let expression = regex_syntax::parse(pattern).ok()?;
    // An anchor or a boundary counts as an empty text here.
    if !expression.properties().look_set().is_empty() {
        return None;
    }
    let mut extractor = Extractor::new();
    let found = extractor.limit_total(WORDS).limit_literal_len(LENGTH);
    let found = found.extract(&expression);
    if !found.is_exact() {
        return None;
    }
    let texts = found.literals()?.iter();
    let texts = texts.map(|it| std::str::from_utf8(it.as_bytes()).ok().map(Into::into));
    let mut words: Vec<Box<str>> = texts.collect::<Option<_>>()?;
    words.sort_unstable();
    words.dedup();
    (!words.is_empty()).then(|| words.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_a_few_texts_is_found_and_means_what_the_expression_means() {
        let few = [
            "a",
            "",
            "a|b|ab",
            "a|",
            "host[12]\\.example\\.org",
            "(?:a|b)(c|d)?",
            "x{3}",
            "(?i)ab",
            "é|ü",
            "foo1|foo2|foobar",
            "a(|b)c",
        ];
        let many = [
            "a.*",
            ".+",
            "[a-z]+",
            "^a$",
            "a\\b",
            "a*",
            ".",
            "\\d{3}",
            "[^a]",
            "a{1,40}|a+",
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
        ];
        for pattern in few {
            let words = of(pattern).unwrap_or_else(|| panic!("{pattern}"));
            let whole = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
            for text in texts.into_iter().chain(words.iter().map(|it| &**it)) {
                let ours = words.binary_search_by(|it| (**it).cmp(text)).is_ok();
                assert_eq!(ours, whole.is_match(text), "{pattern} {text:?}");
            }
        }
        for pattern in many {
            assert_eq!(of(pattern), None, "{pattern}");
        }
        let long: Vec<String> = (0..400).map(|at| format!("host{at}")).collect();
        assert_eq!(of(&long.join("|")).unwrap().len(), 400);
        let many: Vec<String> = (0..4_000).map(|at| format!("host{at}")).collect();
        assert_eq!(of(&many.join("|")), None);
        assert_eq!(of("a)|(b"), None, "what stands alone is not sound");
    }
}
