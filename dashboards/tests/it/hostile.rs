//! What others write is shown and does nothing.

use dashboards::{mail, page};

use crate::{mails, states, trouble};

/// The tags of a page. Attribute values hold no `<` or `>`: both are escaped.
fn tags(html: &str) -> Vec<&str> {
    let starts = html.match_indices('<').map(|(at, _)| &html[at + 1..]);
    starts
        .map(|rest| &rest[..rest.find('>').expect("a tag ends")])
        .collect()
}

/// Names of the attributes of a tag.
fn attributes(tag: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = tag.split_once(' ').map_or("", |(_, rest)| rest);
    while let Some(name) = rest
        .split([' ', '=', '/'])
        .next()
        .filter(|name| !name.is_empty())
    {
        names.push(name);
        rest = &rest[name.len()..];
        if let Some(value) = rest.strip_prefix("=\"") {
            rest = value.split_once('"').expect("a value ends").1;
        }
        rest = rest.trim_start_matches([' ', '/', '\n']);
    }
    names
}

#[test]
fn pages_hold_nothing_that_the_policy_forbids() {
    for (name, now) in states::all() {
        let html = page::render(&now).unwrap();
        for tag in tags(&html) {
            let kind = tag.split([' ', '>', '/', '\n']).next().unwrap();
            assert!(
                !["style", "iframe", "object", "embed", "base", "form"].contains(&kind),
                "{name}: {tag}"
            );
            assert!(
                kind != "script" || tag.contains("src=\"/assets/"),
                "{name}: {tag}"
            );
            assert!(
                kind != "img" || tag.contains("src=\"/assets/"),
                "{name}: {tag}"
            );
            for attribute in attributes(tag) {
                assert!(
                    !attribute.starts_with("on") && attribute != "style",
                    "{name}: {tag}"
                );
            }
            assert!(!tag.contains("javascript:"), "{name}: {tag}");
        }
        assert_eq!(html.matches("</script>").count(), 1, "{name}");
        assert!(
            html.contains("defer></script>"),
            "{name}: the script has a body"
        );
    }
}

#[test]
fn hostile_words_make_no_tags() {
    let (calm, attack) = (
        page::render(&trouble::sev1()).unwrap(),
        page::render(&trouble::hostile()).unwrap(),
    );
    let scripts = |html: &str| {
        tags(html)
            .iter()
            .filter(|tag| tag.starts_with("script") || tag.starts_with("img"))
            .count()
    };
    assert_eq!(scripts(&calm), scripts(&attack));
    let html = mail::render(&mails::hostile()).unwrap().html;
    assert_eq!(scripts(&html), 0);
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn hostile_words_are_cut_and_cannot_hide() {
    let attack = mail::render(&mails::hostile()).unwrap();
    for text in [
        page::render(&trouble::hostile()).unwrap(),
        attack.html,
        attack.text,
        attack.subject,
    ] {
        assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}') && !text.contains('\0'));
        assert!(
            !text.contains(&"x".repeat(1001)),
            "a value of 10 KB is not cut"
        );
    }
}

#[test]
fn templates_in_values_are_not_filled() {
    assert!(
        page::render(&trouble::hostile())
            .unwrap()
            .contains("{{host}}")
    );
}
