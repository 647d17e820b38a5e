//! Debian's exim, as a daemon with a configuration and spool of its own. It
//! takes mail only from those who log in over TLS, and delivers all of it into
//! one Maildir.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mailparse::MailHeaderMap as _;
use tempfile::TempDir;

use super::claim::{self, Claim};
use super::until;

const USER: &str = "Debian-exim";

pub(crate) struct Exim {
    daemon: Child,
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    folder: TempDir,
    _ports: [Claim; 2],
}

/// A mail as it lies in the mailbox.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Received {
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = self
            .fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

impl Exim {
    /// Writes an authority (`ca.pem`) and a certificate for `localhost` (`cert.pem`,
    /// `cert.key`) into a folder.
    pub(crate) fn certificates(folder: &Path) {
        certificate(folder);
    }

    pub(crate) async fn start() -> Self {
        Self::knowing(PASSWORDS).await
    }

    /// With other ways of logging in.
    pub(crate) async fn knowing(authenticators: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("belfry-exim-")
            .tempdir()
            .unwrap();
        // exim's own user walks through it.
        run("chmod", &["755", &path(folder.path())]);
        for name in ["spool", "log", "mailbox"] {
            let inner = folder.path().join(name);
            fs::create_dir(&inner).unwrap();
            let (user, group) = ids();
            chown(&inner, Some(user), Some(group)).unwrap();
        }
        certificate(folder.path());
        let claims = [claim::port(), claim::port()];
        let [port, tls_port] = claims.each_ref().map(|it| it.number);
        let text = CONFIGURATION
            .replace("{folder}", &path(folder.path()))
            .replace("{port}", &port.to_string())
            .replace("{tls_port}", &tls_port.to_string())
            .replace("{exim}", USER)
            + authenticators;
        let file = folder.path().join("exim.conf");
        fs::write(&file, text).unwrap();
        let mut command = Command::new("/usr/sbin/exim4");
        command
            .arg("-C")
            .arg(&file)
            .args(["-bdf", "-q1m"])
            .stdin(Stdio::null());
        command.stderr(fs::File::create(folder.path().join("stderr")).unwrap());
        let daemon = command
            .spawn()
            .expect("exim4 runs: apt-get install exim4-daemon-light");
        until("exim", async || {
            let up = [port, tls_port]
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok());
            up.then_some(())
        })
        .await;
        Self {
            daemon,
            port,
            tls_port,
            folder,
            _ports: claims,
        }
    }

    /// The certificate to trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The `mail` section that it accepts, but for the server's port.
    pub(crate) fn section(&self, port: u16) -> String {
        format!(
            "to: 'Ops <ops@example.org>, dev@example.org', from: 'Belfry <belfry@example.org>', \
             smarthost: 'localhost:{port}', username: belfry, password: 'a pass word', ca_file: '{}'",
            path(&self.authority())
        )
    }

    /// Waits until there are `count` mails; the oldest first.
    pub(crate) async fn mails(&self, count: usize) -> Vec<Received> {
        until("a mail", async || {
            let mails = self.read();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }

    pub(crate) fn read(&self) -> Vec<Received> {
        let folder = self.folder.path().join("mailbox/new");
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new(); // made with the first mail
        };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
            .iter()
            .map(|file| received(&fs::read(file).unwrap()))
            .collect()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn received(bytes: &[u8]) -> Received {
    let mail = mailparse::parse_mail(bytes).unwrap();
    let body = |kind: &str| {
        let part = mail
            .subparts
            .iter()
            .find(|part| part.ctype.mimetype == kind);
        part.map(|part| part.get_body().unwrap())
            .unwrap_or_default()
    };
    assert!(
        mail.headers.get_first_value("Received").is_some(),
        "a server had it"
    );
    Received {
        fields: mail
            .headers
            .iter()
            .map(|it| (it.get_key(), it.get_value()))
            .collect(),
        text: body("text/plain"),
        html: body("text/html"),
    }
}

fn ids() -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd
        .lines()
        .find(|line| line.starts_with(&format!("{USER}:")));
    let line = line.unwrap_or_else(|| panic!("no user {USER}: apt-get install exim4-daemon-light"));
    let ids: Vec<u32> = line
        .split(':')
        .skip(2)
        .take(2)
        .map(|id| id.parse().unwrap())
        .collect();
    (ids[0], ids[1])
}

/// An authority, and a certificate for `localhost` that it signed.
fn certificate(folder: &Path) {
    let file = |name: &str| path(&folder.join(name));
    let key = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-noenc",
    ];
    let make = |rest: &[&str]| run("openssl", &[&key[..], rest].concat());
    let (ca, ca_key) = (file("ca.pem"), file("ca.key"));
    make(&[
        "-subj",
        "/CN=Test authority",
        "-out",
        &ca,
        "-keyout",
        &ca_key,
    ]);
    make(&[
        "-subj",
        "/CN=localhost",
        "-out",
        &file("cert.pem"),
        "-keyout",
        &file("cert.key"),
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    run("chmod", &["644", &file("cert.key")]);
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|err| panic!("{program}: {err}: apt-get install {program}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
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
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/cert.key
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = recipient
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 50

begin acl
recipient:
  deny message = no such person
       local_parts = gone
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
  batch_max = 100

begin authenticators
"#;

const PASSWORDS: &str = r#"
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{belfry}}{eq{$auth3}{a pass word}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{belfry}}{eq{$auth2}{a pass word}}}}
  server_set_id = $auth1
"#;
