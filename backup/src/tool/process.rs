//! A program as a process of this host.

use std::io::{ErrorKind, PipeReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::{Call, Error, Running, Said};
use crate::apart;
use crate::blocks::Blocks;

/// What a program is told of our environment.
const KEPT: [&str; 4] = ["PATH", "HOME", "TMPDIR", "TZ"];
/// So much of its output may wait for us: the most that anybody is given.
const PIPE: usize = 1 << 20;
/// So much is read at a time.
const PIECE: usize = 256 << 10;
/// How long a program is left alone that has not filled a piece. pg_dump writes 4 KiB
/// at a time, and waking us for each would cost more than all else that is done to it.
const ALONE: Duration = Duration::from_millis(2);

pub(super) fn start(bin: Option<&Path>, call: Call) -> Result<Running, Error> {
    let failed = |reason: String| Error::Start {
        program: call.program.clone(),
        reason,
    };
    let path = bin.map_or_else(
        || call.program.clone().into(),
        |bin| bin.join(&call.program),
    );
    let (stdout, theirs) = std::io::pipe().map_err(|err| failed(err.to_string()))?;
    // Where others have taken all that there is, it stays as it is.
    let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE);
    let mut command = Command::new(path);
    command
        .args(&call.arguments)
        // Ours may hold secrets that are none of its business.
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| KEPT.iter().any(|kept| name == kept)))
        .envs(call.environment.iter().cloned())
        // Words of programs are looked for in what they say.
        .env("LC_ALL", "C.UTF-8")
        .stdin(if call.input {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(theirs)
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if !call.password.is_empty() {
        command.env("PGPASSWORD", call.password.expose());
    }
    let mut child = command.spawn().map_err(|err| failed(err.to_string()))?;
    // It holds their end of the pipe, which would never be at its end.
    drop(command);
    let said = Said::new(call.password.clone());
    let input = child.stdin.take();
    let (give, output) = mpsc::channel(4);
    let (tell, end) = oneshot::channel();
    let print = apart::thread(move || print(stdout, &give));
    let print = print.map_err(|err| failed(err.to_string()))?;
    let stderr = child.stderr.take();
    let listening = said.clone();
    let keeper = tokio::spawn(async move {
        let listen = async {
            let Some(mut stderr) = stderr else { return };
            let mut bytes = vec![0; 4096];
            while let Ok(read) = stderr.read(&mut bytes).await {
                if read == 0 {
                    return;
                }
                listening.note(&bytes[..read]);
            }
        };
        let _ = tokio::join!(print, listen);
        let ended = child.wait().await;
        let _ = tell.send(
            ended
                .map(|status| status.code().map(i64::from))
                .map_err(|err| err.to_string()),
        );
    });
    Ok(Running {
        program: call.program,
        input: input.map(|input| Box::new(input) as _),
        output,
        said,
        end,
        _keeper: AbortOnDropHandle::new(keeper),
        _killing: None,
    })
}

/// Passes on what is printed, until its end or until nobody listens any more: the
/// program notices that when it writes.
fn print(mut stdout: PipeReader, give: &Given) {
    let blocks = Blocks::of(PIECE);
    loop {
        let mut block = blocks.lend();
        let read = match stdout.read(block.room()) {
            Ok(0) => return,
            Ok(read) => read,
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            Err(err) => {
                let _ = give.blocking_send(Err(err));
                return;
            }
        };
        block.fill(read);
        let full = block.is_full();
        if give.blocking_send(Ok(block.bytes())).is_err() {
            return;
        }
        if !full {
            std::thread::sleep(ALONE);
        }
    }
}

/// What both ways of running give their output as.
pub(super) type Given = mpsc::Sender<std::io::Result<Bytes>>;
