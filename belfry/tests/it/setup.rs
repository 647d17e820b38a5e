//! Configurations for the tests: fast clocks, and a rule that is easy to make true.

use std::fs;
use std::path::PathBuf;

use crate::support::engine::Engine;
use crate::support::scratch::Scratch;
use crate::support::smtp::Smtp;

/// Fires while [`Setup::switch`] is on.
const SWITCH: &str = "\
- alert: Switched
  expr: last_over_time(test_switch[30s]) == 1
  for: FOR
  labels: {severity: critical}
  annotations: {summary: the switch is on, runbook_url: /runbooks/target-down}
";

/// A configuration with files of its own beside it.
pub(crate) struct Setup {
    scratch: Scratch,
    socket: PathBuf,
    rules: Option<String>,
    exporter: String,
    rest: String,
}

impl Setup {
    /// Collects and evaluates every second; no engine, no mail, the shipped rules.
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path.join("textfiles")).expect("a folder of our own");
        let socket = scratch.path.join("no-engine.sock");
        Self {
            scratch,
            socket,
            rules: None,
            exporter: String::new(),
            rest: String::new(),
        }
    }

    /// Like [`Setup::new`], with no rule but one that follows the switch, `for` so long.
    pub(crate) fn switched(hold: &str) -> Self {
        let setup = Self::new().rules(&SWITCH.replace("FOR", hold));
        setup.switch(false);
        setup
    }

    /// Turns the switch; the next collection sees it.
    pub(crate) fn switch(&self, on: bool) {
        let file = self
            .scratch
            .file("switch.new", &format!("test_switch {}\n", u8::from(on)));
        fs::rename(file, self.scratch.path.join("textfiles/switch.prom"))
            .expect("a rename in one folder");
    }

    /// Watches this engine.
    pub(crate) fn engine(mut self, engine: &Engine) -> Self {
        self.socket = engine.socket();
        self
    }

    /// Watches whatever listens on this socket.
    pub(crate) fn socket(mut self, path: PathBuf) -> Self {
        self.socket = path;
        self
    }

    /// Evaluates these rules as one group, and no others.
    pub(crate) fn rules(mut self, rules: &str) -> Self {
        self.rules = Some(rules.to_owned());
        self
    }

    /// Mails through this port without encryption, at once, and again after `repeat`.
    pub(crate) fn mail(self, port: u16, repeat: &str) -> Self {
        // Whoever gives up on a sink that had no time for it mails once more.
        self.mail_within(port, repeat, "1m")
    }

    /// The same, and gives up on a server that says nothing for so long.
    pub(crate) fn mail_within(self, port: u16, repeat: &str, timeout: &str) -> Self {
        self.part(&format!(
            "mail: {{smarthost: '127.0.0.1:{port}', from: belfry@example.org, to: ops@example.org, tls: none, timeout: {timeout}}}"
        ))
        .routes(repeat)
    }

    /// Mails through a real server, encrypted and with a login, at once and again after `repeat`.
    pub(crate) fn real_mail(self, smtp: &Smtp, repeat: &str) -> Self {
        let (name, word) = Smtp::LOGIN;
        self.part(&format!(
            "mail: {{smarthost: 'localhost:{}', from: belfry@example.org, to: ops@example.org, tls: starttls, \
             username: {name}, password: {word}, ca_file: {:?}}}",
            smtp.port(),
            smtp.authority()
        ))
        .routes(repeat)
    }

    /// Groups at once, and repeats after `repeat`.
    pub(crate) fn routes(self, repeat: &str) -> Self {
        self.part(&format!(
            "alerter:\n  route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: {repeat}}}\n  \
             receivers: [{{name: ops, email_configs: [{{to: ops@example.org, send_resolved: true}}]}}]"
        ))
    }

    /// Adds a line to the section of the collectors.
    pub(crate) fn exporter(mut self, yaml: &str) -> Self {
        self.exporter.push_str(&format!("  {yaml}\n"));
        self
    }

    /// Adds a piece of YAML.
    pub(crate) fn part(mut self, yaml: &str) -> Self {
        self.rest.push_str(yaml);
        self.rest.push('\n');
        self
    }

    /// Puts a file beside the configuration.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        self.scratch.file(name, text)
    }

    /// The text of `belfry.yml`.
    pub(crate) fn config(&self) -> String {
        let mut text = format!(
            "host: testhost\ninterval: 1s\nexporter:\n  host: {{textfiles: {:?}}}\n  engine: {:?}\n",
            self.scratch.path.join("textfiles"),
            self.socket
        );
        text.push_str(&self.exporter);
        if let Some(rules) = &self.rules {
            let indented = rules.trim_end().replace('\n', "\n      ");
            let group = format!("groups:\n  - name: test\n    rules:\n      {indented}\n");
            let file = self.scratch.file("rules.yml", &group);
            text.push_str(&format!("rules: {{pack: false, files: [{file:?}]}}\n"));
        }
        text + &self.rest
    }
}
