//! Variables: `.env` files, and `${NAME:-default}` in the text of a compose file.
//!
//! Only files are looked at. What the shell of whoever started a project had
//! set is not known, so a variable that only it has is empty here.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A longer text is not worth its variables: they can double it again and again.
const LONGEST: usize = 64 << 10;
/// The most bytes that all variables of a project take; those beyond are left out.
const MOST: usize = 1 << 20;
/// The most bytes that all texts of a project take in which variables were filled in;
/// those beyond are not known.
const MOST_FILLED: usize = 8 << 20;
/// How deep `${A:-${B:-...}}` may go.
const DEEPEST: usize = 16;

/// The variables of a project. Their values may be secrets: nothing of them is
/// printed.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
    /// Bytes of their names and values.
    size: usize,
    /// Bytes that were filled in so far, by all environments of the project.
    filled: Rc<Cell<usize>>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Environment({} variables)", self.variables.len())
    }
}

/// A text whose variables could not be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfilled;

impl Environment {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Puts the variables of another in, over those of the same name here.
    pub(crate) fn prefer(&mut self, other: &Self) {
        for (name, value) in &other.variables {
            self.insert(name, value.clone());
        }
        self.filled = Rc::clone(&other.filled);
    }

    /// Sets a variable, where there is room for it.
    fn insert(&mut self, name: &str, value: String) {
        let before = self.get(name).map_or(0, |value| name.len() + value.len());
        let size = self.size - before + name.len() + value.len();
        if size <= MOST {
            self.size = size;
            self.variables.insert(name.to_owned(), value);
        }
    }

    /// Adds the lines of a `.env` file. Later ones win, and may use earlier ones.
    pub(crate) fn add(&mut self, text: &str) {
        for line in text.lines().take(10_000) {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line);
            if line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let name = name.trim();
            if name.is_empty() || !name.chars().all(is_of_name) {
                continue;
            }
            if let Ok(value) = self.value(value.trim()) {
                self.insert(name, value);
            }
        }
    }

    fn value(&self, text: &str) -> Result<String, Unfilled> {
        if let Some(rest) = text.strip_prefix('\'') {
            return Ok(rest.split('\'').next().unwrap_or_default().to_owned());
        }
        if let Some(rest) = text.strip_prefix('"') {
            let end = closing_quote(rest).unwrap_or(rest.len());
            let plain = rest[..end].replace("\\\"", "\"").replace("\\n", "\n");
            return self.fill(&plain);
        }
        let plain = text.split(" #").next().unwrap_or_default();
        self.fill(plain.trim_end())
    }

    /// Fills in all variables of a text.
    pub(crate) fn fill(&self, text: &str) -> Result<String, Unfilled> {
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        let text = self.fill_in(text, 0)?;
        let sum = self.filled.get() + text.len();
        if sum > MOST_FILLED {
            return Err(Unfilled);
        }
        self.filled.set(sum);
        Ok(text)
    }

    fn fill_in(&self, text: &str, depth: usize) -> Result<String, Unfilled> {
        if depth > DEEPEST {
            return Err(Unfilled);
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(behind) = behind.strip_prefix('$') {
                out.push('$');
                rest = behind;
            } else if let Some(behind) = behind.strip_prefix('{') {
                let end = closing_brace(behind).ok_or(Unfilled)?;
                out.push_str(&self.expression(&behind[..end], depth)?);
                rest = &behind[end + 1..];
            } else {
                let end = behind.find(|letter| !is_of_name(letter));
                let (name, behind) = behind.split_at(end.unwrap_or(behind.len()));
                if name.is_empty() {
                    out.push('$');
                }
                out.push_str(self.get(name).unwrap_or_default());
                rest = behind;
            }
            if out.len() > LONGEST {
                return Err(Unfilled);
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// What stands between the braces.
    fn expression(&self, text: &str, depth: usize) -> Result<String, Unfilled> {
        let end = text.find(|letter| !is_of_name(letter));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let set = self.get(name);
        let (filled, rest) = match rest.strip_prefix(':') {
            Some(rest) => (set.filter(|value| !value.is_empty()), rest),
            None => (set, rest),
        };
        let mut letters = rest.chars();
        let operator = letters.next();
        let word = letters.as_str();
        match (operator, filled) {
            (None, _) => Ok(set.unwrap_or_default().to_owned()),
            (Some('-' | '?'), Some(value)) => Ok(value.to_owned()),
            (Some('-'), None) | (Some('+'), Some(_)) => self.fill_in(word, depth + 1),
            (Some('+'), None) => Ok(String::new()),
            (Some(_), _) => Err(Unfilled),
        }
    }
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Where the brace stands that closes one opened before.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        before = letter;
    }
    None
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, letter)| {
        let closes = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        closes.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_as_compose_does() {
        let mut environment = Environment::default();
        environment.add("SET=yes\nEMPTY=\n");
        for (text, want) in [
            ("plain", Ok("plain")),
            ("$SET-x ${SET}", Ok("yes-x yes")),
            ("$$SET", Ok("$SET")),
            ("$", Ok("$")),
            ("a${NONE}b", Ok("ab")),
            ("${NONE:-d}${EMPTY:-d}${EMPTY-d}${SET:-d}", Ok("ddyes")),
            ("${NONE:-${SET}}", Ok("yes")),
            ("${NONE-${OTHER:-deep}}!", Ok("deep!")),
            (
                "${SET:+there}${NONE:+there}${EMPTY+there}",
                Ok("therethere"),
            ),
            ("${SET:?is needed}", Ok("yes")),
            ("${NONE:?is needed}", Err(Unfilled)),
            ("${EMPTY:?}", Err(Unfilled)),
            ("${NONE", Err(Unfilled)),
            ("${SET!}", Err(Unfilled)),
        ] {
            assert_eq!(
                environment.fill(text).as_deref(),
                want.as_ref().copied(),
                "{text}"
            );
        }
    }

    #[test]
    fn lines_of_an_env_file_are_read_with_quotes_and_comments() {
        let mut environment = Environment::default();
        environment.add(
            "# a comment\nA=1 # behind\nB='$A # kept'\nC=\"say \\\"$A\\\"\"\n\
             export D = spaced \nno line\n9-$=x\nE=a#b\n",
        );
        for (name, want) in [
            ("A", Some("1")),
            ("B", Some("$A # kept")),
            ("C", Some("say \"1\"")),
            ("D", Some("spaced")),
            ("E", Some("a#b")),
            ("no line", None),
        ] {
            assert_eq!(environment.get(name), want, "{name}");
        }
        assert_eq!(format!("{environment:?}"), "Environment(5 variables)");
    }

    #[test]
    fn many_long_variables_and_texts_are_bounded_together() {
        let long = "x".repeat(LONGEST - 1);
        let mut environment = Environment::default();
        for at in 0..100 {
            environment.add(&format!("A{at}={long}\n"));
        }
        assert!(environment.size <= MOST && environment.variables.len() >= 15);
        assert_eq!(environment.get("A0"), Some(long.as_str()));
        assert_eq!(environment.get("A99"), None);
        // One that is set again takes only its own room.
        for _ in 0..100 {
            environment.add(&format!("A0={long}\n"));
        }
        assert_eq!(environment.get("A0"), Some(long.as_str()));
        let mut included = Environment::default();
        included.prefer(&environment);
        let sum: usize = (0..1000)
            .map(|at| [&environment, &included][at % 2])
            .filter_map(|from| from.fill("$A0").ok())
            .map(|text| text.len())
            .sum();
        assert!(sum <= MOST_FILLED && sum > MOST_FILLED / 2, "{sum}");
        assert_eq!(included.fill("plain").as_deref(), Ok("plain"));
    }

    #[test]
    fn variables_that_double_each_other_end() {
        let mut environment = Environment::default();
        let mut text = "A0=xxxxxxxxxxxxxxxx\n".to_owned();
        for at in 1..100 {
            text.push_str(&format!("A{at}=${{A{0}}}${{A{0}}}\n", at - 1));
        }
        environment.add(&text);
        assert!(
            environment
                .get("A12")
                .is_some_and(|value| value.len() <= LONGEST)
        );
        assert!(
            environment
                .get("A99")
                .is_none_or(|value| value.len() <= LONGEST)
        );
        let deep = "${N:-".repeat(10_000) + &"}".repeat(10_000);
        assert_eq!(environment.fill(&deep), Err(Unfilled));
    }
}
