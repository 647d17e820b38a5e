//! A mail server that misbehaves as told, and notes what came and when.
//!
//! For faults only: what a good server does is tested with exim.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, SystemTime};

use super::certificate::Certificate;
use super::claim::{self, Claim};
use super::mail::Mail;
use super::poll;

mod session;

/// Where in a session something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the server's first line.
    Greeting,
    /// At `MAIL FROM`.
    Sender,
    /// At `RCPT TO`.
    Recipient,
    /// While the content is being sent.
    Content,
    /// When the content is complete.
    End,
}

/// What the sink does with one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Takes the mail.
    Accept,
    /// Answers at a stage with a code such as 451 or 550.
    Reply(Stage, u16),
    /// Never answers at a stage, and keeps the connection.
    Silence(Stage),
    /// Closes the connection at a stage.
    Drop(Stage),
}

/// What the sink asks of every client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demands {
    /// Offers STARTTLS with this certificate, and takes mail only after it.
    pub(crate) certificate: Option<Certificate>,
    /// Takes mail only from this name and password (AUTH PLAIN).
    pub(crate) login: Option<(String, String)>,
}

/// A mail that the sink said yes to.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) at: SystemTime,
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) mail: Mail,
}

#[derive(Debug, Default)]
struct Notes {
    attempts: Vec<SystemTime>,
    received: Vec<Received>,
}

/// Connections that are served at a time.
const AT_ONCE: usize = 500;

/// A scripted mail server. It listens from [`Sink::open`] to [`Sink::close`].
pub(crate) struct Sink {
    port: Claim,
    at: Ipv4Addr,
    script: Arc<Vec<Act>>,
    demands: Arc<Demands>,
    notes: Arc<Mutex<Notes>>,
    listening: Option<Listening>,
}

struct Listening {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
    /// Held by the thread, and by each connection that is served.
    served: Weak<()>,
}

impl Sink {
    /// Listens at once; the n-th connection gets the n-th act, later ones the last.
    pub(crate) fn start(script: &[Act]) -> Self {
        Self::demanding(script, Demands::default())
    }

    /// Like [`Sink::start`], with demands on the client.
    pub(crate) fn demanding(script: &[Act], demands: Demands) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, script, demands)
    }

    /// Takes mail from hosts in namespaces too.
    pub(crate) fn for_all_hosts() -> Self {
        Self::at(Ipv4Addr::UNSPECIFIED, &[Act::Accept], Demands::default())
    }

    fn at(at: Ipv4Addr, script: &[Act], demands: Demands) -> Self {
        assert!(!script.is_empty(), "a sink needs at least one act");
        let mut sink = Self {
            port: claim::port(),
            at,
            script: Arc::new(script.to_vec()),
            demands: Arc::new(demands),
            notes: Arc::default(),
            listening: None,
        };
        sink.open();
        sink
    }

    /// Its port, the same whether it listens or not.
    pub(crate) fn port(&self) -> u16 {
        self.port.number
    }

    /// When each connection came.
    pub(crate) fn attempts(&self) -> Vec<SystemTime> {
        self.notes.lock().unwrap().attempts.clone()
    }

    /// What it took, in order.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.notes.lock().unwrap().received.clone()
    }

    /// How many mails it took.
    pub(crate) fn count(&self) -> usize {
        self.notes.lock().unwrap().received.len()
    }

    /// Begins to listen.
    pub(crate) fn open(&mut self) {
        let listener = TcpListener::bind((self.at, self.port())).expect("the port is ours");
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let (script, demands, notes) = (
            Arc::clone(&self.script),
            Arc::clone(&self.demands),
            Arc::clone(&self.notes),
        );
        let served = Arc::new(());
        let weak = Arc::downgrade(&served);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if told.load(Ordering::Acquire) {
                    return;
                }
                let count = {
                    let mut notes = notes.lock().unwrap();
                    notes.attempts.push(SystemTime::now());
                    notes.attempts.len()
                };
                let act = script[(count - 1).min(script.len() - 1)];
                let (demands, notes) = (Arc::clone(&demands), Arc::clone(&notes));
                // Others wait to be accepted: a peer may come with thousands at once.
                let seat = Arc::clone(&served);
                while Arc::strong_count(&seat) > AT_ONCE {
                    thread::sleep(Duration::from_millis(1));
                }
                thread::spawn(move || {
                    let _seat = seat;
                    // A client that goes away in the middle is what some tests are about.
                    let _ = session::serve(stream, act, &demands, |mail| {
                        notes.lock().unwrap().received.push(mail);
                    });
                });
            }
        });
        self.listening = Some(Listening {
            stop,
            thread,
            served: weak,
        });
    }

    /// Waits until it has read all that clients sent which are gone by now; this is a
    /// connection too.
    pub(crate) fn settle(&self) {
        let listening = self.listening.as_ref().expect("it listens");
        // Greeted last, as all that connected before are served by then.
        let mut last = TcpStream::connect(("127.0.0.1", self.port())).expect("it listens");
        let _ = last.read(&mut [0]);
        drop(last);
        poll::holds("the sink should have read all", || {
            listening.served.strong_count() == 1
        });
    }

    /// Stops listening: from now on the port refuses.
    pub(crate) fn close(&mut self) {
        let Some(Listening { stop, thread, .. }) = self.listening.take() else {
            return;
        };
        stop.store(true, Ordering::Release);
        // Wakes the thread, which then sees that it is to end.
        let _ = TcpStream::connect(("127.0.0.1", self.port()));
        thread.join().expect("the sink did not panic");
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.close();
    }
}
