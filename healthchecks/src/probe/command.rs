//! The prober `command`: a command of the configuration's own, which must end well.

use std::os::unix::process::ExitStatusExt as _;

use tokio::time::Instant;

use super::module::Command;
use super::program::{self, Ended};
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;

/// Runs the command once. What stands as the target is only its name.
pub(super) async fn probe(command: &Command, deadline: Instant, samples: &mut Samples) -> Step<()> {
    let began = Instant::now();
    let root = rustix::process::geteuid().is_root();
    let user = user(&command.user, root);
    let may_write = Some(command.may_write.clone());
    let ended = program::run(&command.argv, user, may_write, deadline).await;
    let ended = ended.map_err(|failure| match user == command.user {
        true => failure,
        false => Failure::new(
            failure.reason,
            format!(
                "{} (as {user}, since the module names no user)",
                failure.detail
            ),
        ),
    });
    samples.phase(
        "belfry_probe_steps_seconds",
        "run",
        began.elapsed().as_secs_f64(),
    );
    judge(command, &ended?, samples)
}

/// As whom it runs. It must only read, and root could write anywhere.
fn user(stated: &str, root: bool) -> &str {
    match stated {
        "" if root => "nobody",
        stated => stated,
    }
}

fn judge(command: &Command, ended: &Ended, samples: &mut Samples) -> Step<()> {
    // As a shell has it: a signal is told as 128 and its number.
    let code = match (ended.status.code(), ended.status.signal()) {
        (Some(code), _) => code,
        (None, signal) => 128 + signal.unwrap_or_default(),
    };
    samples.set("belfry_probe_command_exit_code", f64::from(code));
    samples.flag("belfry_probe_command_confined", ended.confined);
    let wanted = |one: &u16| i32::from(*one) == code;
    if ended.status.code().is_none() || !command.exit_codes.iter().any(wanted) {
        let said = match first_line(&ended.errors) {
            said if said.is_empty() => first_line(&ended.output),
            said => said,
        };
        return Err(Failure::new(
            Reason::ExitCode,
            format!("it ended with {code}: {said}").trim_end_matches(": "),
        ));
    }
    match &command.expect {
        Some(pattern) if !pattern.regex().is_match(&ended.output) => Err(Failure::new(
            Reason::Body,
            format!("its output is {:?}", first_line(&ended.output)),
        )),
        _ => Ok(()),
    }
}

fn first_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().find(|line| !line.trim().is_empty());
    let line = line.unwrap_or_default().trim();
    line.chars()
        .filter(|sign| !sign.is_control())
        .take(120)
        .collect()
}
