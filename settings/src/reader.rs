//! Reading a section: collects faults, knows the environment and the folder.

use std::path::{Path, PathBuf};

use crate::{Fault, Name, Place, Value, parse};

/// Looks an environment variable up; a parameter so that tests need no real one.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a value needs while it is read, and where it puts what is wrong.
pub struct Reader<'a> {
    environment: Environment<'a>,
    folder: PathBuf,
    path: Vec<String>,
    faults: Vec<Fault>,
}

/// Reads `text` as a section of type `T`. Every fault of the file is in the
/// answer, in the order of the file; a value is returned only without any.
pub fn read<T: Value + Default>(
    file: &Path,
    text: &str,
    environment: Environment<'_>,
) -> Result<T, Vec<Fault>> {
    let node = parse(&file.display().to_string(), text).map_err(|fault| vec![fault])?;
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let mut reader = Reader {
        environment,
        folder,
        path: Vec::new(),
        faults: Vec::new(),
    };
    let value = T::decode(&node, &mut reader).unwrap_or_default();
    if reader.faults.is_empty() {
        return Ok(value);
    }
    // Keys from the environment are read last, whatever their section.
    reader.faults.sort_by_key(|fault| match &fault.place {
        Place::Line { line, column, .. } => (*line, *column),
        Place::Environment(_) => (usize::MAX, 0),
    });
    Err(reader.faults)
}

impl Reader<'_> {
    /// Notes a fault at `place`, under the key that is being read.
    pub fn fault(&mut self, place: &Place, message: impl Into<String>) {
        self.faults.push(Fault {
            place: place.clone(),
            key: self.key(),
            message: message.into(),
        });
    }

    /// Notes a key that no section has, with the nearest one that exists.
    pub fn unknown(&mut self, name: &Name, known: &[String]) {
        let near = known
            .iter()
            .map(|have| (strsim::damerau_levenshtein(have, &name.text), have))
            .filter(|(distance, have)| *distance <= 2.max(have.len() / 3))
            .min();
        let hint = match near {
            Some((_, have)) => format!("did you mean {have:?}?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.fault(&name.place, format!("unknown key {:?}; {hint}", name.text));
    }

    /// Reads something one step deeper, so that its faults carry the longer key.
    pub fn within<T>(&mut self, step: impl Into<String>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.into());
        let value = read(self);
        self.path.pop();
        value
    }

    /// The key that is being read, such as `mail.smarthost`.
    #[must_use]
    pub fn key(&self) -> String {
        let mut key = String::new();
        for step in &self.path {
            if !key.is_empty() && !step.starts_with('[') {
                key.push('.');
            }
            key.push_str(step);
        }
        key
    }

    /// A path of the file, taken from the file's own folder when it is relative.
    #[must_use]
    pub fn resolve(&self, path: &Path, place: &Place) -> PathBuf {
        match place {
            Place::Line { .. } => self.folder.join(path),
            Place::Environment(_) => path.to_owned(),
        }
    }

    /// The variable that overrides the key `name` of the section being read;
    /// keys inside lists and maps have none.
    pub fn variable(&self, name: &str) -> Option<(String, String)> {
        if self.path.iter().any(|step| step.starts_with('[')) {
            return None;
        }
        let variable = environment_name(&format!("{}.{name}", self.key()));
        (self.environment)(&variable).map(|value| (variable, value))
    }

    /// Puts the environment's values in the place of `${NAME}` and
    /// `${NAME:-default}`. `$${` stands for `${`.
    pub fn expand(&mut self, text: &str, place: &Place) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, behind) = (&rest[..at], &rest[at + 2..]);
            if let Some(literal) = before.strip_suffix('$') {
                out.push_str(literal);
                out.push_str("${");
                rest = behind;
                continue;
            }
            out.push_str(before);
            let inner = behind.split_once('}').map(|(inner, _)| inner);
            let Some((name, default)) = inner.map(|inner| match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            }) else {
                self.fault(place, "\"${\" without its closing brace");
                return out + &rest[at..];
            };
            if is_variable(name) {
                match ((self.environment)(name), default) {
                    (Some(value), _) => out.push_str(&value),
                    (None, Some(default)) => out.push_str(default),
                    (None, None) => self.fault(place, format!("the environment has no {name}")),
                }
            } else {
                // `${1}` is a regular expression's group, not a variable.
                out.push_str(&rest[at..at + 3 + inner.map_or(0, str::len)]);
            }
            rest = &behind[inner.map_or(0, str::len) + 1..];
        }
        out + rest
    }
}

/// The environment variable of a key: `mail.tls` is `BELFRY_MAIL_TLS`.
#[must_use]
pub(crate) fn environment_name(key: &str) -> String {
    let upper = key
        .trim_start_matches('.')
        .to_uppercase()
        .replace(['.', '-'], "_");
    format!("BELFRY_{upper}")
}

fn is_variable(name: &str) -> bool {
    name.bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
