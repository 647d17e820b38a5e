//! Finding and running the programs that tests need.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Folders beyond `PATH` where Debian keeps servers, which a user's `PATH` lacks.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The path of a program, or a panic that says how to install it.
#[track_caller]
pub(crate) fn find(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| missing(name, package))
}

/// Fails the test with the line that installs what it needs.
#[track_caller]
pub(crate) fn missing(name: &str, package: &str) -> ! {
    panic!("{name} is not installed: run `make setup`, or `apt-get install {package}`")
}

/// Runs a command to its end; panics with its own words unless it succeeds.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    match attempt(command) {
        Ok(output) => output,
        Err(said) => panic!("{said}"),
    }
}

/// Runs a command to its end: what it printed, or how it failed.
pub(crate) fn attempt(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.map_err(|err| format!("{command:?}: {err}"))?;
    let said = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        Ok(said)
    } else {
        Err(format!(
            "{command:?}: {status}\n{said}{}",
            String::from_utf8_lossy(&stderr)
        ))
    }
}

/// A command that runs as another user, by name; as it is when we are not root.
pub(crate) fn as_user(user: &str, program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let group = run(Command::new("id").args(["-gn", user]));
    let mut command = Command::new(find("setpriv", "util-linux"));
    command
        .args([
            "--reuid",
            user,
            "--regid",
            group.trim(),
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

/// The same command in the network of a process, by its number; as it is
/// without one.
pub(crate) fn in_network(of: Option<i64>, command: Command) -> Command {
    let Some(pid) = of else { return command };
    let mut inside = Command::new(find("nsenter", "util-linux"));
    inside.arg(format!("--net=/proc/{pid}/ns/net"));
    inside.arg(command.get_program()).args(command.get_args());
    inside
}
