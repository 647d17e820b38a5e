//! Making roles and tablespaces as a backup of globals says, at the terminal.

use backup::catalogue::Copy;
use backup::restore::globals;
use backup::target::Target;
use backup::{Job, Setup};

use super::{RESTORE, RestoreCommand, meant, noted};
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn perform(
    (setup, config): (&Setup, &Config),
    job: &Job,
    (target, copy): (&Target, &Copy),
    command: &RestoreCommand,
) -> Result<Exit, String> {
    if command.plan {
        out::line("1       make the roles, memberships and tablespaces that are missing");
        out::line("2       give roles that are there the attributes and passwords they had");
        return Ok(exit::OK);
    }
    meant(command, "job", &job.name).await?;
    let say = |line: String| out::line(line);
    let work = Box::pin(globals::apply(setup, job, target, copy, &say));
    let applied = noted(config, (job, RESTORE), Some(copy), work).await?;
    Ok(match applied.failed.len() {
        0 => exit::OK,
        count => {
            out::error(format_args!("belfry: {count} statements were refused"));
            exit::CRITICAL
        }
    })
}
