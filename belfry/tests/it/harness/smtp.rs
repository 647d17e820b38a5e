//! exim delivers like any mail server; the sink fails in every way it is told to.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use lettre::message::MultiPart;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate as Trusted, Tls, TlsParameters};
use lettre::transport::smtp::{Error, SmtpTransport, SmtpTransportBuilder};
use lettre::{Message, Transport as _};

use crate::support::certificate::Certificate;
use crate::support::scratch::Scratch;
use crate::support::sink::{Act, Demands, Sink, Stage};
use crate::support::smtp::Smtp;

#[test]
fn exim_delivers_what_comes_over_tls_with_a_password() {
    let mut smtp = Smtp::start();
    let credentials = Credentials::new(Smtp::LOGIN.0.to_owned(), Smtp::LOGIN.1.to_owned());
    let trusted = TlsParameters::builder("localhost".to_owned())
        .add_root_certificate(authority(smtp.authority()));
    let trusted = trusted.build().unwrap();
    let starttls = client(smtp.port(), Tls::Required(trusted.clone()))
        .credentials(credentials.clone())
        .build();
    let wrapped = client(smtp.tls_port(), Tls::Wrapper(trusted.clone()))
        .credentials(credentials)
        .build();

    starttls.send(&mail("Grüße aus dem Turm")).unwrap();
    wrapped.send(&mail("The second")).unwrap();
    let mails = smtp.wait_for(2);
    assert_eq!(mails[0].header("subject"), "Grüße aus dem Turm");
    assert_eq!(mails[0].header("envelope-to"), "operator@example.org");
    assert_eq!(mails[0].text.trim_end(), "Alles läuft.");
    assert_eq!(mails[0].html.trim_end(), "<p>Alles läuft.</p>");
    assert_eq!(mails[1].header("subject"), "The second");

    let stranger = client(smtp.port(), Tls::Required(trusted)).build();
    assert!(refused(stranger.send(&mail("Without a password"))).is_permanent());
    smtp.halt();
    TcpStream::connect(("127.0.0.1", smtp.port())).expect_err("a halted server refuses");
    smtp.resume();
    assert_eq!(smtp.mails().len(), 2, "the mailbox outlives a restart");
}

#[test]
fn the_sink_follows_its_script_and_takes_notes() {
    let deferred = Act::Reply(Stage::Recipient, 451);
    let mut sink = Sink::start(&[
        deferred,
        Act::Reply(Stage::End, 550),
        Act::Drop(Stage::Content),
        Act::Accept,
    ]);
    let send = |sink: &Sink| client(sink.port(), Tls::None).build().send(&mail("Again"));

    assert!(refused(send(&sink)).is_transient());
    assert!(refused(send(&sink)).is_permanent());
    refused(send(&sink));
    assert!(sink.received().is_empty());
    send(&sink).unwrap();
    let received = sink.received();
    assert_eq!(received.len(), 1);
    assert_eq!(
        (
            received[0].sender.as_str(),
            received[0].recipients.as_slice()
        ),
        (
            "belfry@example.org",
            ["operator@example.org".to_owned()].as_slice()
        )
    );
    assert_eq!(received[0].mail.text.trim_end(), "Alles läuft.");

    sink.close();
    assert!(!refused(send(&sink)).is_permanent());
    sink.open();
    send(&sink).unwrap();
    let attempts = sink.attempts();
    assert_eq!(attempts.len(), 5, "a refused connection is no attempt");
    assert!(attempts.is_sorted() && attempts[4] <= sink.received()[1].at);
}

#[test]
fn the_sink_never_answers_at_any_stage() {
    for stage in [Stage::Greeting, Stage::Sender, Stage::Content, Stage::End] {
        let sink = Sink::start(&[Act::Silence(stage)]);
        let patient = client(sink.port(), Tls::None)
            .timeout(Some(Duration::from_millis(200)))
            .build();
        let err = refused(patient.send(&mail("Hello?")));
        let source = std::error::Error::source(&err)
            .and_then(|source| source.downcast_ref::<std::io::Error>());
        assert_eq!(
            source.map(std::io::Error::kind),
            Some(ErrorKind::WouldBlock),
            "{stage:?}: {err:?}"
        );
        assert!(sink.received().is_empty());
    }
}

#[test]
fn the_sink_demands_tls_and_a_login() {
    let scratch = Scratch::new();
    let certificate = Certificate::for_host("localhost", &scratch.path);
    let root = authority(&certificate.authority);
    let login = Some(("belfry".to_owned(), "secret".to_owned()));
    let sink = Sink::demanding(
        &[Act::Accept],
        Demands {
            certificate: Some(certificate),
            login,
        },
    );
    let tls = || {
        Tls::Required(
            TlsParameters::builder("localhost".to_owned())
                .add_root_certificate(root.clone())
                .build()
                .unwrap(),
        )
    };
    let with = |tls: Tls, password: &str| {
        let credentials = Credentials::new("belfry".to_owned(), password.to_owned());
        client(sink.port(), tls)
            .credentials(credentials)
            .build()
            .send(&mail("Secret"))
    };

    with(tls(), "secret").unwrap();
    assert!(refused(with(tls(), "wrong")).is_permanent());
    assert!(refused(client(sink.port(), tls()).build().send(&mail("No login"))).is_permanent());
    assert!(refused(client(sink.port(), Tls::None).build().send(&mail("No TLS"))).is_permanent());
    let distrusting = Tls::Required(TlsParameters::new("localhost".to_owned()).unwrap());
    let err = refused(with(distrusting, "secret"));
    assert!(format!("{err:?}").contains("UnknownIssuer"), "{err:?}");
    assert_eq!(sink.received().len(), 1);
}

fn client(port: u16, tls: Tls) -> SmtpTransportBuilder {
    SmtpTransport::builder_dangerous("localhost")
        .port(port)
        .tls(tls)
        .timeout(Some(Duration::from_secs(30)))
}

fn authority(file: &Path) -> Trusted {
    Trusted::from_pem(&fs::read(file).unwrap()).unwrap()
}

fn mail(subject: &str) -> Message {
    Message::builder()
        .from("belfry@example.org".parse().unwrap())
        .to("operator@example.org".parse().unwrap())
        .subject(subject)
        .multipart(MultiPart::alternative_plain_html(
            "Alles läuft.".to_owned(),
            "<p>Alles läuft.</p>".to_owned(),
        ))
        .unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Error {
    result.expect_err("the server does not take it")
}
