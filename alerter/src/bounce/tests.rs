use super::*;

/// A bounce with a report, as a server with these words for it makes it.
fn report(text: &str, status: &str, third: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net (Mail Delivery System)\n\
         To: belfry@example.org\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\
         \tboundary=\"9B095B5ADSN=_/mx\"\nMessage-Id: <20261130004105.9B095@mx.example.net>\n\n\
         This is a MIME-encapsulated message.\n\n--9B095B5ADSN=_/mx\nContent-Description: Notification\n\
         Content-Type: text/plain; charset=us-ascii\n\n{text}\n--9B095B5ADSN=_/mx\n\
         Content-Description: Delivery report\nContent-Type: message/delivery-status\n\n{status}\n\
         --9B095B5ADSN=_/mx\n{third}\n--9B095B5ADSN=_/mx--\n"
    )
}

const POSTFIX: &str = "Reporting-MTA: dns; mx.example.net\nX-Postfix-Queue-ID: 9B095B5ADSN\n\
    X-Postfix-Sender: rfc822; belfry@example.org\nArrival-Date: Mon, 30 Nov 2026 00:41:02 +0000 (UTC)\n\n\
    Final-Recipient: rfc822; kim@mail.example.com\nOriginal-Recipient: rfc822;ops@example.net\nAction: failed\n\
    Status: 5.1.1\nRemote-MTA: dns; mail.example.com\nDiagnostic-Code: smtp; 550 5.1.1 <kim@mail.example.com>:\n\
    \x20   Recipient address rejected: User unknown\n\n\
    Final-Recipient: rfc822; lee@example.net\nAction: delayed\nStatus: 4.4.1\n\
    Diagnostic-Code: X-Postfix; connect to far.example.net[192.0.2.1]:25:\n  Connection timed out\n\
    Will-Retry-Until: Sat, 5 Dec 2026 00:41:02 +0000 (UTC)\n";

const HEADER: &str = "Content-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers\n\n\
    Return-Path: <belfry@example.org>\nReceived: from host (host [192.0.2.9])\n\tby mx.example.net; Mon, 30 Nov 2026\n\
    From: belfry@example.org\nMessage-ID:\n <00f3c0ffee123456.2.0a1b2c3d@example.org>\nSubject: [SEV-1] api is down\n";

fn read(mail: &str) -> Result<Bounce, NoBounce> {
    let found = Bounce::read(mail.as_bytes());
    let crossed = mail.replace('\n', "\r\n");
    assert_eq!(Bounce::read(crossed.as_bytes()), found, "line ends of SMTP");
    found
}

/// Address, fate and words of each recipient.
fn people(bounce: &Bounce) -> Vec<(String, Fate, &str)> {
    let all = bounce.recipients.iter();
    all.map(|it| (it.addresses.join(" "), it.fate, &*it.said))
        .collect()
}

#[test]
fn postfix_names_the_address_as_we_wrote_it_and_the_one_behind_it() {
    let bounce = read(&report("I'm sorry.", POSTFIX, HEADER)).unwrap();
    assert_eq!(bounce.mails, ["00f3c0ffee123456.2.0a1b2c3d"]);
    assert_eq!(
        people(&bounce),
        [
            (
                "ops@example.net kim@mail.example.com".to_owned(),
                Fate::Failed,
                "550 5.1.1 <kim@mail.example.com>: Recipient address rejected: User unknown (by mail.example.com)"
            ),
            (
                "lee@example.net".to_owned(),
                Fate::Delayed,
                "4.4.1 connect to far.example.net[192.0.2.1]:25: Connection timed out"
            ),
        ]
    );
}

#[test]
fn exchange_says_its_reason_without_a_space_and_returns_the_whole_mail() {
    let status = "Reporting-MTA: dns;DB9PR.eurprd02.prod.example\nReceived-From-MTA: dns;host.example.org\n\
        Arrival-Date: Mon, 30 Nov 2026 00:41:02 +0000\n\nFinal-Recipient: rfc822;Ops@Example.com\nAction: failed\n\
        Status: 5.1.10\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient Ops@Example.com not found by SMTP address lookup\n\
        X-Display-Name: Ops\n";
    let original = "Content-Type: message/rfc822\n\nReceived: from A (2603::1) by B\nX-Belfry-Mail: 00f3c0ffee123456\n\
        Message-ID: <DB9PR0201.renamed@DB9PR.eurprd02.prod.example>\nFrom: belfry@example.org\nSubject: x\n\
        Content-Type: multipart/alternative; boundary=inner\n\n--inner\n\ntext\n--inner--\n";
    let bounce = read(&report("Delivery has failed", status, original)).unwrap();
    assert_eq!(bounce.mails, ["00f3c0ffee123456", "DB9PR0201.renamed"]);
    assert_eq!(
        people(&bounce),
        [(
            "Ops@Example.com".to_owned(),
            Fate::Failed,
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient Ops@Example.com not found by SMTP address lookup"
        )]
    );
}

#[test]
fn gmail_hides_its_text_in_parts_of_parts_and_names_the_mail_in_the_report() {
    let mail = "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nTo: belfry@example.org\n\
        Content-Type: multipart/report; boundary=\"000000000000d\"; report-type=delivery-status\n\
        Subject: Delivery Status Notification (Failure)\nIn-Reply-To: <00f3c0ffee123456@example.org>\n\n\
        --000000000000d\nContent-Type: multipart/related; boundary=\"000000000000e\"\n\n\
        --000000000000e\nContent-Type: multipart/alternative; boundary=\"000000000000f\"\n\n\
        --000000000000f\nContent-Type: text/plain; charset=\"UTF-8\"\n\n** Address not found **\n\n--000000000000f--\n\
        --000000000000e\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--000000000000e--\n\
        --000000000000d\nContent-Type: message/delivery-status\n\n\
        Reporting-MTA: dns; googlemail.com\nReceived-From-MTA: dns; belfry@example.org\n\
        Arrival-Date: Mon, 30 Nov 2026 00:41:02 -0800 (PST)\nX-Original-Message-ID: <00f3c0ffee123456@example.org>\n\n\
        Final-Recipient: rfc822; gone@gmail.com\nAction: failed\nStatus: 5.1.1\n\
        Remote-MTA: dns; gmail-smtp-in.l.google.com. (192.0.2.7, the server for the domain gmail.com.)\n\
        Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\n\
        Last-Attempt-Date: Mon, 30 Nov 2026 00:41:03 -0800 (PST)\n\n--000000000000d--\n";
    let bounce = read(mail).unwrap();
    assert_eq!(bounce.mails, ["00f3c0ffee123456"]);
    let (to, fate, said) = people(&bounce).remove(0);
    assert_eq!((&*to, fate), ("gone@gmail.com", Fate::Failed));
    assert!(
        said.starts_with("550-5.1.1 The email account") && said.contains("(by gmail-smtp-in"),
        "{said}"
    );
}

#[test]
fn bounces_without_a_report_are_read_by_their_words() {
    let qmail = "From 	MAILER-DAEMON Mon Nov 30 00:41:02 2026\nReturn-Path: <>\nFrom: MAILER-DAEMON@old.example\n\
        Subject: failure notice\n\nHi. This is the qmail-send program at old.example.\n\n<ops@example.net>:\n\
        192.0.2.1 does not like recipient.\nRemote host said: 550 no such user\n\n--- Below this line is a copy of the message.\n\n\
        Return-Path: <belfry@example.org>\nTo: ops@example.net, dev@example.net\nMessage-ID: <00f3c0ffee123456@example.org>\n\ntext\n";
    let bounce = read(qmail).unwrap();
    assert_eq!(bounce.mails, ["00f3c0ffee123456"]);
    assert_eq!(
        people(&bounce),
        [(
            "ops@example.net".to_owned(),
            Fate::Failed,
            "Remote host said: 550 no such user"
        )]
    );

    let warned = "From: Mail Delivery System <Mailer-Daemon@mx.example>\nX-Failed-Recipients: ops@example.net\n\
        Subject: Warning: message 1abc delayed 24 hours\nContent-Transfer-Encoding: quoted-printable\n\n\
        Not delivered to dev@example.net =\nyet.\n> X-Belfry-Mail: 00f3c0ffee123456=2E1\n";
    let bounce = read(warned).unwrap();
    assert_eq!(bounce.mails, ["00f3c0ffee123456.1"]);
    assert_eq!(people(&bounce)[0].0, "ops@example.net");
    assert_eq!(bounce.recipients.len(), 1);
    assert_eq!(bounce.recipients[0].fate, Fate::Delayed);
}

#[test]
fn what_says_too_little_or_something_else_is_no_bounce() {
    let holiday = "From: kim@example.net\nSubject: Re: [SEV-1]\nAuto-Submitted: auto-replied\n\
        In-Reply-To: <00f3c0ffee123456@example.org>\n\nI am away. 550 days.\n> Message-ID: <00f3c0ffee123456@example.org>\n";
    let arrived = POSTFIX
        .replace("Action: failed", "Action: delivered")
        .replace("Action: delayed", "Action: relayed");
    let nobody = "Reporting-MTA: dns; a\n\nAction: failed\nStatus: 5.0.0\n";
    for (mail, wanted) in [
        (holiday.to_owned(), NoBounce::Other),
        (String::new(), NoBounce::Other),
        ("\u{0}\n\n--\n".to_owned(), NoBounce::Other),
        (report("", &arrived, HEADER), NoBounce::Delivered),
        (report("", nobody, HEADER), NoBounce::NoRecipient),
        (
            report("", POSTFIX, "Content-Type: text/html\n\nno"),
            NoBounce::NoMail,
        ),
    ] {
        assert_eq!(read(&mail), Err(wanted), "{mail}");
    }
}

#[test]
fn what_a_server_does_differently_is_borne() {
    // No action, no types of addresses, an encoded report, and no end.
    let status = "Final-Recipient: <ops@example.net>\nStatus: 5.2.2 (mailbox full)\n";
    let encoded = data_encoding::BASE64.encode(status.as_bytes());
    let mail = report("", POSTFIX, HEADER).replace(
        &format!("message/delivery-status\n\n{POSTFIX}"),
        &format!("MESSAGE/Delivery-Status\nContent-Transfer-Encoding: Base64\n\n{encoded}\n"),
    );
    let cut = mail.rfind("\n--").unwrap();
    let bounce = Bounce::read(&mail.as_bytes()[..cut]).unwrap();
    assert_eq!(bounce.mails, ["00f3c0ffee123456.2.0a1b2c3d"]);
    assert_eq!(
        people(&bounce),
        [(
            "ops@example.net".to_owned(),
            Fate::Failed,
            "status 5.2.2 (mailbox full)"
        )]
    );
}

#[test]
fn no_report_tells_more_than_people_can_read() {
    use std::fmt::Write as _;
    let mut status = String::new();
    for at in 0..5_000 {
        let long = "x".repeat(300);
        let _ = write!(
            status,
            "Final-Recipient: rfc822; a{at}@b.c\nAction: failed\nDiagnostic-Code: {long}{long}\n\n"
        );
    }
    let bounce = Bounce::read(report("", &status, HEADER).as_bytes());
    // The name of the mail is behind what is read.
    assert_eq!(bounce, Err(NoBounce::NoMail));
    let first = format!("X-Original-Message-ID: <x@y>\n\n{status}");
    let bounce = Bounce::read(report("", &first, HEADER).as_bytes()).unwrap();
    assert_eq!(bounce.recipients.len(), RECIPIENTS);
    assert!(
        bounce
            .recipients
            .iter()
            .all(|it| it.said.chars().count() <= TEXT + 1)
    );
}
