//! Patterns for files, as Go's `filepath.Glob` has them: in each part of a path `*`,
//! `?` and `[a-z]`, and `\` before one of these.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The files behind a pattern, sorted. A path without anything special is itself, whether
/// it is there or not.
pub fn files(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = listed(pattern)?;
    if found != [pattern] {
        found.retain(|path| is_file(path));
    }
    Ok(found)
}

/// Whether what fits a pattern is a file. Of what waits for a writer, and of devices, who
/// reads it says what is wrong.
pub(super) fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| !about.is_dir())
}

/// As [`files`], with folders among them, and without a look at any.
pub fn listed(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    if !pattern.components().any(is_special) || pattern.is_file() {
        return Ok(vec![pattern.to_owned()]);
    }
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        found = match part {
            Component::Normal(name) if is_special(part) => {
                let name = letters(name);
                let mut next = Vec::new();
                for folder in found {
                    next.extend(within(&folder, &name)?);
                }
                next
            }
            part => found.into_iter().map(|path| path.join(part)).collect(),
        };
    }
    found.sort();
    Ok(found)
}

/// What is wrong with a pattern of files that somebody lists: current Prometheus takes
/// stars in the last part of a path only.
pub(crate) fn fault(pattern: &Path) -> Option<&'static str> {
    let starred = |path: &Path| path.to_string_lossy().contains('*');
    if pattern.parent().is_some_and(starred) {
        return Some("a * can stand only in the last part of a path");
    }
    let special = |part: &Component<'_>| is_special(*part);
    let sound = |part: Component<'_>| is_sound(&letters(part.as_os_str()));
    let mut parts = pattern.components().filter(special);
    (!parts.all(sound)).then_some("a [ in the path has no ] that ends it")
}

fn letters(name: &OsStr) -> Vec<char> {
    name.to_string_lossy().chars().collect()
}

fn is_special(part: Component<'_>) -> bool {
    let Component::Normal(name) = part else {
        return false;
    };
    name.to_string_lossy().contains(['*', '?', '[', '\\'])
}

/// The paths in a folder whose names fit.
fn within(folder: &Path, name: &[char]) -> io::Result<Vec<PathBuf>> {
    let here = Path::new(".");
    let named = if folder.as_os_str().is_empty() {
        here
    } else {
        folder
    };
    let entries = match std::fs::read_dir(named) {
        Ok(entries) => entries,
        Err(err) => {
            return match err.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Vec::new()),
                _ => Err(err),
            };
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        let there = entry?.file_name();
        if matches(name, &letters(&there)) {
            found.push(folder.join(there));
        }
    }
    Ok(found)
}

/// One thing that a name has to have.
enum Want<'a> {
    Star,
    Any,
    Letter(char),
    /// One of these letters, or none of them; `-` stands between the ends of a range.
    Class(&'a [char], bool),
}

/// The first thing of a pattern, and what is behind it. A `[` that nothing ends is a letter.
fn first(pattern: &[char]) -> Option<(Want<'_>, &[char])> {
    let (first, rest) = pattern.split_first()?;
    Some(match (first, rest) {
        ('*', rest) => (Want::Star, rest),
        ('?', rest) => (Want::Any, rest),
        ('\\', [letter, rest @ ..]) => (Want::Letter(*letter), rest),
        ('[', rest) => match class(rest) {
            Some(found) => found,
            None => (Want::Letter('['), rest),
        },
        (letter, rest) => (Want::Letter(*letter), rest),
    })
}

/// What stands behind a `[`.
fn class(rest: &[char]) -> Option<(Want<'_>, &[char])> {
    let (not, rest) = match rest {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut end = 0;
    while let Some(letter) = rest.get(end) {
        match letter {
            ']' if end > 0 => return Some((Want::Class(&rest[..end], not), &rest[end + 1..])),
            '\\' => end += 2,
            _ => end += 1,
        }
    }
    None
}

fn is_sound(mut pattern: &[char]) -> bool {
    while let Some((want, rest)) = first(pattern) {
        if matches!(want, Want::Letter('[')) && pattern[0] == '[' {
            return false;
        }
        pattern = rest;
    }
    true
}

fn is_in(class: &[char], letter: char) -> bool {
    let one = |at: usize| match class.get(at) {
        Some('\\') => (class.get(at + 1).copied(), at + 2),
        letter => (letter.copied(), at + 1),
    };
    let mut at = 0;
    while let (Some(low), behind) = one(at) {
        let (high, behind) = match class.get(behind) {
            Some('-') if behind + 1 < class.len() => one(behind + 1),
            _ => (Some(low), behind),
        };
        if high.is_some_and(|high| (low..=high).contains(&letter)) {
            return true;
        }
        at = behind;
    }
    false
}

/// Whether a name fits a pattern. Remembers only the last star, so it takes no
/// more than the product of both lengths.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    let mut star: Option<(&[char], &[char])> = None;
    loop {
        let fits = match (first(pattern), name.split_first()) {
            (Some((Want::Star, rest)), _) => {
                star = Some((rest, name));
                pattern = rest;
                continue;
            }
            (None, None) => return true,
            (None, Some(_)) | (Some(_), None) => None,
            (Some((want, rest)), Some((letter, behind))) => {
                let fits = match want {
                    Want::Letter(wanted) => wanted == *letter,
                    Want::Class(class, not) => is_in(class, *letter) != not,
                    Want::Star | Want::Any => true,
                };
                fits.then_some((rest, behind))
            }
        };
        if let Some(behind) = fits {
            (pattern, name) = behind;
            continue;
        }
        // The last star takes one letter more, if there is one.
        let Some((rest, [_, from @ ..])) = star else {
            return false;
        };
        star = Some((rest, from));
        (pattern, name) = (rest, from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_question_marks_and_classes_stand_for_parts_of_a_name() {
        for (pattern, name, fits) in [
            ("*.yml", "a.yml", true),
            ("*.yml", ".yml", true),
            ("*.yml", "a.yaml", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("**", "", true),
            ("", "", true),
            ("[ab].yml", "b.yml", true),
            ("[ab].yml", "c.yml", false),
            ("[a-c0-9]", "b", true),
            ("[a-c0-9]", "7", true),
            ("[a-c0-9]", "-", false),
            ("[^a-c]", "b", false),
            ("[^a-c]", "d", true),
            ("[^a-c]", "", false),
            (r"[\]\-]", "-", true),
            (r"[\]\-]", "]", true),
            (r"[\]\-]", "\\", false),
            (r"\*.yml", "*.yml", true),
            (r"\*.yml", "a.yml", false),
            ("*[0-9].yml", "a1b2.yml", true),
            ("*[0-9].yml", "a1b.yml", false),
            ("a[b", "a[b", true),
            ("?[ä-ü]", "öö", true),
        ] {
            assert_eq!(
                matches(&letters(pattern.as_ref()), &letters(name.as_ref())),
                fits,
                "{pattern} {name}"
            );
        }
        let long = "a".repeat(10_000);
        let (pattern, long) = (letters("*a*a*a*a*a*a*a*b".as_ref()), letters(long.as_ref()));
        assert!(!matches(&pattern, &long));
    }

    #[test]
    fn every_part_of_a_path_can_be_a_pattern() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "rules-1/a.yml",
            "rules-1/b.yml",
            "rules-2/a.yml",
            "a.yml",
            "brackets[1]/a.yml",
        ] {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), "").unwrap();
        }
        for (pattern, found) in [
            (
                "rules-?/a.yml",
                &["rules-1/a.yml", "rules-2/a.yml"] as &[&str],
            ),
            ("rules-[2-9]/*.yml", &["rules-2/a.yml"]),
            ("*/b.yml", &["rules-1/b.yml"]),
            ("rules-1/[ab].yml", &["rules-1/a.yml", "rules-1/b.yml"]),
            ("rules-?", &[]),
            ("*.yml/b.yml", &[]),
            ("none-?/a.yml", &[]),
            ("none/a.yml", &["none/a.yml"]),
            ("brackets[1]/a.yml", &["brackets[1]/a.yml"]),
        ] {
            let wanted: Vec<_> = found.iter().map(|name| path(name)).collect();
            assert_eq!(files(&path(pattern)).unwrap(), wanted, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_prometheus_refuses_is_at_fault() {
        for (pattern, sound) in [
            ("/etc/rules/*.yml", true),
            ("rules-?/[ab]*.yml", true),
            ("*.yml", true),
            ("/etc/*/a.yml", false),
            ("*/a.yml", false),
            ("rules/[ab.yml", false),
            ("ru[les/a.yml", false),
            (r"rules/\[ab.yml", true),
        ] {
            assert_eq!(fault(Path::new(pattern)).is_none(), sound, "{pattern}");
        }
    }
}
