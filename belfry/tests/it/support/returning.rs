//! A real mail server that takes every mail, cannot bring some on, and hands what comes
//! back of them to Belfry: exim again.
//!
//! It takes mail from whoever is on this host. Mail for `far.example` it brings to
//! another server, which the test has; mail for `belfry-bounces` goes down a pipe;
//! everything else into the mailbox.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::program;
use super::smtp::Smtp;

impl Smtp {
    /// Starts one that brings mail for `far.example` to this port of this host.
    #[track_caller]
    pub(crate) fn returning(far: u16) -> Self {
        let smtp = Self::with(&CONFIGURATION.replace("{far}", &far.to_string()));
        // Its user may not look into the folder of whoever builds.
        let (built, here) = (env!("CARGO_BIN_EXE_belfry"), smtp.folder().join("belfry"));
        fs::hard_link(built, &here)
            .or_else(|_| fs::copy(built, &here).map(drop))
            .expect("the program in the scratch folder");
        smtp
    }

    /// Hands over to the Belfry at this address what comes back from now on.
    pub(crate) fn hand_over_to(&self, address: &str) {
        let folder = self.folder();
        let script = folder.join("hand-over");
        let belfry = folder.join("belfry");
        let text = format!(
            "#!/bin/sh\nexec {} bounce --url http://{address}\n",
            belfry.display()
        );
        fs::write(&script, text).expect("a script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    /// Has it try everything in its queue now.
    #[track_caller]
    pub(crate) fn run_queue(&self) {
        let mut command = Command::new(program::find("exim4", "exim4-daemon-light"));
        let configuration = self.folder().join("exim.conf");
        program::run(command.arg("-C").arg(configuration).arg("-qff"));
    }

    /// What it wrote into its log.
    pub(crate) fn main_log(&self) -> String {
        fs::read_to_string(self.folder().join("log/mainlog")).unwrap_or_default()
    }
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
acl_smtp_rcpt = recipient
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s

begin acl
recipient:
  accept hosts = 127.0.0.1

begin routers
bounces:
  driver = accept
  local_parts = belfry-bounces
  transport = bounces
far:
  driver = manualroute
  domains = far.example
  transport = far
  route_list = * 127.0.0.1::{far}
  self = send
any:
  driver = accept
  transport = mailbox

begin transports
bounces:
  driver = pipe
  command = {folder}/hand-over
  user = {exim}
  group = {exim}
  log_output
far:
  driver = smtp
  hosts_avoid_tls = *
  allow_localhost
mailbox:
  driver = appendfile
  directory = {folder}/mailbox
  maildir_format
  user = {exim}
  group = {exim}
  envelope_to_add
  return_path_add

begin retry
* * F,1h,1s
"#;
