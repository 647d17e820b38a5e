//! Files to a project: each read, its includes and extensions followed, and
//! laid over the ones before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::environment::Environment;
use crate::merge::{merge, plain};
use crate::value::{self, Value};
use crate::{Project, Read, extract};

/// The most files of one project.
pub(crate) const MOST_FILES: usize = 64;
/// How often an include may include, and a service extend one that extends.
const DEEPEST: usize = 16;
/// The most files that are read, the same one again counted too.
const MOST_READ: usize = 256;
/// The most pieces that all extensions and includes together may bring in.
const HEAVIEST: usize = 400_000;

/// Where a project is declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Source {
    /// The name it was given when it was started; empty: what its files say,
    /// else its folder's name.
    pub name: String,
    /// Its files, each over the one before. Relative ones are of the folder.
    pub files: Vec<PathBuf>,
    /// Its folder.
    pub folder: PathBuf,
    /// Files with variables instead of the folder's `.env`.
    pub variables: Vec<PathBuf>,
    /// Active profiles, beside those that `COMPOSE_PROFILES` names.
    pub profiles: Vec<String>,
}

/// Why a project cannot be told. No variable's value is in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    /// A file is no compose file.
    #[error(transparent)]
    Malformed(#[from] settings::Fault),
    /// A service extends one that is not there.
    #[error("{0}: the service {1:?} extends one that is not there")]
    NothingToExtend(PathBuf, String),
    /// Files or services that name each other in a circle, or far too many.
    #[error("{0}: too many files or extensions, or a circle of them")]
    TooMuch(PathBuf),
}

/// Reads all files of a project.
///
/// # Errors
/// Says which file is at fault, and how.
pub fn load(source: &Source, read: Read<'_>) -> Result<Project, Error> {
    let mut loader = Loader {
        read,
        seen: BTreeSet::new(),
        parsed: HashMap::new(),
        weight: 0,
        reads: 0,
    };
    let mut environment = Environment::default();
    loader.variables(&source.variables, &source.folder, &mut environment);
    let top = loader.model(&source.files, &source.folder, &environment, 0)?;
    let said = top.get("name").and_then(Value::text).unwrap_or_default();
    let folder = source.folder.file_name().unwrap_or_default();
    let name = [&source.name, said, &folder.to_string_lossy()]
        .into_iter()
        .map(normalised)
        .find(|name| !name.is_empty());
    let named = environment.get("COMPOSE_PROFILES").unwrap_or_default();
    let named = named.split(',').map(str::trim);
    let profiles = named
        .filter(|profile| !profile.is_empty())
        .map(str::to_owned)
        .chain(source.profiles.iter().cloned())
        .collect();
    let mut project = extract::project(name.unwrap_or_default(), &top, &profiles);
    project.files = loader.seen.into_iter().collect();
    Ok(project)
}

/// As compose makes a name of a folder's.
fn normalised(name: &str) -> String {
    let letters = name.to_lowercase();
    let letters = letters
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
    letters
        .skip_while(|letter| matches!(letter, '_' | '-'))
        .take(256)
        .collect()
}

struct Loader<'a> {
    read: Read<'a>,
    /// All files that were asked for.
    seen: BTreeSet<PathBuf>,
    /// What was read already, with the variables of one inclusion.
    parsed: HashMap<PathBuf, Rc<Value>>,
    weight: usize,
    reads: usize,
}

impl Loader<'_> {
    /// Adds the variables of these files, or of the folder's `.env`.
    fn variables(&mut self, files: &[PathBuf], folder: &Path, environment: &mut Environment) {
        let usual = [PathBuf::from(".env")];
        let files = if files.is_empty() { &usual } else { files };
        for file in files.iter().take(MOST_FILES) {
            let file = folder.join(file);
            self.reads += 1;
            if self.reads > MOST_READ {
                return;
            }
            if let Ok(text) = (self.read)(&file) {
                environment.add(&text);
            }
            self.seen.insert(file);
        }
    }

    /// All files laid over each other.
    fn model(
        &mut self,
        files: &[PathBuf],
        folder: &Path,
        environment: &Environment,
        depth: usize,
    ) -> Result<Value, Error> {
        let mut whole = Value::Map(BTreeMap::new());
        for file in files {
            let path = folder.join(file);
            let top = self.file(&path, environment)?;
            let mut own = Value::clone(&top);
            if let Some(included) = top.get("include") {
                if depth == DEEPEST {
                    return Err(Error::TooMuch(path));
                }
                // What is included was read with other variables.
                let before = std::mem::take(&mut self.parsed);
                let included = self.included(included, folder, environment, depth + 1)?;
                self.parsed = before;
                whole = merge("", included, whole);
            }
            if let Value::Map(entries) = &mut own {
                entries.remove("include");
                if let Some(Value::Map(services)) = entries.get_mut("services") {
                    for (name, service) in services.iter_mut() {
                        if service.get("extends").is_some() {
                            let place = Place {
                                file: &path,
                                folder,
                                environment,
                            };
                            *service = self.extended(&top, name, &place, 0)?;
                        }
                    }
                }
            }
            whole = merge("", whole, own);
        }
        Ok(whole)
    }

    fn included(
        &mut self,
        list: &Value,
        folder: &Path,
        environment: &Environment,
        depth: usize,
    ) -> Result<Value, Error> {
        let mut whole = Value::Map(BTreeMap::new());
        let items: &[Value] = match list {
            Value::List(items) => items,
            one => std::slice::from_ref(one),
        };
        for item in items {
            let paths = match item.get("path") {
                Some(path) => path.texts(),
                None => item.texts(),
            };
            let files: Vec<PathBuf> = paths.iter().map(|path| folder.join(path)).collect();
            let Some(first) = files.first() else { continue };
            let theirs = match item.get("project_directory").and_then(Value::text) {
                Some(named) => folder.join(named),
                None => first.parent().unwrap_or(folder).to_owned(),
            };
            let named = item.get("env_file").map(Value::texts).unwrap_or_default();
            let named: Vec<PathBuf> = named.iter().map(|file| folder.join(file)).collect();
            // Their own variables first: those of the including project win.
            let mut variables = Environment::default();
            self.variables(&named, &theirs, &mut variables);
            variables.prefer(environment);
            // What was read for another is filled with the variables of that.
            self.parsed.clear();
            let model = self.model(&files, &theirs, &variables, depth)?;
            self.weigh(&model, first)?;
            whole = merge("", whole, model);
        }
        Ok(whole)
    }

    /// A service with what it extends below it.
    fn extended(
        &mut self,
        top: &Value,
        name: &str,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Value, Error> {
        let missing =
            || Error::NothingToExtend(place.file.to_owned(), name.chars().take(64).collect());
        let found = top.get("services").and_then(|services| services.get(name));
        let mut own = found.cloned().ok_or_else(missing)?;
        self.weigh(&own, place.file)?;
        let Value::Map(entries) = &mut own else {
            return Ok(own);
        };
        let Some(extends) = entries.remove("extends") else {
            return Ok(own);
        };
        if depth == DEEPEST {
            return Err(Error::TooMuch(place.file.to_owned()));
        }
        let service = extends.text().or_else(|| extends.get("service")?.text());
        let Some(service) = service else {
            return Ok(own);
        };
        let base = match extends.get("file").and_then(Value::text) {
            None => self.extended(top, service, place, depth + 1)?,
            Some(file) => {
                let file = place.folder.join(file);
                let other = self.file(&file, place.environment)?;
                let there = Place {
                    file: &file,
                    folder: file.parent().unwrap_or(place.folder),
                    environment: place.environment,
                };
                self.extended(&other, service, &there, depth + 1)?
            }
        };
        Ok(merge(name, plain(base), own))
    }

    fn file(&mut self, path: &Path, environment: &Environment) -> Result<Rc<Value>, Error> {
        if let Some(value) = self.parsed.get(path) {
            return Ok(Rc::clone(value));
        }
        self.seen.insert(path.to_owned());
        self.reads += 1;
        if self.seen.len() > MOST_FILES || self.reads > MOST_READ {
            return Err(Error::TooMuch(path.to_owned()));
        }
        let text = (self.read)(path).map_err(|err| Error::Unreadable(path.to_owned(), err))?;
        let value = Rc::new(value::read(
            &path.display().to_string(),
            &text,
            environment,
        )?);
        self.weigh(&value, path)?;
        self.parsed.insert(path.to_owned(), Rc::clone(&value));
        Ok(value)
    }

    fn weigh(&mut self, value: &Value, path: &Path) -> Result<(), Error> {
        self.weight += value.weight();
        if self.weight > HEAVIEST {
            return Err(Error::TooMuch(path.to_owned()));
        }
        Ok(())
    }
}

/// Where a service stands that extends another.
struct Place<'a> {
    file: &'a Path,
    folder: &'a Path,
    environment: &'a Environment,
}
