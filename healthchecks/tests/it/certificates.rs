//! A certificate authority of the tests' own, made by openssl, with chains that
//! are good and chains that are bad, served by nginx.

use std::path::{Path, PathBuf};
use std::process::Command;

use healthchecks::probe::Reason;

use crate::support::{Server, find, free_port, look, nginx, run};

/// The chains: a name, the day on which it is made, for how many days, the
/// subject, the name it is for, who signs it, and whether who signs is sent along.
const CHAINS: [(&str, &str, u32, &str, &str, bool); 8] = [
    ("good", "", 60, "shop.test", "middle", true),
    ("expired", "2020-01-01", 10, "shop.test", "middle", true),
    ("future", "2038-01-01", 10, "shop.test", "middle", true),
    ("wrong-name", "", 60, "other.test", "middle", true),
    ("incomplete", "", 60, "shop.test", "middle", false),
    ("foreign", "", 60, "shop.test", "stranger", true),
    ("staging", "", 60, "shop.test", "staging-middle", true),
    ("self-signed", "", 60, "shop.test", "", false),
];

/// Where they all are.
pub(crate) struct Authority {
    folder: PathBuf,
}

impl Authority {
    pub(crate) fn make(folder: &Path) -> Self {
        let authority = Self {
            folder: folder.to_owned(),
        };
        for (name, subject) in [
            ("root", "/O=Belfry Tests/CN=Test Root"),
            ("stranger", "/CN=Stranger"),
        ] {
            authority.request(
                name,
                "",
                9000,
                subject,
                "",
                &["basicConstraints=critical,CA:TRUE"],
            );
        }
        let middle = ["basicConstraints=critical,CA:TRUE,pathlen:0"];
        authority.request(
            "middle",
            "",
            9000,
            "/O=Belfry Tests/CN=Test Middle",
            "root",
            &middle,
        );
        authority.request(
            "staging-middle",
            "",
            9000,
            "/O=(STAGING) Belfry Tests/CN=(STAGING) Middle",
            "root",
            &middle,
        );
        for (name, day, days, host, signer, sent) in CHAINS {
            let names = format!("subjectAltName=DNS:{host},DNS:www.{host}");
            let leaf = [
                names.as_str(),
                "basicConstraints=critical,CA:FALSE",
                "extendedKeyUsage=serverAuth",
            ];
            authority.request(name, day, days, &format!("/CN={host}"), signer, &leaf);
            let mut chain = std::fs::read(authority.file(name)).unwrap();
            if sent {
                chain.extend(std::fs::read(authority.file(signer)).unwrap());
            }
            std::fs::write(authority.chain(name), chain).unwrap();
        }
        authority
    }

    /// Renews a chain under its own name: what a proxy serves until it is told stays the old one.
    pub(crate) fn renew(&self, name: &str, days: u32, host: &str) {
        let names = format!("subjectAltName=DNS:{host},DNS:www.{host}");
        let leaf = [names.as_str(), "basicConstraints=critical,CA:FALSE"];
        self.request(name, "", days, &format!("/CN={host}"), "middle", &leaf);
        let mut chain = std::fs::read(self.file(name)).unwrap();
        chain.extend(std::fs::read(self.file("middle")).unwrap());
        std::fs::write(self.chain(name), chain).unwrap();
    }

    /// Revokes a chain's own certificate; returns the list that says so.
    fn revoke(&self, name: &str) -> PathBuf {
        let folder = self.folder.display();
        let config = self.folder.join("ca.cnf");
        let text = format!(
            "[ca]\ndefault_ca = x\n[x]\ndatabase = {folder}/index.txt\ncrlnumber = {folder}/crlnumber\n\
             default_md = sha256\ndefault_crl_days = 30\n"
        );
        std::fs::write(&config, text).unwrap();
        std::fs::write(self.folder.join("index.txt"), "").unwrap();
        std::fs::write(self.folder.join("crlnumber"), "01\n").unwrap();
        let list = self.folder.join("revoked.pem");
        let ca = |words: &[&std::ffi::OsStr]| {
            let mut command = Command::new(find("openssl", "openssl"));
            command.arg("ca").arg("-config").arg(&config);
            command.arg("-cert").arg(self.file("middle"));
            run(command.arg("-keyfile").arg(self.key("middle")).args(words));
        };
        ca(&["-revoke".as_ref(), self.file(name).as_ref()]);
        ca(&["-gencrl".as_ref(), "-out".as_ref(), list.as_ref()]);
        list
    }

    /// What the authority says of a chain's own certificate, as servers staple it. It
    /// knows of those that were revoked, and of `name` as a good one if `good`.
    fn answer(&self, name: &str, good: bool) {
        let config = self.folder.join("ca.cnf");
        if good {
            let mut command = Command::new(find("openssl", "openssl"));
            command.arg("ca").arg("-config").arg(&config);
            command.arg("-cert").arg(self.file("middle"));
            command.arg("-keyfile").arg(self.key("middle"));
            run(command.arg("-valid").arg(self.file(name)));
        }
        let mut command = Command::new(find("openssl", "openssl"));
        command
            .args(["ocsp", "-noverify", "-ndays", "5", "-index"])
            .arg(self.folder.join("index.txt"));
        for option in ["-CA", "-issuer", "-rsigner"] {
            command.arg(option).arg(self.file("middle"));
        }
        command.arg("-rkey").arg(self.key("middle"));
        command.arg("-cert").arg(self.file(name));
        let answer = self.folder.join(format!("{name}-answer.der"));
        run(command.arg("-respout").arg(answer));
    }

    /// What a client is told to trust.
    pub(crate) fn root(&self) -> String {
        self.file("root").display().to_string()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    pub(crate) fn chain(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-chain.pem"))
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-key.pem"))
    }

    fn request(
        &self,
        name: &str,
        day: &str,
        days: u32,
        subject: &str,
        signer: &str,
        extensions: &[&str],
    ) {
        let openssl = find("openssl", "openssl");
        let mut command = if day.is_empty() {
            Command::new(openssl)
        } else {
            let mut faketime = Command::new(find("faketime", "faketime"));
            // With `-f` the clock stands still.
            faketime
                .args(["-f", &format!("{day} 00:00:00")])
                .arg(openssl);
            faketime
        };
        command.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-noenc",
        ]);
        command
            .args(["-days", &days.to_string(), "-subj", subject, "-out"])
            .arg(self.file(name));
        command.arg("-keyout").arg(self.key(name));
        for extension in extensions {
            command.args(["-addext", extension]);
        }
        if !signer.is_empty() {
            command
                .arg("-CA")
                .arg(self.file(signer))
                .arg("-CAkey")
                .arg(self.key(signer));
        }
        run(&mut command);
    }
}

/// nginx with each chain on a port of its own.
pub(crate) fn serve() -> (Server, Authority, Vec<(&'static str, u16)>) {
    let ports: Vec<_> = CHAINS.iter().map(|chain| (chain.0, free_port())).collect();
    let blocks: String = ports
        .iter()
        .map(|(name, port)| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate DIR/{name}-chain.pem;
                 ssl_certificate_key DIR/{name}-key.pem; location / {{ return 200 'fine'; }} }}\n"
            )
        })
        .collect();
    let mut made = None;
    let server = nginx(ports[0].1, &blocks, |folder| {
        made = Some(Authority::make(folder));
    });
    (server, made.unwrap(), ports)
}

#[tokio::test]
async fn of_every_chain_the_expiry_is_kept_and_the_fault_is_named() {
    let (_server, authority, ports) = serve();
    let port = |name: &str| ports.iter().find(|(have, _)| *have == name).unwrap().1;
    let root = authority.root();
    let trusting = format!(
        "{{prober: http, http: {{tls_config: {{ca_file: {root:?}, server_name: shop.test}}}}}}"
    );
    for (name, expected) in [
        ("good", None),
        ("staging", None),
        ("expired", Some(Reason::TlsExpired)),
        ("future", Some(Reason::TlsNotYetValid)),
        ("wrong-name", Some(Reason::TlsWrongName)),
        ("incomplete", Some(Reason::TlsUnknownAuthority)),
        ("foreign", Some(Reason::TlsUnknownAuthority)),
        ("self-signed", Some(Reason::TlsSelfSigned)),
    ] {
        for tcp in [false, true] {
            let (target, yaml) = match tcp {
                false => (
                    format!("https://127.0.0.1:{}/", port(name)),
                    trusting.clone(),
                ),
                true => (
                    format!("127.0.0.1:{}", port(name)),
                    trusting
                        .replace("http: {", "tcp: {tls: true, ")
                        .replace("prober: http", "prober: tcp"),
                ),
            };
            let outcome = look(&target, &yaml).await;
            let failure = outcome.failure.as_ref();
            assert_eq!(
                failure.map(|failure| failure.reason),
                expected,
                "{name}: {failure:?}"
            );
            let samples = &outcome.samples;
            let expiry = samples.get("probe_ssl_earliest_cert_expiry", &[]);
            let now = jiff::Timestamp::now().as_second() as f64;
            match name {
                "expired" => assert_eq!(expiry, Some(1_578_700_800.0), "10 days after 2020-01-01"),
                _ => assert!(expiry > Some(now + 50.0 * 86400.0), "{name}: {expiry:?}"),
            }
            assert_eq!(
                samples.get("belfry_probe_ssl_valid", &[]),
                Some(f64::from(u8::from(expected.is_none()))),
                "{name}"
            );
            assert_eq!(
                samples.get("belfry_probe_ssl_staging", &[]),
                Some(f64::from(u8::from(name == "staging"))),
                "{name}"
            );
            let issuer = match name {
                "self-signed" => "shop.test",
                "foreign" => "Stranger",
                "staging" => "(STAGING) Belfry Tests (STAGING) Middle",
                _ => "Belfry Tests Test Middle",
            };
            assert_eq!(
                samples.get("belfry_probe_ssl_issuer_info", &[("issuer", issuer)]),
                Some(1.0),
                "{name}"
            );
        }
    }
    // Whoever does not look at the certificate has it told all the same.
    let lax = "{prober: http, http: {tls_config: {insecure_skip_verify: true}}}";
    let outcome = look(&format!("https://127.0.0.1:{}/", port("expired")), lax).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(
        outcome.samples.get("belfry_probe_ssl_valid", &[]),
        Some(0.0)
    );
    assert_eq!(outcome.samples.get("probe_http_version", &[]), Some(2.0));
}

#[tokio::test]
async fn a_revoked_certificate_is_named_where_its_authority_says_so() {
    let (_server, authority, ports) = serve();
    let port = |name: &str| ports.iter().find(|(have, _)| *have == name).unwrap().1;
    let root = authority.root();
    let list = authority.revoke("good");
    let by = |lists: &str| {
        format!(
            "{{prober: http, http: {{tls_config: {{ca_file: {root:?}, server_name: shop.test{lists}}}}}}}"
        )
    };
    let with = by(&format!(", crl_file: {list:?}"));
    for (name, module, expected) in [
        ("good", &with, Some(Reason::TlsRevoked)),
        // Without the list nobody knows of it.
        ("good", &by(""), None),
        // Of another authority, which gave no list.
        ("staging", &with, None),
        ("expired", &with, Some(Reason::TlsExpired)),
        (
            "good",
            &by(", crl_file: /no/such/file"),
            Some(Reason::Internal),
        ),
        (
            "good",
            &by(&format!(", crl_file: {root:?}")),
            Some(Reason::Internal),
        ),
    ] {
        let outcome = look(&format!("https://127.0.0.1:{}/", port(name)), module).await;
        let failure = outcome.failure.as_ref();
        let told = failure.map(|failure| failure.reason);
        assert_eq!(told, expected, "{name} by {module}: {failure:?}");
    }
}

#[tokio::test]
async fn what_an_authority_says_by_the_server_itself_is_heard() {
    let [revoked, good, of_another] = [free_port(), free_port(), free_port()];
    let serves = |port: u16, chain: &str, answer: &str| {
        format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate DIR/{chain}-chain.pem;
             ssl_certificate_key DIR/{chain}-key.pem; ssl_stapling on;
             ssl_stapling_file DIR/{answer}-answer.der; location / {{ return 200 'fine'; }} }}\n"
        )
    };
    let blocks = serves(revoked, "good", "good")
        + &serves(good, "wrong-name", "wrong-name")
        + &serves(of_another, "wrong-name", "good");
    let mut made = None;
    let _server = nginx(revoked, &blocks, |folder| {
        let authority = Authority::make(folder);
        authority.revoke("good");
        authority.answer("good", false);
        authority.answer("wrong-name", true);
        made = Some(authority);
    });
    let root = made.unwrap().root();
    for (port, name, expected) in [
        (revoked, "shop.test", Some(Reason::TlsRevoked)),
        (good, "other.test", None),
        // It says nothing of the certificate that is served.
        (of_another, "other.test", None),
    ] {
        let module = format!(
            "{{prober: http, http: {{tls_config: {{ca_file: {root:?}, server_name: {name}}}}}}}"
        );
        let outcome = look(&format!("https://127.0.0.1:{port}/"), &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{:?}", outcome.failure);
    }
}
