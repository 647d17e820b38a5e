//! Every vendor's receiver in one table: that each goes through a proxy, proves who
//! we are by OAuth2, shows a certificate of ours, and tells what a template would
//! have said that does not come to an end.

use std::path::Path;

use alerter::{EventKind, Mail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{Run, disk, tree};
use crate::support::hook::Hook;
use crate::support::{Exim, database, start, tls, until, within};

const TOKEN: &str = "Bearer t";

/// A receiver: its list, its entry, and the `Authorization` that it wants. In the
/// entry `BASE` is the server, `TEXT` the longest text, `HTTP` its `http_config`.
const RECEIVERS: [(&str, &str, &str); 17] = [
    (
        "webhook_configs",
        "{url: 'BASE/', payload: {text: TEXT}, HTTP}",
        TOKEN,
    ),
    (
        "slack_configs",
        "{api_url: 'BASE/x', text: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "pagerduty_configs",
        "{routing_key: r, url: 'BASE/', description: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "opsgenie_configs",
        "{api_url: 'BASE/', api_key: k, description: TEXT, HTTP}",
        "GenieKey k",
    ),
    (
        "telegram_configs",
        "{api_url: 'BASE', bot_token: '1:a', chat_id: 1, message: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "discord_configs",
        "{webhook_url: 'BASE/', message: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "msteams_configs",
        "{webhook_url: 'BASE/', text: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "msteamsv2_configs",
        "{webhook_url: 'BASE/', text: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "pushover_configs",
        "{api_url: 'BASE/', user_key: u, token: t, message: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "victorops_configs",
        "{api_url: 'BASE/', api_key: k, routing_key: r, state_message: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "sns_configs",
        "{api_url: 'BASE/', topic_arn: 'arn:aws:sns:eu-central-1:1:t', message: TEXT, \
          sigv4: {region: eu-central-1, access_key: AK, secret_key: SK}, HTTP}",
        "AWS4-HMAC-SHA256 Credential=AK/",
    ),
    // It wants a credential of its own beside, as Alertmanager's does.
    (
        "webex_configs",
        "{api_url: 'BASE/', room_id: r, message: TEXT, HTTP}",
        "Bearer bot",
    ),
    (
        "rocketchat_configs",
        "{api_url: 'BASE/', token: t, token_id: i, text: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "jira_configs",
        "{api_url: 'BASE/rest/api/2', project: OPS, issue_type: Bug, description: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "wechat_configs",
        "{api_url: 'BASE', corp_id: c, api_secret: s, to_user: a, message: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "ntfy_configs",
        "{url: 'BASE/', topic: a, message: TEXT, HTTP}",
        TOKEN,
    ),
    (
        "gotify_configs",
        "{url: 'BASE/', token: A1, message: TEXT, HTTP}",
        TOKEN,
    ),
];

/// What vendors say to a message that they take.
fn taken(list: &str, path: &str) -> (u16, String) {
    let said = match list {
        _ if path.contains("/search") => r#"{"issues":[]}"#,
        _ if path.contains("/gettoken") => r#"{"errcode":0,"access_token":"T"}"#,
        "jira_configs" => return (201, r#"{"key":"OPS-1"}"#.into()),
        "slack_configs" => "ok",
        "msteams_configs" => "1",
        "telegram_configs" => r#"{"ok":true}"#,
        "rocketchat_configs" => r#"{"success":true}"#,
        "pushover_configs" => r#"{"status":1}"#,
        "wechat_configs" => r#"{"errcode":0,"errmsg":"ok"}"#,
        _ => "{}",
    };
    (200, said.to_owned())
}

/// A request as it came: its path and its `Authorization`.
type Came = (String, String);

/// A vendor that speaks to those alone who show a certificate of `folder`.
async fn vendor(list: &'static str, folder: &Path) -> (u16, mpsc::UnboundedReceiver<Came>) {
    let acceptor = tls::acceptor(folder, tls::Clients::Certified);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Who shows nothing is not spoken to.
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut stream = BufReader::new(stream);
            let Some((path, fields)) = head(&mut stream).await else {
                continue;
            };
            let field = |name: &str| {
                let of = |line: &String| Some(line.split_once(": ")?.1.to_owned());
                let named = |line: &&String| line.to_ascii_lowercase().starts_with(name);
                fields.iter().find(named).and_then(of).unwrap_or_default()
            };
            let mut body = vec![0; field("content-length:").parse().unwrap_or(0)];
            stream.read_exact(&mut body).await.unwrap();
            let (status, said) = taken(list, &path);
            let length = said.len();
            let answer = format!(
                "HTTP/1.1 {status} said\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n{said}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
            let _ = sender.send((path, field("authorization:")));
        }
    });
    (port, receiver)
}

/// The path of a request and the lines of its header.
async fn head(
    stream: &mut (impl tokio::io::AsyncBufRead + Unpin),
) -> Option<(String, Vec<String>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream
            .read_line(&mut line)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    Some((path, lines))
}

/// A proxy that asks for a name and a word, and tells where it led to.
async fn proxy() -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let (target, fields) = head(&mut stream).await?;
                let known =
                    |line: &String| line.eq_ignore_ascii_case("proxy-authorization: basic dtpw");
                if !fields[0].starts_with("CONNECT ") || !fields.iter().any(known) {
                    let no = b"HTTP/1.1 407 who\r\ncontent-length: 0\r\n\r\n";
                    return stream.write_all(no).await.ok();
                }
                let port = target.rsplit_once(':')?.1.parse().ok()?;
                let mut there = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
                stream.write_all(b"HTTP/1.1 200 go on\r\n\r\n").await.ok()?;
                let _ = sender.send(target);
                tokio::io::copy_bidirectional(&mut stream, &mut there)
                    .await
                    .ok()?;
                Some(())
            });
        }
    });
    (port, receiver)
}

#[tokio::test]
async fn every_receiver_goes_through_a_proxy_with_a_token_and_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    Exim::certificates(folder.path());
    let (proxy, mut led) = proxy().await;
    let mut tokens = Hook::answering(|_, _| (200, r#"{"access_token":"t"}"#.into())).await;
    let token_port = tokens.port;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let tls = |shown: bool| {
        let (cert, key) = (path("cert.pem"), path("cert.key"));
        let own = match shown {
            true => format!(", cert_file: {cert}, key_file: {key}"),
            false => String::new(),
        };
        format!("tls_config: {{ca_file: {}{own}}}", path("ca.pem"))
    };
    let entry_of = |entry: &str, wanted: &str, port: u16, shown: bool| {
        let proof = match wanted {
            "Bearer bot" => "authorization: {credentials: bot}".to_owned(),
            _ => format!(
                "oauth2: {{client_id: a, client_secret: b, token_url: 'http://127.0.0.1:{token_port}/token'}}"
            ),
        };
        let way = format!(
            "proxy_url: 'http://u:p@127.0.0.1:{proxy}', {}, {proof}",
            tls(shown)
        );
        entry
            .replace("BASE", &format!("https://localhost:{port}"))
            .replace("TEXT", "'{{ .Status }}'")
            .replace("HTTP", &format!("http_config: {{{way}}}"))
    };
    for (list, entry, wanted) in RECEIVERS {
        let (port, mut requests) = vendor(list, folder.path()).await;
        let own = tempfile::tempdir().unwrap();
        let config = tree("", list, &entry_of(entry, wanted, port, true));
        let alerter = start(config, Mail::default(), database(own.path()).await).await;
        alerter.put(vec![disk(true)]).await.unwrap();
        let (path, proof) = within(list, requests.recv()).await.unwrap();
        assert!(proof.starts_with(wanted), "{list} {path}: {proof}");
        assert_eq!(
            led.try_recv().unwrap(),
            format!("localhost:{port}"),
            "{list}"
        );
        until(list, async || {
            let events = alerter.history(0, 10).await.unwrap();
            let told = |it: &alerter::Event| it.kind == EventKind::Notified;
            events.iter().any(told).then_some(())
        })
        .await;
        while led.try_recv().is_ok() {}
    }
    assert_eq!(tokens.next().await.path, "/token");

    // Who shows no certificate is not spoken to: the server above does ask for one.
    let (list, entry, wanted) = RECEIVERS[0];
    let (port, mut requests) = vendor(list, folder.path()).await;
    let own = tempfile::tempdir().unwrap();
    let config = tree("", list, &entry_of(entry, wanted, port, false));
    let alerter = start(config, Mail::default(), database(own.path()).await).await;
    alerter.put(vec![disk(true)]).await.unwrap();
    until("the failure", async || {
        let events = alerter.history(0, 10).await.unwrap();
        let failed = |it: &alerter::Event| it.kind == EventKind::Failed;
        events.iter().any(failed).then_some(())
    })
    .await;
    assert!(requests.try_recv().is_err());
}

/// Templates that would never come to an end, or to a text without one.
const ENDLESS: [&str; 2] = [
    r#"'{{ define "l" }}{{ template "l" . }}{{ end }}{{ template "l" . }}'"#,
    r#"'{{ define "d" }}{{ . }}{{ . }}{{ end }}{{ $x := "xxxxxxxxxxxxxxxx" }}{{ range $i := stringSlice "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13" "14" "15" "16" "17" "18" "19" "20" }}{{ $x = printf "%s%s" $x $x }}{{ end }}{{ $x }}'"#,
];

#[tokio::test]
async fn every_receiver_tells_what_a_template_would_have_said_that_has_no_end() {
    for (list, entry, _) in RECEIVERS {
        for template in ENDLESS {
            let way = match list {
                "webex_configs" => "http_config: {authorization: {credentials: bot}}",
                _ => "send_resolved: true",
            };
            let entry = entry
                .replace("BASE", "http://127.0.0.1:PORT")
                .replace("TEXT", template)
                .replace("HTTP", way);
            let answer = move |request: &str, _: &str| taken(list, request);
            let mut run = Run::start(Hook::answering(answer).await, "", list, &entry).await;
            run.put(true).await;
            let said = loop {
                let message = run.hook.next().await;
                let asks = message.path.contains("/search") || message.path.contains("/gettoken");
                if !asks {
                    break message.body.to_string();
                }
            };
            assert!(said.contains("disk"), "{list}: {said}");
            assert!(said.len() < 64 << 10, "{list}: {} bytes", said.len());
            let why = ["exceeded", "stopped after", "longer than", "bytes"];
            assert!(why.iter().any(|why| said.contains(why)), "{list}: {said}");
        }
    }
}
