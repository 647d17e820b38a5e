//! The prober `tcp`: a connection, and what is said on it.

use tokio::time::Instant;

use super::module::{Exchange, ExpectLabel, Tcp};
use super::pattern::Pattern;
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;
use super::stream::{Stream, Wanted, addresses, connect, host_and_port};
use super::talk::Talk;
use super::tls;

/// The most bytes of a label's value: what the other side says may not make a page that
/// nobody takes.
const LONGEST: usize = 1024;

/// Connects to `target`, host and port, and talks.
pub(super) async fn probe(
    target: &str,
    tcp: &Tcp,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    samples.set("probe_failed_due_to_regex", 0.0);
    samples.set("probe_failed_due_to_bytes", 0.0);
    let (host, port) = host_and_port(target, None)?;
    let wanted = Wanted {
        first: tcp.preferred_ip_protocol,
        fallback: tcp.ip_protocol_fallback,
    };
    let addresses = addresses(&host, wanted, deadline, samples).await?;
    let mut stream: Stream =
        connect(&addresses, port, tcp.source_ip_address.0, deadline, samples).await?;
    if tcp.tls {
        (stream, _) = tls::secure(stream, &host, &tcp.tls_config, &[], deadline, samples).await?;
    }
    let mut talk = Talk::new(stream, deadline);
    for step in &tcp.query_response {
        talk = exchange(talk, step, &host, tcp, deadline, samples).await?;
    }
    Ok(())
}

async fn exchange(
    mut talk: Talk,
    step: &Exchange,
    host: &str,
    tcp: &Tcp,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<Talk> {
    let mut send = step.send.clone().into_bytes();
    if let Some(pattern) = &step.expect {
        let mut seen = String::new();
        let line = loop {
            match talk.line().await {
                Ok(line) if pattern.regex().is_match(&line) => break line,
                // Other lines may come before the one that is expected.
                Ok(line) => seen = String::from_utf8_lossy(&line).chars().take(80).collect(),
                Err(failure) => {
                    // Only who has said all, and not that, failed by the pattern.
                    samples.flag(
                        "probe_failed_due_to_regex",
                        failure.reason == Reason::Closed,
                    );
                    // What came was not it, and nothing else followed.
                    let failure = match failure.reason {
                        Reason::BodyTimeout | Reason::Closed if !seen.is_empty() => Failure::new(
                            Reason::Body,
                            format!(
                                "expected {:?}, the last line was {seen:?}",
                                pattern.as_str()
                            ),
                        ),
                        _ => failure,
                    };
                    return Err(failure);
                }
            }
        };
        if let Some(groups) = pattern.regex().captures(&line) {
            let fill = |template: &str| {
                let mut filled = Vec::new();
                groups.expand(template.as_bytes(), &mut filled);
                filled
            };
            send = fill(&step.send);
            if !step.labels.is_empty() {
                let labels: Vec<_> = step
                    .labels
                    .iter()
                    .map(|label| {
                        let filled = fill(&label.value);
                        let mut value = String::from_utf8_lossy(&filled).into_owned();
                        value.truncate(value.floor_char_boundary(LONGEST));
                        (label.name.clone(), value)
                    })
                    .collect();
                let labels: Vec<_> = labels
                    .iter()
                    .map(|(name, value)| (&**name, &**value))
                    .collect();
                samples.label("probe_expect_info", &labels, 1.0);
            }
        }
    }
    if !step.expect_bytes.is_empty()
        && let Err(failure) = talk.until(step.expect_bytes.as_bytes()).await
    {
        samples.set("probe_failed_due_to_bytes", 1.0);
        return Err(match failure.reason {
            Reason::BodyTimeout | Reason::Closed => {
                Failure::new(Reason::Body, format!("expected {:?}", step.expect_bytes))
            }
            _ => failure,
        });
    }
    if !send.is_empty() {
        send.push(b'\n');
        talk.send(&send).await?;
    }
    if step.starttls {
        let (stream, _) = tls::secure(
            talk.into_stream(),
            host,
            &tcp.tls_config,
            &[],
            deadline,
            samples,
        )
        .await?;
        talk = Talk::new(stream, deadline);
    }
    Ok(talk)
}

/// Whether a talk of some steps goes well, for those who throw any bytes at it.
pub(super) async fn any(mut talk: Talk) -> bool {
    let pattern = |text| Pattern::new(text).ok();
    let (Some(banner), Some(offer)) = (pattern("^SSH-([^ ]*)"), pattern("^(.*) OK$")) else {
        return false;
    };
    let label = ExpectLabel {
        name: "version".to_owned(),
        value: "${1}".to_owned(),
    };
    let steps = [
        Exchange {
            expect: Some(banner),
            send: "${1} hello".to_owned(),
            labels: vec![label],
            ..Exchange::default()
        },
        Exchange {
            expect: Some(offer),
            expect_bytes: "\0end".to_owned(),
            send: "bye".to_owned(),
            ..Exchange::default()
        },
    ];
    let (tcp, mut samples) = (Tcp::default(), Samples::default());
    for step in &steps {
        let end = super::wire::end();
        match exchange(talk, step, "", &tcp, end, &mut samples).await {
            Ok(on) => talk = on,
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn a_label_from_what_matched_is_cut_where_a_letter_ends() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let said = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let line = format!("saw x{}\n", "ä".repeat(5000));
            stream.write_all(line.as_bytes()).await.unwrap();
            stream
        };
        let label = ExpectLabel {
            name: "what".to_owned(),
            value: "${1}".to_owned(),
        };
        let tcp = Tcp {
            query_response: vec![Exchange {
                expect: Some(Pattern::new("^saw (.*)").unwrap()),
                labels: vec![label],
                ..Exchange::default()
            }],
            ..Tcp::default()
        };
        let mut samples = Samples::default();
        let deadline = Instant::now() + Duration::from_secs(60);
        let (_stream, probed) = tokio::join!(said, probe(&target, &tcp, deadline, &mut samples));
        probed.unwrap();
        let kept = format!("x{}", "ä".repeat((LONGEST - 1) / 2));
        assert_eq!(kept.len(), LONGEST - 1);
        let value = samples.get("probe_expect_info", &[("what", &kept)]);
        assert_eq!(value, Some(1.0));
    }
}
