//! Targets behind TLS: who is trusted, who is not and why, and who we are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// An authority, and a certificate for 127.0.0.1 that it signed.
struct Signed {
    authority: PathBuf,
    chain: PathBuf,
    key: PathBuf,
}

fn signed(folder: &Path, name: &str) -> Signed {
    let file = |what: &str| folder.join(format!("{name}-{what}.pem"));
    let make = |certificate: &Path, key: &Path, subject: &str, more: &[&str]| {
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:prime256v1", "-noenc", "-days", "30"])
            .args(["-subj", subject, "-out"])
            .arg(certificate)
            .arg("-keyout")
            .arg(key)
            .args(more)
            .output()
            .expect("openssl is missing: apt-get install openssl");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    };
    let (authority, authority_key) = (file("authority"), file("authority-key"));
    let (chain, key) = (file("chain"), file("key"));
    make(&authority, &authority_key, &format!("/CN={name}"), &[]);
    let paths = [&authority, &authority_key].map(|path| path.display().to_string());
    let more = [
        "-CA",
        &paths[0],
        "-CAkey",
        &paths[1],
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:node.example",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    make(&chain, &key, "/CN=node", &more);
    Signed {
        authority,
        chain,
        key,
    }
}

fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    let all = CertificateDer::pem_file_iter(file).unwrap();
    all.map(Result::unwrap).collect()
}

/// Speaks TLS; with `asks` only to clients that this authority vouches for.
fn acceptor(own: &Signed, asks: Option<&Signed>) -> TlsAcceptor {
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
    let builder = match asks {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(certificates(&authority.authority).remove(0))
                .unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_file(&own.key).unwrap();
    let config = builder
        .with_single_cert(certificates(&own.chain), key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Serves a page over TLS, to whom `acceptor` says.
async fn serve(own: &Signed, asks: Option<&Signed>) -> String {
    let acceptor = acceptor(own, asks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let page = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\nconnection: close\r\n\r\na 1\n";
                let _ = stream.write_all(page.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

async fn fetch(address: &str, tls: &str) -> Result<String, String> {
    let job = job(&format!(
        "targets: ['{address}']\nscheme: https\ntls_config: {{{tls}}}"
    ));
    let target = looked(&job).targets.remove(0);
    let client = Clients::default().of(&target)?;
    target.fetch(&client).await.map(|page| page.text)
}

#[tokio::test]
async fn only_whom_the_given_authority_vouches_for_is_asked() {
    let folder = TempDir::new().unwrap();
    let (ours, other) = (
        signed(folder.path(), "ours"),
        signed(folder.path(), "other"),
    );
    let address = serve(&ours, None).await;
    let trust = |signed: &Signed| format!("ca_file: {}", signed.authority.display());
    let page = Ok("a 1\n".to_owned());
    assert_eq!(fetch(&address, &trust(&ours)).await, page);
    for (tls, why) in [
        (trust(&other), "UnknownIssuer"),
        // That of the system, which has never heard of it.
        (String::new(), "UnknownIssuer"),
        (
            format!("{}, server_name: elsewhere.example", trust(&ours)),
            "not valid for name",
        ),
        (
            "ca_file: /nowhere/ca.pem".to_owned(),
            "cannot read /nowhere/ca.pem: ",
        ),
        (
            format!("ca_file: {}", ours.key.display()),
            "no certificate is in ",
        ),
    ] {
        let err = fetch(&address, &tls).await.unwrap_err();
        assert!(err.contains(why), "{tls}: {err}");
    }
    let named = format!("{}, server_name: node.example", trust(&ours));
    assert_eq!(fetch(&address, &named).await, page);
    let anyone = "insecure_skip_verify: true";
    assert_eq!(fetch(&address, anyone).await, page);
    let plain = job(&format!("targets: ['{address}']"));
    let target = looked(&plain).targets.remove(0);
    let client = Clients::default().of(&target).unwrap();
    assert!(target.fetch(&client).await.is_err(), "plain HTTP to TLS");
}

#[tokio::test]
async fn certificates_that_are_renewed_on_the_disk_are_used_from_the_next_look_on() {
    let folder = TempDir::new().unwrap();
    let (ours, other) = (
        signed(folder.path(), "ours"),
        signed(folder.path(), "other"),
    );
    let address = serve(&ours, None).await;
    let file = folder.path().join("authority.pem");
    let job = job(&format!(
        "targets: ['{address}']\nscheme: https\ntls_config: {{ca_file: {}}}",
        file.display()
    ));
    let clients = Clients::default();
    let look = || {
        let target = looked(&job).targets.remove(0);
        let client = clients.of(&target);
        (target, client)
    };
    let (missing, client) = look();
    assert!(client.unwrap_err().contains("authority.pem"));
    std::fs::copy(&other.authority, &file).unwrap();
    let (before, client) = look();
    assert_ne!(before, missing);
    let err = before.fetch(&client.unwrap()).await.unwrap_err();
    assert!(err.contains("UnknownIssuer"), "{err}");
    assert_eq!(look().0, before, "nothing has changed");
    // As those who renew certificates do it.
    let fresh = folder.path().join("authority.new");
    std::fs::copy(&ours.authority, &fresh).unwrap();
    std::fs::rename(&fresh, &file).unwrap();
    let (after, client) = look();
    assert_ne!(after, before);
    let page = after.fetch(&client.unwrap()).await.unwrap();
    assert_eq!(page.text, "a 1\n");
}

/// Answers all that is asked over a connection, until the other side asks for its end.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut asked = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut asked).await {
        if !asked.ends_with(b"\r\n\r\n") {
            continue;
        }
        let page = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\na 1\n";
        let _ = stream.write_all(page.as_bytes()).await;
        let request = String::from_utf8_lossy(&asked).to_ascii_lowercase();
        if request.contains("\r\nconnection: close\r\n") {
            return;
        }
        asked.clear();
    }
}

#[tokio::test]
async fn only_a_secured_connection_waits_for_the_next_scrape() {
    let folder = TempDir::new().unwrap();
    let own = signed(folder.path(), "ours");
    for (scheme, connections) in [("http", 3), ("https", 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = acceptor(&own, None);
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match scheme {
                        "http" => answer(stream).await,
                        _ => answer(acceptor.accept(stream).await.unwrap()).await,
                    }
                });
            }
        });
        let job = job(&format!(
            "targets: ['{address}']\nscheme: {scheme}\ntls_config: {{ca_file: {}}}",
            own.authority.display()
        ));
        let target = looked(&job).targets.remove(0);
        let client = Clients::default().of(&target).unwrap();
        for _ in 0..3 {
            let page = target.fetch(&client).await.unwrap();
            assert_eq!(page.text, "a 1\n");
        }
        assert_eq!(begun.load(Ordering::Relaxed), connections, "{scheme}");
    }
}

#[tokio::test]
async fn a_target_that_asks_who_we_are_is_told() {
    let folder = TempDir::new().unwrap();
    let (ours, other) = (
        signed(folder.path(), "ours"),
        signed(folder.path(), "other"),
    );
    let address = serve(&ours, Some(&ours)).await;
    let with = |own: &Signed| {
        format!(
            "ca_file: {}, cert_file: {}, key_file: {}",
            ours.authority.display(),
            own.chain.display(),
            own.key.display()
        )
    };
    assert_eq!(fetch(&address, &with(&ours)).await.as_deref(), Ok("a 1\n"));
    let nobody = format!("ca_file: {}", ours.authority.display());
    for tls in [with(&other), nobody] {
        let err = fetch(&address, &tls).await.unwrap_err();
        assert!(!err.is_empty(), "{tls}");
    }
    let no_key = with(&ours).replace("ours-key.pem", "no-key.pem");
    let err = fetch(&address, &no_key).await.unwrap_err();
    assert!(
        err.starts_with("cannot read ") && err.contains("no-key.pem"),
        "{err}"
    );
}
