//! Certificates made on the spot, signed by an authority of the test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::program;

/// A server's certificate with its key, and the authority that vouches for it.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// The authority's certificate: what a client is told to trust.
    pub(crate) authority: PathBuf,
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes one for a host name, in PEM files inside `folder`.
    pub(crate) fn for_host(host: &str, folder: &Path) -> Self {
        let file = |name: &str| folder.join(format!("{host}-{name}.pem"));
        let (authority, authority_key) = (file("authority"), file("authority-key"));
        let (chain, key) = (file("chain"), file("key"));
        // `req -x509` makes an authority when it is told nothing else.
        program::run(&mut make(
            &authority,
            &authority_key,
            &format!("/CN=Authority of {host}"),
        ));
        program::run(
            make(&chain, &key, &format!("/CN={host}"))
                .arg("-CA")
                .arg(&authority)
                .arg("-CAkey")
                .arg(&authority_key)
                .args(["-addext", &format!("subjectAltName=DNS:{host}")])
                .args(["-addext", "basicConstraints=critical,CA:FALSE"]),
        );
        Self {
            authority,
            chain,
            key,
        }
    }
}

fn make(certificate: &Path, key: &Path, subject: &str) -> Command {
    let mut command = Command::new(program::find("openssl", "openssl"));
    command
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-noenc",
        ])
        .args(["-days", "30", "-subj", subject, "-out"])
        .arg(certificate)
        .arg("-keyout")
        .arg(key);
    command
}
