//! A real mail server: Debian's exim, with a configuration and a spool of the test's own.
//!
//! It offers STARTTLS on one port and TLS from the first byte on another, takes
//! mail only from those who log in, and delivers any address into one mailbox,
//! which the test reads.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::certificate::Certificate;
use super::claim::{self, Claim};
use super::mail::Mail;
use super::process::Process;
use super::scratch::Scratch;
use super::{poll, program};

/// Debian's user for exim; a server that runs as root refuses to deliver as root.
const USER: &str = "Debian-exim";

/// A running exim and its mailbox.
pub(crate) struct Smtp {
    // The order is that of the end: the process first, its folder last.
    process: Option<Process>,
    port: Claim,
    tls_port: Claim,
    certificate: Certificate,
    scratch: Scratch,
}

impl Smtp {
    /// The name and password it wants, over TLS only.
    pub(crate) const LOGIN: (&str, &str) = ("belfry", "a pass word");

    /// Starts a server for `localhost`.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(CONFIGURATION)
    }

    /// Starts one with a configuration of its own.
    #[track_caller]
    pub(super) fn with(configuration: &str) -> Self {
        let scratch = Scratch::new();
        let certificate = Certificate::for_host("localhost", &scratch.path);
        let mut smtp = Self {
            process: None,
            port: claim::port(),
            tls_port: claim::port(),
            certificate,
            scratch,
        };
        smtp.prepare(configuration);
        smtp.resume();
        smtp
    }

    /// The port where a client begins in the clear and may say STARTTLS.
    pub(crate) fn port(&self) -> u16 {
        self.port.number
    }

    /// The port that speaks TLS from the start.
    pub(crate) fn tls_port(&self) -> u16 {
        self.tls_port.number
    }

    /// The certificate that a client must trust.
    pub(crate) fn authority(&self) -> &Path {
        &self.certificate.authority
    }

    /// Ends the server; its ports refuse.
    #[track_caller]
    pub(crate) fn halt(&mut self) {
        let mut process = self.process.take().expect("exim runs");
        process.stop();
        // A process that it made for a client a moment ago still holds the ports, briefly.
        poll::holds("the ports of exim should refuse", || {
            !self.ports().into_iter().any(listens)
        });
    }

    /// Starts the server again on the same ports and spool.
    #[track_caller]
    pub(crate) fn resume(&mut self) {
        assert!(self.process.is_none(), "exim runs already");
        let mut command = Command::new(program::find("exim4", "exim4-daemon-light"));
        command
            .arg("-C")
            .arg(self.scratch.path.join("exim.conf"))
            .arg("-bdf");
        let process = Process::spawn("exim", &mut command, &self.scratch.path.join("exim.log"));
        let ports = self.ports();
        let process = self.process.insert(process);
        process.ready("exim should listen", || {
            ports.into_iter().all(listens).then_some(())
        });
    }

    /// All mails in the mailbox, in the order in which the server took them.
    #[track_caller]
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let Ok(entries) = fs::read_dir(self.mailbox().join("new")) else {
            return Vec::new(); // exim makes the mailbox with the first mail
        };
        let files = entries.flatten().map(|entry| entry.path());
        let mut mails: Vec<Mail> = files
            .map(|file| Mail::parse(&fs::read(file).expect("a mail in the mailbox")))
            .collect();
        // Deliveries run side by side, so the files' own names say little.
        mails.sort_by_cached_key(taken);
        mails
    }

    /// Waits until the mailbox holds at least `count` mails, and returns all.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Mail> {
        poll::until(&format!("{count} mails should arrive"), || {
            Some(self.mails()).filter(|mails| mails.len() >= count)
        })
    }

    /// Its folder, which its user can enter.
    pub(super) fn folder(&self) -> &Path {
        &self.scratch.path
    }

    fn ports(&self) -> [u16; 2] {
        [self.port(), self.tls_port()]
    }

    fn mailbox(&self) -> PathBuf {
        self.scratch.path.join("mailbox")
    }

    #[track_caller]
    fn prepare(&self, configuration: &str) {
        for folder in ["spool", "log", "mailbox"] {
            self.scratch.folder_for(folder, USER);
        }
        // exim reads the key as its own user.
        program::run(Command::new("chmod").arg("644").arg(&self.certificate.key));
        let (user, password) = Self::LOGIN;
        let text = configuration
            .replace("{folder}", &self.scratch.path.display().to_string())
            .replace("{port}", &self.port().to_string())
            .replace("{tls_port}", &self.tls_port().to_string())
            .replace(
                "{certificate}",
                &self.certificate.chain.display().to_string(),
            )
            .replace("{key}", &self.certificate.key.display().to_string())
            .replace("{exim}", USER)
            .replace("{user}", user)
            .replace("{password}", password);
        self.scratch.file("exim.conf", &text);
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// When exim took a mail: its number there is `SECONDS-PROCESS-FRACTION`, in digits that sort.
fn taken(mail: &Mail) -> (String, String) {
    let received = mail.header("received");
    let number = received
        .split_once(" id ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    let mut parts = number.unwrap_or_default().splitn(3, '-').map(str::to_owned);
    let seconds = parts.next().unwrap_or_default();
    (seconds, parts.nth(1).unwrap_or_default())
}

const CONFIGURATION: &str = r#"
primary_hostname = localhost
exim_user = {exim}
exim_group = {exim}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
# A password in the clear is not even asked for.
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = recipient
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
queue_run_in_order = true

begin acl
recipient:
  accept authenticated = *
  deny message = authentication required

begin routers
any:
  driver = accept
  transport = mailbox

begin transports
mailbox:
  driver = appendfile
  directory = {folder}/mailbox
  maildir_format
  user = {exim}
  group = {exim}
  envelope_to_add
  return_path_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{{user}}}{eq{$auth3}{{password}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{{user}}}{eq{$auth2}{{password}}}}}
  server_set_id = $auth1
"#;
