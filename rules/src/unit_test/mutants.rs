//! Mutants of the shipped rules and their tests: promtool and we must agree on
//! the verdict of each.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::random::Dice;
use super::{file, run};
use crate::{Source, pack};

const MUTANTS: usize = 200;
const SEED: u64 = 0x5eed_0004;
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pack");

/// Where a mutation is made, by what the line begins with, and in which file.
const TARGETS: [(&str, bool); 12] = [
    ("values:", false),
    ("eval_time:", false),
    ("alertname:", false),
    ("exp_labels:", false),
    ("description:", false),
    ("series:", false),
    ("summary:", false),
    ("expr:", true),
    ("for:", true),
    ("labels:", true),
    ("summary:", true),
    ("impact:", true),
];

struct Mutant {
    what: String,
    rules: Source,
    test: Source,
}

fn source(name: &str, text: String) -> Source {
    Source {
        name: name.into(),
        text,
    }
}

/// One test of a file alone, so that a mutant costs little; none where it leans
/// on another or plays for days.
fn alone(name: &str, text: &str, dice: &mut Dice) -> Option<String> {
    let (head, tests) = text.split_once("\ntests:\n")?;
    let tests: Vec<&str> = tests.split("\n  - ").collect();
    let one = tests[dice.at(tests.len())].trim_start_matches("  - ");
    let cut = format!("{head}\ntests:\n  - {one}\n");
    let read = file::read(&source(name, cut.clone())).ok()?;
    let short = |test: &file::Test| test.series.iter().all(|(_, values)| values.len() < 500);
    read.tests.iter().all(short).then_some(cut)
}

/// The lines of the rules that a test asks about.
fn asked(rules: &str, test: &str) -> Vec<usize> {
    let mut wanted = false;
    let mut out = Vec::new();
    for (at, line) in rules.lines().enumerate() {
        if let Some(name) = line.trim_start().strip_prefix("- alert: ") {
            wanted = test.contains(&format!("alertname: {name}\n"));
        }
        if wanted {
            out.push(at);
        }
    }
    out
}

/// Changes one line of `among` that begins with `word`.
fn mutate(text: &str, among: &[usize], word: &str, dice: &mut Dice) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let fits: Vec<usize> = among
        .iter()
        .copied()
        .filter(|at| {
            lines[*at]
                .trim_start()
                .trim_start_matches("- ")
                .starts_with(word)
        })
        .collect();
    let at = *fits.get(dice.at(fits.len().max(1)))?;
    let (head, value) = lines[at].split_once(':')?;
    let mut changed = match word {
        // The sample is missing: the series is called otherwise.
        "series:" => format!("{head}:{}", value.replacen('{', "_gone{", 1)),
        "alertname:" => format!("{head}: Another"),
        "summary:" | "description:" | "impact:" => format!("{head}:{}", letter(value, dice)?),
        "exp_labels:" | "labels:" => format!("{head}:{}", label(value, dice)?),
        "expr:" => format!("{head}:{}", operator(value, dice)?),
        _ => format!("{head}:{}", number(value, dice)?),
    };
    changed.push('\n');
    let mut out = String::new();
    for (line, text) in lines.iter().enumerate() {
        if line == at {
            out.push_str(&changed);
        } else {
            let _ = writeln!(out, "{text}");
        }
    }
    (out.trim_end() != text.trim_end()).then_some(out)
}

/// Another number in the place of one.
fn number(value: &str, dice: &mut Dice) -> Option<String> {
    let starts: Vec<usize> = value
        .char_indices()
        .filter(|(at, letter)| {
            let before = value[..*at].chars().next_back().unwrap_or(' ');
            letter.is_ascii_digit() && !before.is_alphanumeric() && !"._".contains(before)
        })
        .map(|(at, _)| at)
        .collect();
    let from = *starts.get(dice.at(starts.len().max(1)))?;
    let length = value[from..].bytes().take_while(u8::is_ascii_digit).count();
    let old: u64 = value[from..from + length].parse().ok()?;
    let new = [old + 1, old.saturating_sub(1), old * 2, old / 2][dice.at(4)];
    Some(format!(
        "{}{new}{}",
        &value[..from],
        &value[from + length..]
    ))
}

fn operator(value: &str, dice: &mut Dice) -> Option<String> {
    let (old, new) = [
        (" > ", " < "),
        (" > ", " >= "),
        (" < ", " <= "),
        (" == ", " != "),
        ("", ""),
    ][dice.at(5)];
    if !old.is_empty() && value.contains(old) {
        return Some(value.replacen(old, new, 1));
    }
    number(value, dice)
}

/// Another value for a label, or one label less.
fn label(value: &str, dice: &mut Dice) -> Option<String> {
    let inner = value.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut parts: Vec<String> = inner.split(", ").map(str::to_owned).collect();
    let at = dice.at(parts.len());
    if dice.at(2) == 0 {
        parts.remove(at);
    } else {
        parts[at].push('x');
    }
    Some(format!(" {{{}}}", parts.join(", ")))
}

/// One letter of a text is another.
fn letter(value: &str, dice: &mut Dice) -> Option<String> {
    let spots: Vec<usize> = value.match_indices(" is ").map(|(at, _)| at).collect();
    let at = *spots.get(dice.at(spots.len().max(1)))?;
    Some(format!("{} iz {}", &value[..at], &value[at + 4..]))
}

/// Mutants, the same for the same seed, each of another kind than the one before.
fn mutants() -> Vec<Mutant> {
    let mut dice = Dice(SEED);
    let tests: Vec<(String, String)> = pack::test_files()
        .into_iter()
        .map(|name| {
            let text = std::fs::read_to_string(Path::new(FOLDER).join(&name)).unwrap();
            (name, text)
        })
        .collect();
    let mut out = Vec::new();
    while out.len() < MUTANTS {
        let (word, in_rules) = TARGETS[out.len() % TARGETS.len()];
        let (name, text) = &tests[dice.at(tests.len())];
        let Some(test) = alone(name, text, &mut dice) else {
            continue;
        };
        let rules = text.split_once("rule_files: [").unwrap().1;
        let rules = rules.split(']').next().unwrap();
        // A test that reads two files of rules would need both beside it.
        let Some((_, body)) = pack::FILES.iter().find(|(name, _)| *name == rules) else {
            continue;
        };
        let (text, among) = if in_rules {
            (*body, asked(body, &test))
        } else {
            (&*test, (0..test.lines().count()).collect())
        };
        let changed = mutate(text, &among, word, &mut dice);
        let Some(changed) = changed else {
            continue;
        };
        let (body, test) = if in_rules {
            (changed, test)
        } else {
            ((*body).to_owned(), changed)
        };
        out.push(Mutant {
            what: format!("{word} of {name}"),
            rules: source(rules, body),
            test: source("t.yml", test),
        });
    }
    out
}

/// For each test file of these folders whether promtool passes it.
fn promtools(root: &Path, folders: std::ops::Range<usize>) -> Vec<bool> {
    let output = Command::new("promtool")
        .args(["test", "rules"])
        .args(folders.clone().map(|at| format!("{at}/t.yml")))
        .current_dir(root)
        .output()
        .expect("promtool is missing: apt-get install -y prometheus");
    let told = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<bool> = told
        .split("Unit Testing:")
        .skip(1)
        .map(|part| part.contains("SUCCESS"))
        .collect();
    assert_eq!(verdicts.len(), folders.len(), "{told}");
    verdicts
}

#[test]
fn promtool_agrees_on_the_verdict_of_every_mutant() {
    let folder = tempfile::tempdir().unwrap();
    let all = mutants();
    for (at, mutant) in all.iter().enumerate() {
        let place = folder.path().join(at.to_string());
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join(&mutant.rules.name), &mutant.rules.text).unwrap();
        std::fs::write(place.join("t.yml"), &mutant.test.text).unwrap();
    }
    let theirs: Vec<bool> = std::thread::scope(|threads| {
        let half = MUTANTS / 2;
        let root = folder.path();
        let other = threads.spawn(move || promtools(root, half..MUTANTS));
        let mut verdicts = promtools(root, 0..half);
        verdicts.extend(other.join().unwrap());
        verdicts
    });
    let mut differ = Vec::new();
    let mut passed = 0;
    for (at, (mutant, theirs)) in all.iter().zip(theirs).enumerate() {
        let report = run(&mutant.test, |_| Ok(vec![mutant.rules.clone()]));
        let told = format!("{report:#?}");
        let ours = report.is_ok_and(|report| report.failures.is_empty());
        passed += usize::from(ours);
        if ours != theirs {
            differ.push(format!("{at} ({}): promtool {theirs}, {told}", mutant.what));
        }
    }
    assert!(differ.is_empty(), "seed {SEED:#x}: {}", differ.join("\n"));
    // Some changes change nothing; most must be noticed.
    assert!((10..MUTANTS / 2).contains(&passed), "{passed} mutants pass");
}
