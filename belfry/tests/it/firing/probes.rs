//! Sites that fail, come and go, are slow, or show certificates that nobody should trust.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::Watched;
use crate::probes::page;
use crate::setup::Setup;
use crate::support::claim::{self, Claim};
use crate::support::process::Process;
use crate::support::program;
use crate::support::scratch::Scratch;

/// A site that thinks before it answers.
fn slow_site() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            thread::sleep(Duration::from_millis(200));
            let _ = stream
                .write_all(b"HTTP/1.1 200 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    port
}

#[test]
fn rules_about_sites_fire_for_those_that_fail_come_and_go_or_are_slow() {
    let sites: Vec<_> = (0..4).map(|_| page()).collect();
    let slow = slow_site();
    let mut targets = format!("{{name: slow, target: 'http://127.0.0.1:{slow}/'}}");
    for (port, _) in &sites {
        targets.push_str(&format!(", {{target: 'http://127.0.0.1:{port}/'}}"));
    }
    let watched = Watched::start(Setup::new().part(&format!("probe: {{targets: [{targets}]}}")));
    for (_, status) in &sites {
        status.store(502, Ordering::Relaxed);
    }
    watched.fires(
        &[
            ("ProbeFailed", "warning"),
            ("ProbeFailed", "critical"),
            ("ManyProbesFailed", "critical"),
            ("ProbeSlow", "warning"),
        ],
        || {},
    );
    let began = Instant::now();
    watched.fires(&[("ProbeFlapping", "warning")], || {
        let up = (began.elapsed().as_secs() / 2).is_multiple_of(2);
        sites[0]
            .1
            .store(if up { 200 } else { 502 }, Ordering::Relaxed);
    });
}

/// An authority of the test's own, and servers with certificates from it.
struct Authority {
    folder: Scratch,
}

impl Authority {
    fn new() -> Self {
        let authority = Self {
            folder: Scratch::new(),
        };
        let root = "basicConstraints=critical,CA:TRUE";
        authority.sign("root", 900, "/CN=Root of the tests", root, None);
        let staging = "/O=(STAGING) Tests/CN=(STAGING) Root";
        authority.sign("staging", 900, staging, root, None);
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path.join(format!("{name}.pem"))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.folder.path.join(format!("{name}.key"))
    }

    fn sign(&self, name: &str, days: u32, subject: &str, extension: &str, signer: Option<&str>) {
        let mut command = Command::new(program::find("openssl", "openssl"));
        command
            .args(["req", "-x509", "-newkey", "ec", "-noenc", "-subj", subject])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-days"])
            .arg(days.to_string())
            .arg("-out")
            .arg(self.file(name))
            .arg("-keyout")
            .arg(self.key(name))
            .args(["-addext", extension]);
        if let Some(signer) = signer {
            command
                .args(["-addext", "subjectAltName=DNS:localhost", "-CA"])
                .arg(self.file(signer))
                .arg("-CAkey")
                .arg(self.key(signer));
        }
        program::run(&mut command);
    }

    /// A server with a certificate that is good for so many days.
    fn serve(&self, days: u32, signer: &str) -> (Claim, Process) {
        let name = format!("{signer}-{days}");
        let leaf = "basicConstraints=critical,CA:FALSE";
        self.sign(&name, days, "/CN=localhost", leaf, Some(signer));
        let port = claim::port();
        let mut command = Command::new(program::find("openssl", "openssl"));
        command
            .args(["s_server", "-quiet", "-www", "-accept"])
            .arg(format!("127.0.0.1:{}", port.number))
            .arg("-cert")
            .arg(self.file(&name))
            .arg("-key")
            .arg(self.key(&name));
        let server = Process::spawn(&name, &mut command, Path::new("/dev/null"));
        (port, server)
    }
}

#[test]
fn rules_about_certificates_fire_for_those_that_end_soon_or_come_from_nobody_known() {
    let authority = Authority::new();
    // Two that are renewed too late, one that ends tomorrow, one for trials.
    let servers = [
        authority.serve(20, "root"),
        authority.serve(6, "root"),
        authority.serve(1, "root"),
        authority.serve(60, "staging"),
    ];
    // This one was renewed, and nobody told the server.
    let leaf = "basicConstraints=critical,CA:FALSE";
    authority.sign("renewed", 90, "/CN=localhost", leaf, Some("root"));
    let target = |(port, _): &(Claim, Process)| {
        format!(
            "{{target: 'https://localhost:{}/', module: trusting, certificate: {:?}}}",
            port.number,
            authority.file("renewed")
        )
    };
    let targets: Vec<String> = servers.iter().map(target).collect();
    let watched = Watched::start(Setup::new().part(&format!(
        "probe:\n  modules: {{trusting: {{prober: http, http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: {:?}}}}}}}}}\n  targets: [{}]",
        authority.file("root"),
        targets.join(", ")
    )));
    watched.fires(
        &[
            ("CertificateExpires", "info"),
            ("CertificateExpires", "warning"),
            ("CertificateExpires", "critical"),
            ("CertificateInvalid", "critical"),
            ("CertificateStaging", "warning"),
            ("CertificateNotReloaded", "warning"),
        ],
        || {},
    );
}
