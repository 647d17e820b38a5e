//! A real mail server that takes every mail, cannot bring some on, and hands what comes
//! back of them to Belfry: exim again.
//!
//! It takes mail from whoever is on this host. Mail for `far.example` it brings to
//! another server, which the test has; mail for `belfry-bounces` goes where a file of
//! aliases has it, down a pipe; everything else into the mailbox.

use std::fs;
use std::path::Path;
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
        smtp.alias("");
        smtp
    }

    /// Hands over to the Belfry at this address what comes back from now on.
    pub(crate) fn hand_over_to(&self, address: &str) {
        self.pipe(&format!("bounce --url http://{address}"));
    }

    /// Hands over what comes back to the Belfry of this configuration, wherever it is.
    pub(crate) fn hand_over_by(&self, config: &Path) {
        self.pipe(&format!("--config {} bounce", config.display()));
    }

    /// A line as in `/etc/aliases`.
    fn pipe(&self, arguments: &str) {
        let belfry = self.folder().join("belfry");
        self.alias(&format!(
            "belfry-bounces: \"|{} {arguments}\"\n",
            belfry.display()
        ));
    }

    fn alias(&self, line: &str) {
        let aliases = self.folder().join("aliases");
        // In one step, as exim may read it just now.
        let fresh = aliases.with_extension("new");
        fs::write(&fresh, line).expect("the aliases");
        fs::rename(fresh, aliases).expect("the aliases in their place");
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
  driver = redirect
  data = ${lookup{$local_part}lsearch{{folder}/aliases}}
  pipe_transport = address_pipe
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
address_pipe:
  driver = pipe
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
