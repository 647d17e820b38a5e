//! A program as a process of this host.

use std::path::Path;
use std::process::Stdio;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::{Call, Error, Running, Said};

/// What a program is told of our environment.
const KEPT: [&str; 4] = ["PATH", "HOME", "TMPDIR", "TZ"];

pub(super) fn start(bin: Option<&Path>, call: Call) -> Result<Running, Error> {
    let path = bin.map_or_else(
        || call.program.clone().into(),
        |bin| bin.join(&call.program),
    );
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
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if !call.password.is_empty() {
        command.env("PGPASSWORD", call.password.expose());
    }
    let mut child = command.spawn().map_err(|err| Error::Start {
        program: call.program.clone(),
        reason: err.to_string(),
    })?;
    let said = Said::new(call.password);
    let input = child.stdin.take();
    let (give, output) = mpsc::channel(4);
    let (tell, end) = oneshot::channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let listening = said.clone();
    let keeper = tokio::spawn(async move {
        let print = async {
            let Some(mut stdout) = stdout else { return };
            loop {
                let mut bytes = BytesMut::with_capacity(256 << 10);
                match stdout.read_buf(&mut bytes).await {
                    Ok(0) => return,
                    Ok(_) => {
                        // Nobody listens any more: the program notices when it writes.
                        if give.send(Ok(bytes.freeze())).await.is_err() {
                            return;
                        }
                    }
                    Err(err) => {
                        let _ = give.send(Err(err)).await;
                        return;
                    }
                }
            }
        };
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
        tokio::join!(print, listen);
        drop(give);
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
    })
}

/// What both ways of running give their output as.
pub(super) type Given = mpsc::Sender<std::io::Result<Bytes>>;
