use std::collections::BTreeSet;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> alert::Set {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// What only a person can know, and what the text explains.
const PERSONS: [&str; 14] = [
    "FILE",
    "FOLDER",
    "GLOB",
    "IMAGE_TAG",
    "KEY",
    "MAILHOST",
    "NETWORK",
    "NEWDISK",
    "PID",
    "PORT",
    "PREVIOUS",
    "SERVER",
    "TABLE",
    "TIME",
];

/// Words in capitals that belong to the commands.
const WORDS: [&str; 9] = [
    "AAAA",
    "CAA",
    "ERROR",
    "FSTYPE",
    "ON_ERROR_STOP",
    "OPTIONS",
    "SOURCE",
    "TARGET",
    "USR1",
];

/// The commands of a runbook: fenced blocks, and what stands between backticks.
fn commands(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, part) in text.split("```").enumerate() {
        if at % 2 == 1 {
            out.extend(part.lines().skip(1).map(str::to_owned));
        } else {
            let spans = part.split('`').skip(1).step_by(2);
            out.extend(spans.filter(|span| span.contains(' ')).map(str::to_owned));
        }
    }
    out
}

fn capitals(command: &str) -> impl Iterator<Item = &str> {
    command
        .split(|letter: char| !part_of_word(letter))
        .filter(|word| {
            word.len() >= 3
                && word.starts_with(|first: char| first.is_ascii_uppercase())
                && !word.contains(|letter: char| letter.is_ascii_lowercase())
        })
}

/// A label of every kind, as alerts carry them.
fn everything() -> alert::Set {
    labels(&[
        ("datname", "shop"),
        ("heartbeat", "nightly"),
        ("instance", "https://shop.example/health"),
        ("job_name", "db"),
        ("mountpoint", "/var"),
        ("name", "shop-api-1"),
        ("peer", "vps2"),
        ("project", "shop"),
        ("queue_name", "mail"),
        ("service", "api"),
        ("stopped", "shop-web-1"),
        ("unit", "nginx.service"),
        ("volume", "shop_data"),
    ])
}

#[test]
fn every_blank_of_every_shipped_command_can_be_filled() {
    let (labels, facts) = (everything(), Facts::example());
    let mut used = BTreeSet::new();
    for (name, text) in rules::RUNBOOKS {
        for command in commands(text) {
            let filled = fill(&command, &labels, &facts);
            for word in capitals(&filled) {
                let known = PERSONS.contains(&word) || WORDS.contains(&word);
                assert!(known, "{name}: nothing fills {word} in {filled}");
                used.insert(word.to_owned());
            }
            used.extend(capitals(&command).map(str::to_owned));
        }
        for person in &PERSONS {
            let spoken = text.split("```").step_by(2).any(|prose| {
                prose
                    .split('`')
                    .step_by(2)
                    .flat_map(capitals)
                    .any(|word| word == *person)
            });
            let needed = commands(text)
                .iter()
                .any(|command| capitals(command).any(|word| word == *person));
            assert!(!needed || spoken, "{name} does not say what {person} is");
        }
    }
    for (blank, _) in &BLANKS {
        assert!(used.contains(*blank), "no command uses {blank}");
    }
}

#[test]
fn blanks_are_filled_with_what_a_shell_takes_as_one_word() {
    let named = |name: &str| labels(&[("name", name)]);
    let none = Facts::default();
    let step = "`docker logs NAME` FILENAME NAMES NAME_2 SERVICE é NAME";
    assert_eq!(
        fill(step, &named("shop-api-1"), &none),
        "`docker logs shop-api-1` FILENAME NAMES NAME_2 SERVICE é shop-api-1"
    );
    for hostile in ["$(reboot)", "a b", "a;b", "-f", "`x`", "", "é"] {
        assert_eq!(fill(step, &named(hostile), &none), step, "{hostile}");
    }
}

#[test]
fn a_probe_of_a_unit_names_it_and_other_targets_are_no_units() {
    let named = |target: &str| fill("UNIT", &labels(&[("instance", target)]), &Facts::default());
    assert_eq!(named("backup.timer"), "backup.timer");
    assert_eq!(named("https://shop.example/health"), "UNIT");
}

#[test]
fn what_the_alert_says_goes_before_what_the_host_says() {
    let facts = Facts::example();
    let text = "POSTGRES DBUSER DATABASE QUEUE PROJECT SITE PROJECT_DIR";
    assert_eq!(
        fill(text, &alert::Set::new(), &facts),
        "shop-db-1 postgres postgres celery shop SITE /srv/shop"
    );
    assert_eq!(
        fill(text, &everything(), &facts),
        "shop-db-1 postgres shop mail shop shop.example /srv/shop"
    );
    assert_eq!(fill(text, &alert::Set::new(), &Facts::default()), text);
}
