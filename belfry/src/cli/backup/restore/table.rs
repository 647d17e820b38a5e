//! Restoring a single table at the terminal.

use backup::catalogue::Copy;
use backup::target::Target;
use backup::{Job, Setup};

use super::{RESTORE, RestoreCommand, noted};
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn perform(
    (setup, config): (&Setup, &Config),
    job: &Job,
    (target, copy): (&Target, &Copy),
    (command, table): (&RestoreCommand, &str),
) -> Result<Exit, String> {
    if copy.manifest.postgres.is_none() {
        return Err("it is no backup of a database".to_owned());
    }
    if command.plan {
        out::line("1       fetch the dump, open it, read it through");
        out::line("2       restore its definitions and this table into a scratch database");
        out::line("3       copy the rows into a new table, and count them");
        out::line("4       drop the scratch database");
        return Ok(exit::OK);
    }
    let wanted = (table, command.name.as_deref());
    let say = |line: String| out::line(line);
    let work = backup::restore::table::restore(setup, job, target, copy, wanted, &say);
    let made = noted(config, (job, RESTORE), Some(copy), Box::pin(work)).await?;
    out::line(format_args!(
        "next    look at {made}; it has the rows, and no indexes or constraints"
    ));
    Ok(exit::OK)
}
