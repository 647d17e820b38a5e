//! Which expressions are a few texts, and that these mean what they mean compiled.

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
fn one_text_of_ever_more_pieces_is_not_a_few_texts() {
    let nested = |depth: usize| format!("{}a{}", "(?:".repeat(depth), "{16})".repeat(depth));
    let repeated = "a".repeat(256);
    assert!(Texts::of(&nested(2)).is_some_and(|it| it.has(&repeated)));
    let row = format!("x{}y{}", ".".repeat(200), "[ab].".repeat(5));
    assert!(Texts::of(&row).is_some());
    for bomb in [
        nested(4),
        nested(7),
        format!("{}|b", nested(4)),
        format!("({})?c", nested(4)),
        ".".repeat(100_000),
        "(?:a|b.{16}{16}){9}".to_owned(),
        vec!["(?:a.){16}{16}"; 30].join("|"),
        format!("{}.*", "a".repeat(BYTES)),
    ] {
        assert_eq!(Texts::of(&bomb), None, "{}", &bomb[..bomb.len().min(60)]);
    }
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
