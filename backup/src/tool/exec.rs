//! A program inside a container, through the engine.
//!
//! The end of its output says nothing of how it ended: that is asked of the
//! engine. And the end of our connection does not end the program: it is started
//! by a shell that tells its number first, and killed by it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::process::Given;
use super::{Call, Error, Running, Said};

/// Tells the number of the process that becomes the program.
const SHELL: &str = "echo $$ >&2; exec \"$@\"";
const PATIENCE: Duration = Duration::from_secs(30);
/// How long whoever lets go of a program waits for an engine that does not answer.
const AT_THE_END: Duration = Duration::from_secs(10);

pub(super) async fn start(engine: &Docker, container: &str, call: Call) -> Result<Running, Error> {
    let failed = |reason: String| Error::Start {
        program: call.program.clone(),
        reason,
    };
    let mut command = vec![
        "sh".to_owned(),
        "-c".to_owned(),
        SHELL.to_owned(),
        "sh".to_owned(),
    ];
    command.push(call.program.clone());
    command.extend(call.arguments.iter().cloned());
    let mut environment: Vec<_> = call
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    environment.push("LC_ALL=C.UTF-8".to_owned());
    if !call.password.is_empty() {
        environment.push(format!("PGPASSWORD={}", call.password.expose()));
    }
    let options = CreateExecOptions {
        attach_stdin: Some(call.input),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        env: Some(environment),
        cmd: Some(command),
        ..CreateExecOptions::default()
    };
    let created = timeout(PATIENCE, engine.create_exec(container, options)).await;
    let created = created
        .map_err(|_| failed("the engine does not answer".into()))?
        .map_err(|err| failed(told(&err)))?;
    let options = StartExecOptions {
        detach: false,
        tty: false,
        output_capacity: Some(256 << 10),
    };
    let started = timeout(PATIENCE, engine.start_exec(&created.id, Some(options))).await;
    let started = started
        .map_err(|_| failed("the engine does not answer".into()))?
        .map_err(|err| failed(told(&err)))?;
    let StartExecResults::Attached {
        output: mut stream,
        input,
    } = started
    else {
        return Err(failed("the engine gives no output".into()));
    };
    let said = Said::new(call.password);
    let (give, output) = mpsc::channel(4);
    let (tell, end) = oneshot::channel();
    let listening = said.clone();
    let pid = Pid::default();
    let killing = Killing {
        engine: engine.clone(),
        container: container.to_owned(),
        pid: pid.clone(),
    };
    let engine = engine.clone();
    let keeper = tokio::spawn(async move {
        let mut first = Vec::new();
        while let Some(next) = stream.next().await {
            match next {
                Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                    if pass(&give, message).await.is_err() {
                        return;
                    }
                }
                Ok(LogOutput::StdErr { message }) if pid.get().is_none() => {
                    first.extend_from_slice(&message);
                    if let Some(end) = first.iter().position(|byte| *byte == b'\n') {
                        let number = String::from_utf8_lossy(&first[..end]);
                        pid.set(number.trim().parse().ok());
                        // A container without a shell says something else.
                        let rest = if pid.get().is_some() { end + 1 } else { 0 };
                        listening.note(&first[rest..]);
                    }
                }
                Ok(LogOutput::StdErr { message }) => listening.note(&message),
                Ok(LogOutput::StdIn { .. }) => {}
                Err(err) => {
                    let _ = give.send(Err(std::io::Error::other(told(&err)))).await;
                    return;
                }
            }
        }
        drop(give);
        let code = exit_code(&engine, &created.id).await;
        if code.is_ok() {
            pid.set(None);
        }
        let _ = tell.send(code);
    });
    Ok(Running {
        program: call.program,
        input: call.input.then_some(Box::new(input) as _),
        output,
        said,
        end,
        _keeper: AbortOnDropHandle::new(keeper),
        _killing: Some(killing),
    })
}

async fn pass(give: &Given, bytes: Bytes) -> Result<(), ()> {
    give.send(Ok(bytes)).await.map_err(|_| ())
}

async fn exit_code(engine: &Docker, exec: &str) -> Result<Option<i64>, String> {
    // Its output may end a moment before it does.
    for _ in 0..300 {
        let about = timeout(PATIENCE, engine.inspect_exec(exec)).await;
        let about = about.map_err(|_| "the engine does not answer")?;
        let about = about.map_err(|err| told(&err))?;
        if about.running == Some(false) {
            return Ok(code(about.exit_code));
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err("it closed its output and does not end".into())
}

/// The code that a program ended with; none when it was killed, of which the engine
/// makes a code too.
pub(super) fn code(told: Option<i64>) -> Option<i64> {
    told.filter(|code| *code != 137)
}

fn told(err: &bollard::errors::Error) -> String {
    err.to_string().chars().take(200).collect()
}

/// The number of a program's process in its container, while it runs.
#[derive(Clone, Default)]
struct Pid(Arc<Mutex<Option<u32>>>);

impl Pid {
    fn get(&self) -> Option<u32> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, pid: Option<u32>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = pid;
    }
}

/// Kills the program when the one who wanted it has gone.
pub(super) struct Killing {
    engine: Docker,
    container: String,
    pid: Pid,
}

impl Drop for Killing {
    fn drop(&mut self) {
        let Some(pid) = self.pid.get() else { return };
        let (engine, container) = (self.engine.clone(), self.container.clone());
        // We may end right afterwards, and what we leave to others would not be done.
        let thread = std::thread::Builder::new().name("kill".to_owned());
        let killing = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            let kill = async { timeout(AT_THE_END, kill(&engine, &container, pid)).await };
            let _ = runtime.block_on(kill);
        });
        let _ = killing.map(std::thread::JoinHandle::join);
    }
}

async fn kill(engine: &Docker, container: &str, pid: u32) {
    let options = CreateExecOptions {
        cmd: Some(vec![
            "sh".to_owned(),
            "-c".to_owned(),
            format!("kill -TERM {pid}"),
        ]),
        ..CreateExecOptions::default()
    };
    if let Ok(exec) = engine.create_exec(container, options).await {
        let detached = StartExecOptions {
            detach: true,
            ..StartExecOptions::default()
        };
        let _ = engine.start_exec(&exec.id, Some(detached)).await;
    }
}
