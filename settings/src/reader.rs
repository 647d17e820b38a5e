//! Reading a section: collects faults, knows the environment and the folder.

use std::path::{Path, PathBuf};

use crate::veil::Veil;
use crate::{Fault, Kind, Name, Node, Place, names_secret};

/// Looks an environment variable up; a parameter so that tests need no real one.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// So many faults are told at a time.
const MOST_FAULTS: usize = 100;
/// A longer key is near no other.
const LONGEST_KEY: usize = 64;

/// What a value needs while it is read, and where it puts what is wrong.
pub struct Reader<'a> {
    environment: Environment<'a>,
    folder: PathBuf,
    path: Vec<String>,
    /// Whether the file is another program's: `${` stands for itself, and a key without a
    /// value is as good as none.
    pub(crate) literal: bool,
    /// Whether files that hold secrets are opened by who wants the secret, not by us.
    pub(crate) later: bool,
    pub(crate) found: Found,
}

/// What reading found beside the values.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) faults: Vec<Fault>,
    /// More faults than are kept.
    pub(crate) more: bool,
    pub(crate) broken: Vec<Broken>,
    /// Keys that the environment said, with their variables.
    pub(crate) said: Vec<(String, String)>,
    pub(crate) veil: Veil,
}

/// What a fault leaves unknown.
pub(crate) enum Broken {
    /// The value of a key.
    Value(String),
    /// A key of this section: one has a name that nobody knows.
    Name(String),
}

impl Found {
    pub(crate) fn add(&mut self, fault: Fault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        } else {
            self.more = true;
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(folder: &Path, environment: Environment<'a>) -> Self {
        Self {
            environment,
            folder: folder.to_owned(),
            path: Vec::new(),
            literal: false,
            later: false,
            found: Found::default(),
        }
    }
}

impl Reader<'_> {
    /// What the file says under a key of a section.
    #[must_use]
    pub fn said<'node>(
        &self,
        entries: &'node [(Name, Node)],
        key: &str,
    ) -> Option<&'node (Name, Node)> {
        let said = entries.iter().find(|(name, _)| name.text == key)?;
        let nothing = self.literal && matches!(said.1.kind, Kind::Null);
        (!nothing).then_some(said)
    }

    /// Notes a fault at `place`, under the key that is being read. The message
    /// must not hold the value; [`Reader::quote`] gives what may stand for it.
    pub fn fault(&mut self, place: &Place, message: impl Into<String>) {
        let key = self.key();
        self.found.broken.push(Broken::Value(key.clone()));
        self.tell(place, key, message.into());
    }

    fn tell(&mut self, place: &Place, key: String, message: String) {
        self.found.add(Fault {
            place: place.clone(),
            key,
            message,
        });
    }

    /// Notes a key that no section has, with the nearest one that exists.
    pub fn unknown(&mut self, name: &Name, known: &[String]) {
        let key = self.key();
        self.found.broken.push(Broken::Name(key.clone()));
        let near = known
            .iter()
            .filter(|_| name.text.len() <= LONGEST_KEY && !self.found.more)
            .map(|have| (strsim::damerau_levenshtein(have, &name.text), have))
            .filter(|(distance, have)| *distance <= 2.max(have.len() / 3))
            .min();
        let hint = match near {
            Some((_, have)) => format!("did you mean {have:?}?"),
            None => format!("known here: {}", known.join(", ")),
        };
        let message = format!("unknown key {:?}; {hint}", cut(&name.text));
        self.tell(&name.place, key, message);
    }

    /// What a message may say of a plain piece: the text as it stands in the
    /// file, without what the environment puts into it, and no secret.
    #[must_use]
    pub fn quote(&self, node: &Node) -> String {
        match &node.kind {
            Kind::Scalar { text, .. } if !names_secret(&self.key()) => format!("{:?}", cut(text)),
            _ => "the value".to_owned(),
        }
    }

    /// Keeps a secret out of whatever is said later.
    pub(crate) fn hide(&mut self, value: &str) {
        self.found.veil.hide(value, "<secret>");
    }

    /// Lets `shown` stand for a value of the environment.
    pub(crate) fn hide_behind(&mut self, value: &str, shown: &str) {
        self.found.veil.hide(value, shown);
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
    pub fn variable(&mut self, name: &str) -> Option<(String, String)> {
        if self.path.iter().any(|step| step.starts_with('[')) {
            return None;
        }
        let key = format!("{}.{name}", self.key());
        let variable = environment_name(&key);
        let value = (self.environment)(&variable)?;
        let key = key.trim_start_matches('.').to_owned();
        self.found.said.push((key, variable.clone()));
        Some((variable, value))
    }

    /// Puts the environment's values in the place of `${NAME}` and
    /// `${NAME:-default}`. `$${` stands for `${`.
    pub fn expand(&mut self, text: &str, place: &Place) -> String {
        if self.literal {
            return text.to_owned();
        }
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
                    (None, None) => {
                        // A `${` in the midst of a secret may be a part of it.
                        let whole = text.len() == name.len() + 3;
                        let message = if whole || !names_secret(&self.key()) {
                            format!("the environment has no {name}")
                        } else {
                            "the environment lacks a variable in it; \"$${\" stands for \"${\""
                                .to_owned()
                        };
                        self.fault(place, message);
                    }
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

/// So much of a text as a message has room for.
pub(crate) fn cut(text: &str) -> String {
    if text.chars().nth(LONGEST_KEY).is_none() {
        return text.to_owned();
    }
    text.chars().take(LONGEST_KEY - 1).chain(['…']).collect()
}
