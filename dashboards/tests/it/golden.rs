//! What the reader gets, word for word. `UPDATE_GOLDEN=1` rewrites the files.

use std::path::Path;

use dashboards::{mail, page};

use crate::{mails, states};

fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    // The addresses of style and script change with every edit of them.
    let text = without_hashes(text);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("the folder can be written");
    }
    let golden = std::fs::read_to_string(&path)
        .unwrap_or_else(|err| panic!("{}: {err}; run with UPDATE_GOLDEN=1", path.display()));
    for (number, (is, was)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(is, was, "{name}:{}", number + 1);
    }
    assert_eq!(text.len(), golden.len(), "{name}: one is longer");
}

fn without_hashes(text: &str) -> String {
    let mut parts = text.split("/assets/");
    let mut out: String = parts.next().unwrap_or_default().into();
    for part in parts {
        out.push_str("/assets/HASH");
        out.push_str(part.get(16..).unwrap_or_default());
    }
    out
}

#[test]
fn pages_are_as_they_were() {
    for (name, now) in states::all()
        .into_iter()
        .filter(|(name, _)| !["many", "typical"].contains(name))
    {
        check(&format!("page-{name}.html"), &page::render(&now).unwrap());
    }
}

#[test]
fn mails_are_as_they_were() {
    for (name, mail) in mails::all().into_iter().filter(|(name, _)| *name != "many") {
        let rendered = mail::render(&mail).unwrap();
        check(
            &format!("mail-{name}.txt"),
            &format!("Subject: {}\n\n{}", rendered.subject, rendered.text),
        );
        check(&format!("mail-{name}.html"), &rendered.html);
    }
    check("mail-plain.txt", &mail::plain(&mails::group()).text);
}
