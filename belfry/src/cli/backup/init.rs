//! `belfry init`: a configuration for the backups of what runs here, to be read
//! by a person before it is used.

use std::io::Write as _;
use std::path::PathBuf;

use backup::{found, propose};
use clap::Args;

use super::super::Place;
use crate::exit::{self, Exit};
use crate::out;

#[derive(Debug, Args)]
pub(in crate::cli) struct Init {
    /// Write it into this file, which must not be there yet [default: print it]
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Proposes jobs for every database and named volume that is found.
pub(in crate::cli) fn run(place: &Place, init: &Init) -> Result<Exit, Exit> {
    let config = super::load(place)?;
    let setup = super::setup(&config);
    super::wait(async {
        let Some(engine) = &setup.engine else {
            return super::unable("no engine is there");
        };
        let found = match found::look(engine).await {
            Ok(found) => found,
            Err(err) => return super::unable(&err),
        };
        let text = propose::propose(&setup.config, &found);
        let Some(file) = &init.write else {
            out::text(text);
            return exit::OK;
        };
        // It may come to hold secrets.
        let mut options = std::fs::File::options();
        std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
        let written = options
            .open(file)
            .and_then(|mut out| out.write_all(text.as_bytes()));
        match written {
            Ok(()) => {
                out::line(format_args!(
                    "{} has jobs for {} database(s) and the named volumes",
                    file.display(),
                    found.databases.len()
                ));
                exit::OK
            }
            Err(err) => super::unable(&format!("{}: {err}", file.display())),
        }
    })
}
