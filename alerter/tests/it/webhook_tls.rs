//! Webhooks over https: whom we trust.

use alerter::{Config, Mail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{Exim, alert, config, database, start, tls, until, within};

/// A server for `localhost` that says yes to whatever it is asked; its port, and
/// a word for each request.
async fn serve(folder: &std::path::Path) -> (u16, mpsc::UnboundedReceiver<()>) {
    let acceptor = tls::acceptor(folder, tls::Clients::Any);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us goes away in the middle.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = vec![0; 64 << 10];
            if stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                let yes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(yes).await.unwrap();
                sender.send(()).unwrap();
            }
        }
    });
    (port, receiver)
}

fn tree(host: &str, port: u16, tls: &str) -> Config {
    config(&format!(
        "{{route: {{receiver: ops, group_wait: 0s}}, receivers: [{{name: ops, webhook_configs: \
          [{{url: 'https://{host}:{port}/', http_config: {{tls_config: {{{tls}}}}}}}]}}]}}"
    ))
}

#[tokio::test]
async fn a_certificate_has_to_hold_unless_any_will_do() {
    let folder = tempfile::tempdir().unwrap();
    Exim::certificates(folder.path());
    let ca = format!("ca_file: {}", folder.path().join("ca.pem").display());
    for (host, tls, trusted) in [
        ("localhost", ca.clone(), true),
        ("localhost", String::new(), false),
        ("127.0.0.1", ca.clone(), false),
        ("127.0.0.1", format!("{ca}, server_name: localhost"), true),
        ("127.0.0.1", "insecure_skip_verify: true".into(), true),
    ] {
        let (port, mut requests) = serve(folder.path()).await;
        let own = tempfile::tempdir().unwrap();
        let pool = database(own.path()).await;
        let alerter = start(tree(host, port, &tls), Mail::default(), pool).await;
        alerter.put(vec![alert("disk", true)]).await.unwrap();
        if trusted {
            within("a request", requests.recv()).await.unwrap();
            continue;
        }
        let detail = until("the failure", async || {
            let events = alerter.history(0, 10).await.unwrap();
            let failed = events
                .into_iter()
                .find(|it| it.kind == alerter::EventKind::Failed);
            failed.map(|it| it.detail)
        })
        .await;
        assert!(detail.starts_with("ops: tls: "), "{host} {tls}: {detail}");
        assert!(requests.try_recv().is_err(), "it was told nothing");
    }
}
