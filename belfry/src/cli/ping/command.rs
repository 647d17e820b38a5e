//! Running a job with its output passed on and its end remembered.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time;

use crate::out;

/// So much of the end of what the job said is told.
const KEPT: usize = 10 << 10;
/// What the job has left running may hold its output open for so long.
const LINGER: Duration = Duration::from_secs(1);

/// How a job ended.
pub(super) struct Ended {
    /// Its exit code; 128 and the signal's number if one ended it.
    pub(super) code: u8,
    /// The end of what it said on both outputs.
    pub(super) output: Vec<u8>,
}

/// Runs it to its end.
pub(super) async fn run(program: &OsStr, arguments: &[OsString]) -> Ended {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(err) => {
            let said = format!("cannot run {}: {err}", program.display());
            out::error(format_args!("belfry: {said}"));
            // As shells have it: not found, or found and not to be run.
            let code = if err.kind() == io::ErrorKind::NotFound {
                127
            } else {
                126
            };
            return Ended {
                code,
                output: said.into_bytes(),
            };
        }
    };
    let tail = std::cell::RefCell::new(VecDeque::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let copying = async {
        tokio::join!(
            pass_on(stdout, || io::stdout().lock(), &tail),
            pass_on(stderr, || io::stderr().lock(), &tail),
        );
    };
    tokio::pin!(copying);
    let mut done = false;
    let status = loop {
        tokio::select! {
            () = &mut copying, if !done => done = true,
            status = end(&mut child) => break status,
        }
    };
    if !done {
        let _ = time::timeout(LINGER, &mut copying).await;
    }
    let code = status.map_or(126, code);
    let output = tail.borrow().iter().copied().collect();
    Ended { code, output }
}

fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

/// Waits for the end; whoever wants to end us wants to end the job.
async fn end(child: &mut Child) -> io::Result<ExitStatus> {
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        let told = tokio::select! {
            status = child.wait() => return status,
            _ = terminate.recv() => Signal::TERM,
            _ = interrupt.recv() => Signal::INT,
            _ = hangup.recv() => Signal::HUP,
        };
        if let Some(pid) = pid {
            // It may have ended just now.
            let _ = kill_process(pid, told);
        }
    }
}

/// Copies until the end, and keeps the last of it.
async fn pass_on<W: Write>(
    from: Option<impl AsyncRead + Unpin>,
    to: impl Fn() -> W,
    tail: &std::cell::RefCell<VecDeque<u8>>,
) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 8 << 10];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => &buffer[..read],
        };
        // Nobody reads it any more: the job is not to notice.
        let _ = to().write_all(read).and_then(|()| to().flush());
        let mut tail = tail.borrow_mut();
        tail.extend(read);
        let beyond = tail.len().saturating_sub(KEPT);
        tail.drain(..beyond);
    }
}
