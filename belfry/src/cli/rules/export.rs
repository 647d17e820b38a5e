//! `belfry rules export`: the shipped rules as files, for a Prometheus elsewhere.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::exit::{self, Exit};
use crate::out;

/// Writes every file of the pack into a folder. A file that is there and says
/// something else is left alone, unless `force`; so are all others then.
pub(super) fn run(folder: &Path, url: &str, force: bool) -> Exit {
    match write(folder, url.trim_end_matches('/'), force) {
        Ok(Outcome::Written(count)) => {
            out::line(format_args!("{count} files in {}", folder.display()));
            exit::OK
        }
        Ok(Outcome::Changed(names)) => {
            out::error(format_args!(
                "belfry: changed by somebody, and left as they are: {}; --force overwrites them",
                names.join(", ")
            ));
            exit::CRITICAL
        }
        Err(err) => {
            out::error(format_args!(
                "belfry: cannot write to {}: {err}",
                folder.display()
            ));
            exit::CRITICAL
        }
    }
}

enum Outcome {
    Written(usize),
    Changed(Vec<String>),
}

fn write(folder: &Path, url: &str, force: bool) -> io::Result<Outcome> {
    fs::create_dir_all(folder)?;
    let files = rules::pack::FILES.map(|(name, text)| (name, linked(text, url)));
    if !force {
        let mut changed = Vec::new();
        for (name, text) in &files {
            match fs::read(folder.join(name)) {
                Ok(have) if have != text.as_bytes() => changed.push((*name).to_owned()),
                Ok(_) => {}
                Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                Err(err) => return Err(err),
            }
        }
        if !changed.is_empty() {
            return Ok(Outcome::Changed(changed));
        }
    }
    for (name, text) in &files {
        // Never half a file under its name: a Prometheus may read at any time.
        let new = folder.join(format!(".{name}.new"));
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, folder.join(name))?;
    }
    Ok(Outcome::Written(files.len()))
}

/// The links to runbooks as others can follow them.
fn linked(text: &str, url: &str) -> String {
    let path = rules::RUNBOOK_PATH;
    text.replace(
        &format!("runbook_url: {path}"),
        &format!("runbook_url: {url}{path}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_where_the_page_is_and_the_files_stay_rules() {
        for (name, text) in rules::pack::FILES {
            let text = linked(text, "https://belfry.example");
            assert!(text.contains("runbook_url: https://belfry.example/runbooks/"));
            assert!(!text.contains("runbook_url: /"), "{name}");
            let checked = rules::check(&[rules::Source {
                name: name.into(),
                text,
            }]);
            assert!(checked[0].faults.is_empty(), "{name}");
        }
    }
}
