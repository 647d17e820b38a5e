//! Mails that came back, which anybody may send.

use alerter::Bounce;

/// Reads a mail as a bounce.
///
/// # Panics
/// If it tells more than it may, nothing, or something that cannot be handed on.
pub fn bounces(bytes: &[u8]) {
    let bounce = match Bounce::read(bytes) {
        Ok(bounce) => bounce,
        Err(why) => {
            assert!(!why.to_string().is_empty());
            return;
        }
    };
    assert!((1..=20).contains(&bounce.mails.len()));
    assert!((1..=100).contains(&bounce.recipients.len()));
    for name in &bounce.mails {
        assert!(!name.is_empty() && name.len() <= 300, "{name:?}");
    }
    for returned in &bounce.recipients {
        assert!((1..=2).contains(&returned.addresses.len()));
        assert!(returned.addresses.iter().all(|it| it.contains('@')));
        let said = &returned.said;
        assert!(said.chars().count() <= 301, "{said:?}");
        assert!(!said.chars().any(char::is_control), "{said:?}");
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example (Mail)\r\nSubject: Undelivered\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"B/x\"\r\n\r\n\
         --B/x\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--B/x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; kim@x.org\r\nOriginal-Recipient: rfc822;ops@x.org\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; far.example\r\nDiagnostic-Code: smtp; 550 5.1.1 no\r\n such user\r\n\r\n\
         --B/x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID:\r\n <00f3c0ffee123456.2.0a1b2c3d@x.org>\r\nX-Belfry-Mail: 00f3c0ffee123456.2.0a1b2c3d\r\n\r\n--B/x--\r\n",
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nContent-Type: multipart/report; boundary=a\n\n--a\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n=3Cb=3E =\nno\n--b--\n\
         --a\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\nRmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFAYi5jClN0YXR1czogNC4wLjAK\n--a\nContent-Type: message/rfc822\n\nMessage-ID: <x@y>\n\nhello\n--a--\n",
        "From MAILER-DAEMON Mon Nov 30 00:41:02 2026\nFrom: MAILER-DAEMON@old.example\nSubject: failure notice\n\n<ops@x.org>:\nRemote host said: 550 no such user\n\n--- Below this line is a copy of the message.\n\nMessage-ID: <x@y>\n",
        "From: postmaster@x.org\nX-Failed-Recipients: a@x.org, b@x.org\nSubject: Warning: delayed 24 hours\n\n> Message-ID: <x@y>\n",
    ])
}
