//! Files by pattern, as Go's `filepath.Glob` finds them: `*`, `?` and `[a-z]`
//! within one name of the path.

use std::path::{Component, Path, PathBuf};

/// The files that match, in order; none is no fault.
///
/// # Errors
/// The pattern is none.
pub(crate) fn files(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = match component {
            Component::Normal(name) => name.to_string_lossy(),
            other => {
                found.iter_mut().for_each(|path| path.push(other));
                continue;
            }
        };
        let letters: Vec<char> = name.chars().collect();
        fits(&letters, &[]).ok_or("syntax error in pattern")?;
        if !name.contains(['*', '?', '[', '\\']) {
            found.iter_mut().for_each(|path| path.push(&*name));
            continue;
        }
        found = found
            .iter()
            .flat_map(|folder| children(folder, &letters))
            .collect();
    }
    found.retain(|path| path.exists());
    found.sort();
    Ok(found)
}

fn children(folder: &Path, pattern: &[char]) -> Vec<PathBuf> {
    let listed = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(entries) = std::fs::read_dir(listed) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let fitting = names.filter(|name| {
        let letters: Vec<char> = name.to_string_lossy().chars().collect();
        fits(pattern, &letters) == Some(true)
    });
    fitting.map(|name| folder.join(name)).collect()
}

/// Whether the name fits; none if the pattern is none.
fn fits(pattern: &[char], name: &[char]) -> Option<bool> {
    let Some((first, rest)) = pattern.split_first() else {
        return Some(name.is_empty());
    };
    match first {
        '*' => {
            // Found out even where nothing of the name is left.
            let sound = fits(rest, &[])?;
            if name.is_empty() {
                return Some(sound);
            }
            let mut ends = 0..=name.len();
            Some(ends.any(|end| fits(rest, &name[end..]) == Some(true)))
        }
        '?' => step(rest, name, |_| true),
        '\\' => {
            let (wanted, rest) = rest.split_first()?;
            step(rest, name, |letter| letter == *wanted)
        }
        '[' => {
            let (class, rest) = class(rest)?;
            step(rest, name, |letter| class.contains(letter))
        }
        wanted => step(rest, name, |letter| letter == *wanted),
    }
}

fn step(rest: &[char], name: &[char], fits_one: impl Fn(char) -> bool) -> Option<bool> {
    match name.split_first() {
        Some((letter, name)) if fits_one(*letter) => fits(rest, name),
        _ => fits(rest, &[]).map(|_| false),
    }
}

struct Class {
    ranges: Vec<(char, char)>,
    except: bool,
}

impl Class {
    fn contains(&self, letter: char) -> bool {
        let mut ranges = self.ranges.iter();
        ranges.any(|(first, last)| (*first..=*last).contains(&letter)) != self.except
    }
}

/// The class behind an opening bracket, and what follows it.
fn class(pattern: &[char]) -> Option<(Class, &[char])> {
    let except = pattern.first() == Some(&'^');
    let mut rest = &pattern[usize::from(except)..];
    let mut ranges = Vec::new();
    loop {
        if rest.first() == Some(&']') && !ranges.is_empty() {
            return Some((Class { ranges, except }, &rest[1..]));
        }
        let (first, after) = letter(rest)?;
        let (last, after) = match after.split_first() {
            Some(('-', after)) => letter(after)?,
            _ => (first, after),
        };
        ranges.push((first, last));
        rest = after;
    }
}

fn letter(pattern: &[char]) -> Option<(char, &[char])> {
    match pattern.split_first()? {
        ('\\', rest) => rest.split_first().map(|(letter, rest)| (*letter, rest)),
        ('-' | ']', _) => None,
        (letter, rest) => Some((*letter, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_within_one_name() {
        for (pattern, name, wanted) in [
            ("*.tmpl", "a.tmpl", Some(true)),
            ("*.tmpl", "a.tmplx", Some(false)),
            ("a*b*c", "aXXbYYc", Some(true)),
            ("a?c", "abc", Some(true)),
            ("a?c", "ac", Some(false)),
            ("[a-c]x", "bx", Some(true)),
            ("[^a-c]x", "bx", Some(false)),
            ("\\*", "*", Some(true)),
            ("\\*", "a", Some(false)),
            ("[a", "b", None),
            ("x[", "y", None),
            ("x\\", "y", None),
            ("*[]", "y", None),
            ("{a,b}", "a", Some(false)),
        ] {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(
                fits(&letters(pattern), &letters(name)),
                wanted,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn files_are_found_in_order_and_none_is_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/2.tmpl", "a/1.tmpl", "b/1.tmpl", "b/1.txt", "c.tmpl"] {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let found = |pattern: &str| {
            let files = files(&folder.path().join(pattern)).unwrap();
            let names = files
                .iter()
                .map(|it| it.strip_prefix(folder.path()).unwrap());
            names
                .map(|it| it.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("*/*.tmpl"), ["a/1.tmpl", "a/2.tmpl", "b/1.tmpl"]);
        assert_eq!(found("*.tmpl"), ["c.tmpl"]);
        assert_eq!(found("a/1.tmpl"), ["a/1.tmpl"]);
        assert_eq!(found("none/*"), [""; 0]);
        assert_eq!(found("none"), [""; 0]);
        assert!(files(&folder.path().join("[")).is_err());
    }
}
