//! Running a program that may hang, shout, or leave others behind: bounded in
//! time and output, and whatever it started ends with it. Never a shell.

mod confine;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::aside::aside;
use super::reason::{Failure, Reason, Step};

/// So much of each output is kept, in bytes; the rest is read and let go.
const KEPT: usize = 64 << 10;
/// All that it knows of the world.
const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("LANG", "C.UTF-8"),
    ("LC_ALL", "C.UTF-8"),
    ("TZ", "UTC"),
];

/// How a program ended, and what it said.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    pub(super) errors: Vec<u8>,
    /// Whether the kernel kept it from writing.
    pub(super) confined: bool,
}

/// A process with its group, which ends with this.
struct Running {
    group: Pid,
    confined: bool,
    /// Not waited for before the group has ended, so that its number stays its own.
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever ended already is none to end.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

/// Runs `argv` as `user` (empty: as ourselves) and waits for its end. Where it is said what
/// it may write, it can write nothing else, as far as the kernel knows how to see to that.
pub(super) async fn run(
    argv: &[String],
    user: &str,
    may_write: Option<Vec<PathBuf>>,
    deadline: Instant,
) -> Step<Ended> {
    let command = command(argv, user)?;
    // The program may lie where reading hangs.
    let running = aside(deadline, move || match may_write {
        Some(may_write) => start_confined(command, may_write),
        None => start(command, false),
    })
    .await;
    let mut running = running
        .ok_or_else(|| Failure::new(Reason::Timeout, "the program could not be started in time"))?
        .map_err(|err| unstarted(&err))?;
    let broken = |err: std::io::Error| Failure::new(Reason::Internal, err.to_string());
    #[expect(
        deprecated,
        reason = "the new way needs unsafe, and an OwnedFd keeps what it asks for"
    )]
    let exited = pidfd_open(running.group, PidfdFlags::empty())
        .map_err(std::io::Error::from)
        .and_then(AsyncFd::<OwnedFd>::new)
        .map_err(broken)?;
    let (output, errors) = (running.child.stdout.take(), running.child.stderr.take());
    let (group, confined) = (running.group, running.confined);
    let ending = async {
        // An error here means that there is nothing to wait for.
        let _ = exited.readable().await;
        let _ = kill_process_group(group, Signal::KILL);
    };
    let all = async { tokio::join!(read(output), read(errors), ending) };
    let (output, errors, ()) = timeout_at(deadline, all)
        .await
        .map_err(|_| Failure::new(Reason::Timeout, "it did not end in time, and was killed"))?;
    let status = running.child.wait().await.map_err(broken)?;
    Ok(Ended {
        status,
        output,
        errors,
        confined,
    })
}

/// Starts it from a thread that ends with that: who is confined stays so.
fn start_confined(command: Command, may_write: Vec<PathBuf>) -> std::io::Result<Running> {
    let runtime = Handle::current();
    let starting = thread::Builder::new().name("command".to_owned());
    let started = starting.spawn(move || {
        let _runtime = runtime.enter();
        start(command, confine::confine(&may_write)?)
    })?;
    let panicked = |_| std::io::Error::other("the start panicked");
    started.join().map_err(panicked)?
}

fn start(mut command: Command, confined: bool) -> std::io::Result<Running> {
    let child = command.spawn()?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let group = pid
        .and_then(Pid::from_raw)
        .ok_or_else(|| std::io::Error::other("it has no number"))?;
    Ok(Running {
        group,
        confined,
        child,
    })
}

fn command(argv: &[String], user: &str) -> Step<Command> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| Failure::new(Reason::Internal, "argv is empty"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if !user.is_empty() {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let (uid, gid) = ids(&users, user).ok_or_else(|| {
            Failure::new(Reason::NotPermitted, format!("no user is named {user:?}"))
        })?;
        if geteuid().as_raw() == uid {
            // We are that user, and may not be allowed to become anybody.
        } else if geteuid().is_root() {
            // This also leaves all other groups.
            command.uid(uid).gid(gid);
        } else {
            return Err(Failure::new(
                Reason::NotPermitted,
                format!("only root may run it as {user:?}"),
            ));
        }
    }
    Ok(command)
}

fn unstarted(err: &std::io::Error) -> Failure {
    let reason = match err.kind() {
        std::io::ErrorKind::NotFound => Reason::Missing,
        std::io::ErrorKind::PermissionDenied => Reason::NotPermitted,
        _ => Reason::Internal,
    };
    Failure::new(reason, format!("it cannot be started: {err}"))
}

/// Who nobody is where no file says so, as in an image without users.
const NOBODY: (u32, u32) = (65534, 65534);

/// The numbers of a user and its group, in the words of `/etc/passwd`.
fn ids(users: &str, user: &str) -> Option<(u32, u32)> {
    let known = users
        .lines()
        .find(|line| line.split(':').next() == Some(user));
    let Some(line) = known else {
        return (user == "nobody").then_some(NOBODY);
    };
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Reads to the end; what is too much is let go.
async fn read(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return kept };
    let mut piece = vec![0; 8192];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let room = KEPT - kept.len();
        kept.extend_from_slice(&piece[..read.min(room)]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533::/:/x\nbroken:x\n";
        for (user, expected) in [
            ("root", Some((0, 0))),
            ("nobody", Some((65534, 65533))),
            ("no", None),
            ("broken", None),
            ("", None),
        ] {
            assert_eq!(ids(users, user), expected, "{user}");
        }
        assert_eq!(ids("", "nobody"), Some(NOBODY));
    }
}
