//! The probers `postgres`, `redis` and `smtp`: whether a server would serve.

use tokio::time::Instant;

use super::module::{Prober, Protocol, Server};
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;
use super::stream::{Stream, Wanted, addresses, connect, host_and_port};
use super::talk::Talk;
use super::tls;

const PHASES: &str = "belfry_probe_steps_seconds";

/// Asks the server `target`, host and port.
pub(super) async fn probe(
    prober: Prober,
    target: &str,
    server: &Server,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    let (port, ready) = match prober {
        Prober::Postgres => (5432, "belfry_probe_postgres_ready"),
        Prober::Redis => (6379, "belfry_probe_redis_ready"),
        _ => (25, "belfry_probe_smtp_ready"),
    };
    samples.set(ready, 0.0);
    let (host, port) = host_and_port(target, Some(port))?;
    let began = Instant::now();
    let wanted = Wanted {
        first: Protocol::Ip4,
        fallback: true,
    };
    let found = addresses(&host, wanted, deadline, samples).await;
    samples.phase(PHASES, "resolve", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let mut stream: Stream = connect(&found?, port, None, deadline, samples).await?;
    if server.tls && prober != Prober::Postgres {
        (stream, _) =
            tls::secure(stream, &host, &server.tls_config, &[], deadline, samples).await?;
    }
    samples.phase(PHASES, "connect", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let asked = match prober {
        Prober::Postgres => postgres(stream, &host, server, deadline, samples).await,
        Prober::Redis => redis(Talk::new(stream, deadline), server).await,
        _ => {
            smtp(
                Talk::new(stream, deadline),
                &host,
                server,
                deadline,
                samples,
            )
            .await
        }
    };
    samples.phase(PHASES, "ask", began.elapsed().as_secs_f64());
    asked?;
    samples.set(ready, 1.0);
    Ok(())
}

/// As `pg_isready`: whoever is asked for a login, or refused one, has found a
/// server that takes connections.
async fn postgres(
    mut stream: Stream,
    host: &str,
    server: &Server,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    if server.tls {
        let mut talk = Talk::new(stream, deadline);
        talk.send(&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]).await?;
        if talk.bytes(1).await? != b"S" {
            return Err(Failure::new(
                Reason::SslExpected,
                "the server does not speak TLS",
            ));
        }
        (stream, _) = tls::secure(
            talk.into_stream(),
            host,
            &server.tls_config,
            &[b"postgresql"],
            deadline,
            samples,
        )
        .await?;
    }
    let mut talk = Talk::new(stream, deadline);
    let words = format!(
        "user\0{0}\0database\0{0}\0application_name\0belfry\0\0",
        server.user.replace('\0', "")
    );
    let length = u32::try_from(words.len() + 8).unwrap_or_default();
    talk.send(&[&length.to_be_bytes()[..], &[0, 3, 0, 0], words.as_bytes()].concat())
        .await?;
    let kind = talk.bytes(1).await?;
    let length = talk.bytes(4).await?;
    let length = u32::from_be_bytes(length.try_into().unwrap_or_default());
    match (kind.as_slice(), length) {
        (b"R", 8..1024) => Ok(()),
        (b"E", 5..8192) => {
            let body = talk
                .bytes(usize::try_from(length - 4).unwrap_or_default())
                .await?;
            let fields: Vec<_> = body.split(|byte| *byte == 0).collect();
            let field = |kind: u8| {
                fields
                    .iter()
                    .find(|field| field.first() == Some(&kind))
                    .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
            };
            let (code, text) = (
                field(b'C').unwrap_or_default(),
                field(b'M').unwrap_or_default(),
            );
            match code.as_str() {
                // It starts or stops, or has no room.
                "57P03" | "57P01" | "57P02" | "53300" => {
                    Err(Failure::new(Reason::NotServing, text))
                }
                _ => Ok(()),
            }
        }
        _ => Err(Failure::new(
            Reason::Protocol,
            "this is no PostgreSQL server",
        )),
    }
}

async fn redis(mut talk: Talk, server: &Server) -> Step<()> {
    if !server.password.is_empty() {
        let password = server.password.expose();
        talk.send(format!("*2\r\n$4\r\nAUTH\r\n${}\r\n{password}\r\n", password.len()).as_bytes())
            .await?;
        let answer = talk.line().await?;
        if answer != b"+OK" {
            return Err(redis_refusal(&answer));
        }
    }
    talk.send(b"*1\r\n$4\r\nPING\r\n").await?;
    match talk.line().await?.as_slice() {
        b"+PONG" => Ok(()),
        answer => Err(redis_refusal(answer)),
    }
}

/// Whether a PostgreSQL server answers, for those who throw any bytes at it.
pub(super) async fn any_postgres(talk: Talk) -> bool {
    let (server, mut samples) = (Server::default(), Samples::default());
    let stream = talk.into_stream();
    let asked = postgres(stream, "", &server, super::wire::end(), &mut samples);
    asked.await.is_ok()
}

/// Whether a Redis server answers that asks for a password.
pub(super) async fn any_redis(talk: Talk) -> bool {
    let server = Server {
        password: settings::Secret::new("word"),
        ..Server::default()
    };
    redis(talk, &server).await.is_ok()
}

/// Whether an SMTP server answers.
pub(super) async fn any_smtp(talk: Talk) -> bool {
    let (server, mut samples) = (Server::default(), Samples::default());
    let asked = smtp(talk, "", &server, super::wire::end(), &mut samples);
    asked.await.is_ok()
}

pub(super) fn redis_refusal(answer: &[u8]) -> Failure {
    let text: String = String::from_utf8_lossy(answer).chars().take(120).collect();
    let reason = match text
        .strip_prefix('-')
        .and_then(|rest| rest.split(' ').next())
    {
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => Reason::Auth,
        Some("LOADING" | "MASTERDOWN" | "BUSY" | "MISCONF" | "CLUSTERDOWN") => Reason::NotServing,
        Some("ERR") if !text.contains("unknown command") => Reason::Auth,
        _ => Reason::Protocol,
    };
    Failure::new(reason, text)
}

async fn smtp(
    mut talk: Talk,
    host: &str,
    server: &Server,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    reply(&mut talk, 220).await?;
    talk.send(b"EHLO belfry.invalid\r\n").await?;
    let offers = reply(&mut talk, 250).await?;
    let starttls = offers
        .iter()
        .any(|line| line.eq_ignore_ascii_case("STARTTLS"));
    samples.flag("belfry_probe_smtp_starttls", starttls);
    if server.starttls {
        if !starttls {
            return Err(Failure::new(
                Reason::SslExpected,
                "the server does not offer STARTTLS",
            ));
        }
        talk.send(b"STARTTLS\r\n").await?;
        reply(&mut talk, 220).await?;
        let (stream, _) = tls::secure(
            talk.into_stream(),
            host,
            &server.tls_config,
            &[],
            deadline,
            samples,
        )
        .await?;
        talk = Talk::new(stream, deadline);
        talk.send(b"EHLO belfry.invalid\r\n").await?;
        reply(&mut talk, 250).await?;
    }
    // Whether it says goodbye does not matter.
    let _ = talk.send(b"QUIT\r\n").await;
    Ok(())
}

/// The lines of a reply, without its code; any other code is a failure.
async fn reply(talk: &mut Talk, wanted: u16) -> Step<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let line = String::from_utf8_lossy(&talk.line().await?).into_owned();
        let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
        let code = code.ok_or_else(|| Failure::new(Reason::Protocol, "this is no SMTP server"))?;
        lines.push(line.get(4..).unwrap_or_default().to_owned());
        if line.as_bytes().get(3) == Some(&b'-') {
            continue;
        }
        return match code {
            code if code == wanted => Ok(lines),
            421 | 450..=459 => Err(Failure::new(Reason::NotServing, line)),
            _ => Err(Failure::new(Reason::Answer, line)),
        };
    }
}
