//! A mail server that does what it is told, wrong things above all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{now_ms, within};

/// A point of the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Greeting,
    Ehlo,
    Mail,
    Rcpt,
    Data,
    /// Half of the mail's lines have come.
    Middle,
    /// The mail is whole, and accepted as far as we are concerned.
    Dot,
}

/// What the sink does at a stage, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Says this instead of yes.
    Say(Stage, &'static str),
    /// Breaks the connection.
    Drop(Stage),
    /// Says nothing more, and leaves the connection open.
    Hang(Stage),
    /// Has no complaint in this connection.
    Behave,
    /// Breaks the connection after a mail that it took.
    Once,
}

/// A mail that the sink took: its recipients and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) id: String,
    /// All of it, header and body.
    pub(crate) text: String,
    /// When its last line came, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

pub(crate) struct Sink {
    pub(crate) port: u16,
    taken: mpsc::UnboundedReceiver<Taken>,
    /// Stages that were reached, by any connection.
    pub(crate) reached: watch::Receiver<Vec<Stage>>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    /// One for each connection to come; those after it behave.
    script: Mutex<VecDeque<Act>>,
    taken: mpsc::UnboundedSender<Taken>,
    reached: watch::Sender<Vec<Stage>>,
    extensions: &'static str,
}

impl Sink {
    pub(crate) async fn start(script: &[Act]) -> Self {
        Self::listen(0, script, "").await
    }

    /// On a port of choice, with more lines in its answer to EHLO.
    pub(crate) async fn listen(port: u16, script: &[Act], extensions: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, receiver) = mpsc::unbounded_channel();
        let (reached, watcher) = watch::channel(Vec::new());
        let shared = Arc::new(Shared {
            script: Mutex::new(script.iter().copied().collect()),
            taken,
            reached,
            extensions,
        });
        let server = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let act = server
                    .script
                    .lock()
                    .unwrap()
                    .pop_front()
                    .unwrap_or(Act::Behave);
                tokio::spawn(talk(stream, act, Arc::clone(&server)));
            }
        });
        Self {
            port,
            taken: receiver,
            reached: watcher,
            shared,
            task,
        }
    }

    /// The next mail that it took.
    pub(crate) async fn next(&mut self) -> Taken {
        within("a mail", self.taken.recv()).await.unwrap()
    }

    /// A mail that it took already.
    pub(crate) fn ready(&mut self) -> Option<Taken> {
        self.taken.try_recv().ok()
    }

    /// Waits until a connection has come to a stage.
    pub(crate) async fn reached(&mut self, stage: Stage) {
        let wait = self.reached.wait_for(|reached| reached.contains(&stage));
        within("a stage", wait).await.unwrap();
    }

    /// Whether acts are left to be done.
    pub(crate) fn is_done(&self) -> bool {
        self.shared.script.lock().unwrap().is_empty()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn talk(stream: TcpStream, act: Act, shared: Arc<Shared>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut to: Vec<String> = Vec::new();
    answer(&mut stream, Stage::Greeting, act, &shared, "220 sink").await?;
    loop {
        let line = line(&mut stream).await?;
        let word = line
            .split([' ', ':'])
            .next()
            .unwrap_or("")
            .to_ascii_uppercase();
        match &*word {
            "EHLO" => {
                let reply = format!("250-sink\r\n{}250 8BITMIME", shared.extensions);
                answer(&mut stream, Stage::Ehlo, act, &shared, &reply).await?;
            }
            "MAIL" => answer(&mut stream, Stage::Mail, act, &shared, "250 ok").await?,
            "RCPT" if line.contains("bad@") => say(&mut stream, "550 no such person").await?,
            "RCPT" => {
                to.push(line[line.find('<')? + 1..line.find('>')?].to_owned());
                answer(&mut stream, Stage::Rcpt, act, &shared, "250 ok").await?;
            }
            "DATA" => {
                answer(&mut stream, Stage::Data, act, &shared, "354 go on").await?;
                mail(&mut stream, &mut to, act, &shared).await?;
            }
            "QUIT" => return say(&mut stream, "221 bye").await,
            _ => say(&mut stream, "250 ok").await?,
        }
    }
}

async fn mail(
    stream: &mut BufReader<TcpStream>,
    to: &mut Vec<String>,
    act: Act,
    shared: &Shared,
) -> Option<()> {
    let mut taken = Taken {
        to: std::mem::take(to),
        subject: String::new(),
        id: String::new(),
        text: String::new(),
        at_ms: 0,
    };
    loop {
        let line = line(stream).await?;
        if line == "." {
            break;
        }
        // A point that begins a line is doubled on the way.
        taken.text += line.strip_prefix('.').unwrap_or(&line);
        taken.text += "\r\n";
        if let Some(subject) = line.strip_prefix("Subject: ") {
            taken.subject = subject.to_owned();
            pass(Stage::Middle, act, shared).await?;
        }
        if let Some(id) = line.strip_prefix("Message-ID: ") {
            taken.id = id.to_owned();
        }
    }
    taken.at_ms = now_ms();
    if !matches!(act, Act::Say(Stage::Dot, _)) {
        shared.taken.send(taken).ok()?;
    }
    answer(stream, Stage::Dot, act, shared, "250 taken").await?;
    (act != Act::Once).then_some(())
}

/// Passes a stage, or ends there.
async fn pass(stage: Stage, act: Act, shared: &Shared) -> Option<()> {
    shared.reached.send_modify(|reached| reached.push(stage));
    match act {
        Act::Drop(at) if at == stage => None,
        Act::Hang(at) if at == stage => std::future::pending().await,
        _ => Some(()),
    }
}

async fn answer(
    stream: &mut BufReader<TcpStream>,
    stage: Stage,
    act: Act,
    shared: &Shared,
    yes: &str,
) -> Option<()> {
    pass(stage, act, shared).await?;
    match act {
        Act::Say(at, no) if at == stage => say(stream, no).await,
        _ => say(stream, yes).await,
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

async fn say(stream: &mut BufReader<TcpStream>, text: &str) -> Option<()> {
    stream
        .get_mut()
        .write_all(format!("{text}\r\n").as_bytes())
        .await
        .ok()
}
