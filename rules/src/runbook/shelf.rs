//! The runbooks of one installation: the shipped ones, and those of a folder
//! that take their place or come beside them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use settings::{Fault, Place};

use super::{ALL, PATH};

/// The line of a "First look" that says of all its steps that they change nothing.
const LOOKS: &str = "These steps only look; none changes anything.";

/// The longest file that is taken for a runbook, in bytes.
const LONGEST: u64 = 256 << 10;

/// One runbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runbook {
    /// Its text, as Markdown.
    pub text: Cow<'static, str>,
    /// The file it was read from; none for a shipped one.
    pub file: Option<PathBuf>,
}

/// All runbooks by name.
#[derive(Debug, Clone)]
pub struct Runbooks(BTreeMap<String, Runbook>);

impl Default for Runbooks {
    /// The shipped ones.
    fn default() -> Self {
        let shipped = ALL.iter().map(|(name, text)| {
            let text = Cow::Borrowed(*text);
            ((*name).to_owned(), Runbook { text, file: None })
        });
        Self(shipped.collect())
    }
}

impl Runbooks {
    /// The shipped ones and the `NAME.md` files of a folder, which win. Fails
    /// when the folder or one of its files cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Vec<Fault>> {
        let mut all = Self::default();
        let mut faults = Vec::new();
        let entries = std::fs::read_dir(folder).map_err(|err| {
            vec![fault(
                folder,
                &format!("cannot read the folder of runbooks: {err}"),
            )]
        })?;
        for entry in entries {
            let file = match entry {
                Ok(entry) => entry.path(),
                Err(err) => {
                    faults.push(fault(
                        folder,
                        &format!("cannot read the folder of runbooks: {err}"),
                    ));
                    continue;
                }
            };
            let name = file.file_stem().and_then(|name| name.to_str());
            let markdown = file.extension().is_some_and(|ending| ending == "md");
            let Some(name) = name.filter(|_| markdown) else {
                continue;
            };
            if !servable(name) {
                let message = "the name of a runbook has letters, digits, - and _ only";
                faults.push(fault(&file, message));
                continue;
            }
            match text(&file) {
                Ok(text) => {
                    let runbook = Runbook {
                        text: Cow::Owned(text),
                        file: Some(file.clone()),
                    };
                    all.0.insert(name.to_owned(), runbook);
                }
                Err(err) => faults.push(fault(&file, &format!("cannot read the runbook: {err}"))),
            }
        }
        if faults.is_empty() {
            Ok(all)
        } else {
            Err(faults)
        }
    }

    /// A runbook. Takes its name, or a `runbook_url` that ends in it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Runbook> {
        let name = name.rsplit_once(PATH).map_or(name, |(_, name)| name);
        self.0.get(name)
    }

    /// All of them with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Runbook)> {
        self.0
            .iter()
            .map(|(name, runbook)| (name.as_str(), runbook))
    }
}

impl Runbook {
    /// What it is about: its first heading.
    #[must_use]
    pub fn title(&self) -> &str {
        let heading = self.text.lines().find_map(|line| line.strip_prefix("# "));
        heading.unwrap_or_default().trim()
    }

    /// The alerts that it names, as its line `Alerts:` lists them.
    #[must_use]
    pub fn alerts(&self) -> Vec<&str> {
        let line = self
            .text
            .lines()
            .find_map(|line| line.strip_prefix("Alerts: "));
        line.map_or_else(Vec::new, |line| line.split(", ").map(str::trim).collect())
    }

    /// The numbered steps of "First look", for a mail: what to see, then how.
    #[must_use]
    pub fn first_steps(&self) -> Vec<String> {
        self.first_look()
            .filter_map(|line| {
                let (number, step) = line.split_once(". ")?;
                number.parse::<u8>().ok().map(|_| step.to_owned())
            })
            .collect()
    }

    /// Whether it says of its first steps that they change nothing, as every
    /// shipped one does.
    #[must_use]
    pub fn first_steps_only_look(&self) -> bool {
        self.first_look().any(|line| line == LOOKS)
    }

    fn first_look(&self) -> impl Iterator<Item = &str> {
        let lines = self.text.lines();
        lines
            .skip_while(|line| *line != "## First look")
            .skip(1)
            .take_while(|line| !line.starts_with("## "))
    }
}

/// Whether the page can serve it under this name.
fn servable(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
}

fn text(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?
        .take(LONGEST + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(std::io::Error::other("it is longer than 256 KiB"));
    }
    Ok(text)
}

fn fault(file: &Path, message: &str) -> Fault {
    Fault {
        place: Place::Line {
            file: file.display().to_string().as_str().into(),
            line: 1,
            column: 1,
        },
        key: String::new(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_replaces_shipped_runbooks_and_adds_others() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write(
            "memory.md",
            "# Our memory\n\nAlerts: MemoryLow, X\n\n## First look\n\n1. Look: `free`\n",
        )
        .unwrap();
        write("billing.md", "# Billing\n").unwrap();
        write("notes.txt", "no runbook").unwrap();
        let all = Runbooks::read(folder.path()).unwrap();
        let memory = all.get("/runbooks/memory").unwrap();
        assert_eq!(memory.title(), "Our memory");
        assert_eq!(memory.alerts(), ["MemoryLow", "X"]);
        assert_eq!(memory.first_steps(), ["Look: `free`"]);
        // It does not say so, and it may be otherwise.
        assert!(!memory.first_steps_only_look());
        assert!(memory.file.as_ref().unwrap().ends_with("memory.md"));
        assert_eq!(all.get("billing").unwrap().alerts(), [""; 0]);
        assert!(all.get("clock").unwrap().file.is_none() && all.get("notes").is_none());
        assert_eq!(all.iter().count(), ALL.len() + 1);
    }

    #[test]
    fn what_cannot_be_a_runbook_is_told_all_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a b.md"), "x").unwrap();
        std::fs::write(folder.path().join("latin.md"), [b'#', 0xe9]).unwrap();
        std::fs::write(folder.path().join("long.md"), vec![b'x'; 300 << 10]).unwrap();
        let told: Vec<String> = Runbooks::read(folder.path())
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        let gone = Runbooks::read(&folder.path().join("gone")).unwrap_err();
        assert!(gone[0].to_string().contains("folder of runbooks"));
    }
}
