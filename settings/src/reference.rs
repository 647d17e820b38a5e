//! The reference: every key with type, default, environment name and meaning.

use std::collections::BTreeMap;

use crate::{Value, reader::environment_name};

/// One key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it stands: `alerter.receivers[].name`.
    pub path: String,
    /// What it holds.
    pub kind: String,
    /// Its default as a file would say it; empty for "not set".
    pub default: String,
    /// The environment variable that overrides it; empty where there is none.
    pub environment: String,
    /// What it means.
    pub meaning: String,
    /// Whether it only groups the keys below it.
    pub section: bool,
}

/// Collects keys, sections before what is in them.
#[derive(Debug, Default)]
pub struct Reference {
    keys: Vec<Key>,
    open: Vec<&'static str>,
    /// Sections that were described, and where.
    known: BTreeMap<&'static str, String>,
    without_environment: bool,
}

/// All keys of the section `T`.
#[must_use]
pub fn keys<T: Value + Default>() -> Vec<Key> {
    let mut reference = Reference::default();
    T::default().describe(&mut reference, "");
    reference.keys
}

impl Reference {
    /// Adds a key and what is below it.
    pub fn key<T: Value>(&mut self, section: &str, name: &str, default: &T, meaning: &str) {
        let path = if section.is_empty() {
            name.to_owned()
        } else {
            format!("{section}.{name}")
        };
        let meaning = meaning
            .lines()
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
            .trim()
            .to_owned();
        let has_variable = T::plain() && !self.without_environment && !path.contains(['[', '{']);
        self.keys.push(Key {
            kind: T::kind(),
            default: default.show(),
            environment: if has_variable {
                environment_name(&path)
            } else {
                String::new()
            },
            meaning,
            section: !T::plain(),
            path: path.clone(),
        });
        if let Some(suffix) = T::COMPANION {
            let environment = self
                .keys
                .last()
                .map_or(String::new(), |key| key.environment.clone());
            self.keys.push(Key {
                path: format!("{path}{suffix}"),
                kind: "path".into(),
                default: String::new(),
                environment: if environment.is_empty() {
                    environment
                } else {
                    format!("{environment}_FILE")
                },
                meaning: format!(
                    "A file that holds `{name}`, its last line end left out. Instead of `{name}`."
                ),
                section: false,
            });
        }
        default.describe(self, &path);
    }

    /// Describes keys that no environment variable can set.
    pub fn without_environment(&mut self, describe: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.without_environment, true);
        describe(self);
        self.without_environment = before;
    }

    /// Describes a section once on each way down: a route holds routes. An entry of
    /// a list refers to where the same section was described before.
    pub fn nested(
        &mut self,
        type_name: &'static str,
        path: &str,
        describe: impl FnOnce(&mut Self),
    ) {
        if self.open.contains(&type_name) {
            return;
        }
        match self.known.get(type_name) {
            Some(known) if path.contains('[') && !path.ends_with(']') => {
                if let Some(key) = self.keys.last_mut() {
                    key.meaning
                        .push_str(&format!(" Its keys are those of `{known}`."));
                }
                return;
            }
            Some(_) => {}
            None => {
                self.known.insert(type_name, path.to_owned());
            }
        }
        self.open.push(type_name);
        describe(self);
        self.open.pop();
    }
}
