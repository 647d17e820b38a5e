//! Chromium's DevTools protocol over a pair of pipes: requests and answers as JSON, each ended by a zero byte.
//!
//! No WebSocket and no port: Chromium reads from its file descriptor 3 and writes to 4.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::program;

/// Beyond what a page of ours may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(120);

/// One end of the conversation with a browser.
pub(crate) struct DevTools {
    requests: File,
    messages: Receiver<Value>,
    /// Events that came before anybody waited for them.
    events: Vec<Value>,
    last: u64,
}

impl DevTools {
    /// Makes the pipes `requests` and `answers` in a folder, for the browser to open.
    pub(crate) fn prepare(folder: &Path) -> Self {
        let (requests, answers) = (folder.join("requests"), folder.join("answers"));
        program::run(Command::new("mkfifo").arg(&requests).arg(&answers));
        // For reading and writing, so that opening waits for no other side.
        let open = |path: &Path| {
            File::options()
                .read(true)
                .write(true)
                .open(path)
                .expect("our own pipe")
        };
        let (sender, messages) = mpsc::channel();
        let mut answers = BufReader::new(open(&answers));
        thread::spawn(move || {
            let mut message = Vec::new();
            while answers
                .read_until(0, &mut message)
                .is_ok_and(|length| length > 0)
            {
                message.pop();
                let parsed = serde_json::from_slice(&message).expect("DevTools speaks JSON");
                if sender.send(parsed).is_err() {
                    return;
                }
                message.clear();
            }
        });
        Self {
            requests: open(&requests),
            messages,
            events: Vec::new(),
            last: 0,
        }
    }

    /// Calls a method of a page (or of the browser) and returns its result.
    #[track_caller]
    pub(crate) fn call(&mut self, page: Option<&str>, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut request = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(page) = page {
            request["sessionId"] = json!(page);
        }
        self.requests
            .write_all(format!("{request}\0").as_bytes())
            .expect("the browser reads");
        let id = json!(self.last);
        let mut answer = self.wait(method, |message| message["id"] == id);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].take()
    }

    /// Waits for an event of this name with these parameters, or takes one that came already.
    #[track_caller]
    pub(crate) fn event(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) {
        let fits = |message: &Value| message["method"] == name && wanted(&message["params"]);
        let came = self.events.iter().any(fits);
        self.events.clear();
        if !came {
            self.wait(name, fits);
        }
    }

    #[track_caller]
    fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) if wanted(&message) => return message,
                Ok(message) if message["id"].is_null() => self.events.push(message),
                Ok(_) => {}
                Err(_) => panic!("the browser did not answer within {LIMIT:?}: {what}"),
            }
        }
    }
}
