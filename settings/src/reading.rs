//! What comes of reading a file: the values as far as they can be read, every
//! fault, and where in the file each key stands.

use std::path::Path;

use crate::reader::{Broken, Environment, Found, Reader};
use crate::{Fault, Kind, Node, Place, Value, parse};

/// A file that was read, faulty or not.
pub struct Reading<T> {
    /// The values; defaults stand for those that are at fault.
    pub value: T,
    file: String,
    /// Nothing when the file is no YAML.
    root: Option<Node>,
    found: Found,
}

/// Reads `text` as a section of type `T`. Every fault of the file is in the
/// answer, in the order of the file; a value is returned only without any.
pub fn read<T: Value + Default>(
    file: &Path,
    text: &str,
    environment: Environment<'_>,
) -> Result<T, Vec<Fault>> {
    let (value, faults) = read_all(file, text, environment).end();
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(faults)
    }
}

/// Like [`read`], for whoever has more to say of the values, or can do with
/// some of them.
pub fn read_all<T: Value + Default>(
    file: &Path,
    text: &str,
    environment: Environment<'_>,
) -> Reading<T> {
    let reader = Reader::new(file.parent().unwrap_or(Path::new("")), environment);
    reading(file, text, reader)
}

/// Like [`read_all`] for a file of another program's grammar: the environment
/// says nothing, `${` stands for itself, and a key without a value is as good as none.
pub fn read_literal<T: Value + Default>(file: &Path, text: &str) -> Reading<T> {
    let mut reader = Reader::new(file.parent().unwrap_or(Path::new("")), &|_| None);
    reader.literal = true;
    reading(file, text, reader)
}

/// Like [`read_literal`] for a tree that was parsed, and perhaps changed, before. No other
/// file is opened: a secret that one holds is known only to [`Secret::read`](crate::Secret::read).
pub fn read_tree<T: Value + Default>(file: &Path, root: Node) -> Reading<T> {
    let mut reader = Reader::new(file.parent().unwrap_or(Path::new("")), &|_| None);
    reader.literal = true;
    reader.later = true;
    let value = T::decode(&root, &mut reader).unwrap_or_default();
    Reading {
        value,
        file: file.display().to_string(),
        root: Some(root),
        found: reader.found,
    }
}

fn reading<T: Value + Default>(file: &Path, text: &str, mut reader: Reader<'_>) -> Reading<T> {
    let name = file.display().to_string();
    let root = match parse(&name, text) {
        Ok(root) => Some(root),
        Err(fault) => {
            reader.found.broken.push(Broken::Value(String::new()));
            reader.found.add(fault);
            None
        }
    };
    let nothing = Node {
        place: top(&name),
        kind: Kind::Null,
    };
    // What the environment says is known all the same.
    let value = T::decode(root.as_ref().unwrap_or(&nothing), &mut reader).unwrap_or_default();
    Reading {
        value,
        file: name,
        root,
        found: reader.found,
    }
}

impl<T> Reading<T> {
    /// Adds what a part found wrong with `key`, such as `backup.watch[0].name`,
    /// whose value is well formed. What only follows from another fault is left out.
    pub fn contradict(&mut self, key: &str, message: &str) {
        let (fault, stands) = self.told(key, message);
        if self
            .found
            .broken
            .iter()
            .any(|broken| broken.explains(key, stands))
        {
            return;
        }
        if !self.found.faults.contains(&fault) {
            self.found.add(fault);
        }
    }

    /// What is to be said of a key without its being wrong, with where it stands.
    #[must_use]
    pub fn remark(&self, key: &str, message: &str) -> Fault {
        self.told(key, message).0
    }

    /// Something about a key with where it stands, and whether it stands there.
    fn told(&self, key: &str, message: &str) -> (Fault, bool) {
        let said = self.found.said.iter().find(|(name, _)| name == key);
        let (place, stands) = match (said, &self.root) {
            (Some((_, variable)), _) => (Place::Environment(variable.clone()), true),
            (None, Some(root)) => locate(root, &self.file, key),
            (None, None) => (top(&self.file), false),
        };
        let fault = Fault {
            place,
            key: key.to_owned(),
            message: self.found.veil.over(message),
        };
        (fault, stands)
    }

    /// Whether the value of `key` could not be read.
    #[must_use]
    pub fn is_broken(&self, key: &str) -> bool {
        let mut broken = self.found.broken.iter();
        broken.any(|broken| matches!(broken, Broken::Value(_)) && broken.explains(key, true))
    }

    /// The values and the faults, in the order of the file.
    #[must_use]
    pub fn end(self) -> (T, Vec<Fault>) {
        let Found {
            mut faults, more, ..
        } = self.found;
        // Keys from the environment are read last, whatever their section.
        faults.sort_by_key(|fault| match &fault.place {
            Place::Line { line, column, .. } => (*line, *column),
            Place::Environment(_) => (usize::MAX, 0),
        });
        if more && let Some(last) = faults.last() {
            faults.push(Fault {
                place: last.place.clone(),
                key: String::new(),
                message: format!("there are more faults than these {}", faults.len()),
            });
        }
        (self.value, faults)
    }
}

impl Broken {
    /// Whether this may be why a part finds `key` wrong; `stands` is whether the
    /// file says the key.
    fn explains(&self, key: &str, stands: bool) -> bool {
        match self {
            Self::Value(at) => {
                // Behind an entry that was left out, the numbers do not fit any more.
                let at = at.strip_suffix(']').and_then(|at| at.rsplit_once('['));
                let at = at.map_or(self.key(), |(list, _)| list);
                key.strip_prefix(at).is_some_and(|rest| {
                    at.is_empty() || rest.is_empty() || rest.starts_with(['.', '['])
                })
            }
            Self::Name(section) => {
                let parent = key.rsplit_once('.').map_or("", |(parent, _)| parent);
                !stands && parent == section
            }
        }
    }

    fn key(&self) -> &str {
        match self {
            Self::Value(key) | Self::Name(key) => key,
        }
    }
}

/// The fault that a part found in a value that is well formed, placed where the
/// file says `key` (`backup.watch[0].name`), or as near as the file goes.
#[must_use]
pub fn place(file: &Path, text: &str, key: &str, message: String) -> Fault {
    let name = file.display().to_string();
    let place = match parse(&name, text) {
        Ok(root) => locate(&root, &name, key).0,
        Err(_) => top(&name),
    };
    Fault {
        place,
        key: key.to_owned(),
        message,
    }
}

fn top(file: &str) -> Place {
    Place::Line {
        file: file.into(),
        line: 1,
        column: 1,
    }
}

/// Where a key stands, or the nearest piece around it; and whether it does stand.
fn locate(root: &Node, file: &str, key: &str) -> (Place, bool) {
    let (mut node, mut at) = (root, top(file));
    for step in key.replace('[', ".[").split('.') {
        let inner = step
            .strip_prefix('[')
            .and_then(|step| step.strip_suffix(']'));
        let next = match (&node.kind, inner) {
            (Kind::Map(entries), _) => entries
                .iter()
                .find(|(name, _)| name.text == inner.unwrap_or(step))
                .map(|(_, value)| value),
            (Kind::List(items), Some(number)) => number
                .parse::<usize>()
                .ok()
                .and_then(|number| items.get(number)),
            _ => None,
        };
        let Some(next) = next else {
            return (at, false);
        };
        node = next;
        at = node.place.clone();
    }
    (at, true)
}
