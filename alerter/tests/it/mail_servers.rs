//! Several mail servers, the proofs that they want, and connections that are
//! used again.

use std::time::Duration;

use alerter::{Config, Handle};

use crate::support::hook::Hook;
use crate::support::{
    Act, Exim, Sink, Stage, Taken, alert, config, database, mail, start, until, within,
};

/// Tells each alert at once, by the `mail` section's servers.
fn tree() -> Config {
    config(
        "{route: {receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 50ms, \
          repeat_interval: 1h}, receivers: [{name: ops, email_configs: [{to: ops@example.org}]}]}",
    )
}

/// Mail by the first of two sinks, then by the other.
async fn between(first: &Sink, second: &Sink, more: &str) -> (Handle, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let section = mail(&format!(
        "{{to: ops@example.org, from: b@example.org, tls: none, smarthost: '127.0.0.1:{}', {more} \
          spare: [{{smarthost: '127.0.0.1:{}', tls: none}}]}}",
        first.port, second.port
    ));
    let alerter = start(tree(), section, database(folder.path()).await).await;
    (alerter, folder)
}

#[tokio::test]
async fn what_the_first_server_does_not_take_goes_by_the_next() {
    for act in [
        Act::Drop(Stage::Greeting),
        Act::Say(Stage::Greeting, "421 busy"),
        Act::Say(Stage::Mail, "452 disk full"),
        Act::Say(Stage::Dot, "452 disk full"),
    ] {
        let mut first = Sink::start(&[act, Act::Drop(Stage::Greeting)]).await;
        let mut second = Sink::start(&[]).await;
        let (alerter, _folder) = between(&first, &second, "").await;
        alerter.put(vec![alert("a", true)]).await.unwrap();
        assert_eq!(
            second.next().await.subject,
            "first notification +a",
            "{act:?}"
        );
        // It is left alone for a while.
        alerter.put(vec![alert("b", true)]).await.unwrap();
        assert_eq!(second.next().await.subject, "first notification +b");
        assert!(!first.is_done(), "it was not asked again");
        let page = until("the second mail counts", async || {
            let page = alerter.metrics().await.unwrap();
            page.contains("belfry_mail_sent_total 2").then_some(page)
        })
        .await;
        assert!(page.contains("belfry_mail_spare_total 2"), "{page}");
        assert!(page.contains("belfry_mail_failing 0"), "{page}");
        alerter.stop(Duration::from_secs(5)).await;
        assert_eq!(first.ready(), None);
    }
}

/// What a mail has in common with itself when it is made again.
fn news(mail: &Taken) -> (&str, &str, &[String]) {
    (&mail.id, &mail.subject, &mail.to)
}

#[tokio::test]
async fn a_mail_that_the_first_server_may_have_taken_does_not_go_by_the_next() {
    let mut first = Sink::start(&[Act::Drop(Stage::Dot)]).await;
    let mut second = Sink::start(&[]).await;
    let (alerter, _folder) = between(&first, &second, "").await;
    alerter.put(vec![alert("a", true)]).await.unwrap();
    let taken = first.next().await;
    // Whoever gets it twice can tell: it has the same name.
    let again = within("the next try", first.next()).await;
    assert_eq!(news(&taken), news(&again));
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(second.ready(), None);
}

#[tokio::test]
async fn a_server_that_never_says_what_became_of_a_mail_is_passed_over() {
    let mut first = Sink::start(&[Act::Drop(Stage::Dot); 9]).await;
    let mut second = Sink::start(&[]).await;
    let (alerter, _folder) = between(&first, &second, "").await;
    alerter.put(vec![alert("a", true)]).await.unwrap();
    let taken = first.next().await;
    let again = first.next().await;
    assert_eq!(news(&again), news(&taken), "it is asked once more");
    assert_eq!(news(&second.next().await), news(&taken));
    alerter.put(vec![alert("b", true)]).await.unwrap();
    assert_eq!(second.next().await.subject, "first notification +b");
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(first.ready(), None, "it is left alone for a while");
}

#[tokio::test]
async fn receivers_of_one_server_share_its_connections_and_what_is_known_of_it() {
    let mut first = Sink::start(&[Act::Drop(Stage::Greeting); 9]).await;
    let mut second = Sink::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let section = mail(&format!(
        "{{to: ops@example.org, from: b@example.org, tls: none, smarthost: '127.0.0.1:{}', \
          spare: [{{smarthost: '127.0.0.1:{}', tls: none}}]}}",
        first.port, second.port
    ));
    let tree = config(
        "{route: {receiver: r0, group_by: [alertname], group_wait: 0s, group_interval: 50ms, \
          routes: [{receiver: r1, matchers: [alertname=a1]}, {receiver: r2, matchers: [alertname=a2]}]}, \
          receivers: [{name: r0, email_configs: [{to: o0@example.org}]}, \
            {name: r1, email_configs: [{to: o1@example.org}]}, \
            {name: r2, email_configs: [{to: o2@example.org}, {to: o3@example.org}]}]}",
    );
    let alerter = start(tree, section, database(folder.path()).await).await;
    for (name, mails) in [("a0", 1), ("a1", 1), ("a2", 2)] {
        alerter.put(vec![alert(name, true)]).await.unwrap();
        for _ in 0..mails {
            let subject = second.next().await.subject;
            assert_eq!(subject, format!("first notification +{name}"));
        }
    }
    let asked = first.reached.borrow().len();
    assert_eq!(asked, 1, "what one receiver learnt of it holds for all");
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(first.ready(), None);
}

#[tokio::test]
async fn every_server_is_probed() {
    let first = Sink::start(&[Act::Drop(Stage::Greeting)]).await;
    let second = Sink::start(&[]).await;
    let (alerter, _folder) = between(&first, &second, "").await;
    let mut probes = alerter.probe().await.unwrap();
    probes.sort_by_key(|(address, _)| *address != format!("127.0.0.1:{}", first.port));
    assert!(probes[0].1.is_err() && probes[1].1.is_ok(), "{probes:?}");
}

#[tokio::test]
async fn mails_that_wait_for_a_server_share_its_connections() {
    let mut sink = Sink::start(&[]).await;
    let none = Sink::start(&[]).await;
    let (alerter, _folder) = between(&sink, &none, "").await;
    let alerts = (0..60).map(|at| alert(&format!("a{at}"), true)).collect();
    alerter.put(alerts).await.unwrap();
    let mut subjects = std::collections::BTreeSet::new();
    for _ in 0..60 {
        subjects.insert(sink.next().await.subject);
    }
    assert_eq!(subjects.len(), 60);
    let greeted = |sink: &Sink| {
        let reached = sink.reached.borrow();
        reached.iter().filter(|it| **it == Stage::Greeting).count()
    };
    assert!(greeted(&sink) <= 8, "{} connections", greeted(&sink));
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}

#[tokio::test]
async fn a_server_that_ends_connections_after_a_mail_gets_the_others_by_new_ones() {
    let mut sink = Sink::start(&[Act::Once; 20]).await;
    let none = Sink::start(&[]).await;
    let (alerter, _folder) = between(&sink, &none, "").await;
    let alerts = (0..12).map(|at| alert(&format!("a{at}"), true)).collect();
    alerter.put(alerts).await.unwrap();
    let mut subjects = std::collections::BTreeSet::new();
    for _ in 0..12 {
        subjects.insert(sink.next().await.subject);
    }
    assert_eq!(subjects.len(), 12);
    alerter.stop(Duration::from_secs(5)).await;
    assert_eq!(sink.ready(), None);
}

#[tokio::test]
async fn where_a_server_wants_cram_md5_the_password_is_not_told() {
    proven_by(
        "cram:\n  driver = cram_md5\n  public_name = CRAM-MD5\n  \
         server_secret = ${if eq{$auth1}{belfry}{a pass word}fail}\n  server_set_id = $auth1\n",
    )
    .await;
}

#[tokio::test]
async fn where_a_server_knows_login_alone_the_name_and_the_password_are_told_by_it() {
    proven_by(
        "login:\n  driver = plaintext\n  public_name = LOGIN\n  \
         server_prompts = Username:: : Password::\n  \
         server_condition = ${if and{{eq{$auth1}{belfry}}{eq{$auth2}{a pass word}}}}\n  \
         server_set_id = $auth1\n",
    )
    .await;
}

/// Logs in at a server that knows only this, with the right password and a wrong one.
async fn proven_by(authenticators: &str) {
    let exim = Exim::knowing(authenticators).await;
    let folder = tempfile::tempdir().unwrap();
    let section = mail(&format!("{{{}}}", exim.section(exim.port)));
    let alerter = start(tree(), section.clone(), database(folder.path()).await).await;
    alerter.put(vec![alert("a", true)]).await.unwrap();
    let mails = exim.mails(1).await;
    assert_eq!(mails[0].field("Subject"), "first notification +a");

    let mut wrong = section;
    wrong.password = settings::Secret::new("wrong");
    alerter.reload(&tree(), &wrong).await.unwrap();
    let probes = alerter.probe().await.unwrap();
    let failure = probes[0].1.clone().unwrap_err();
    assert_eq!(failure.class, alerter::Class::Auth, "{failure}");
}

#[tokio::test]
async fn a_password_in_a_file_is_the_one_that_the_file_has_when_a_mail_is_sent() {
    let exim = Exim::knowing(
        "login:\n  driver = plaintext\n  public_name = LOGIN\n  \
         server_prompts = Username:: : Password::\n  \
         server_condition = ${if and{{eq{$auth1}{belfry}}{eq{$auth2}{a pass word}}}}\n  \
         server_set_id = $auth1\n",
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("a pass word\n");
    let own = format!("password_file: {file:?}");
    let section = exim.section(exim.port);
    let section = section.replace("password: 'a pass word'", &own);
    let section = mail(&format!("{{{section}}}"));
    let alerter = start(tree(), section, database(folder.path()).await).await;
    let probe = async || alerter.probe().await.unwrap()[0].1.clone();
    probe().await.unwrap();
    write("another\n");
    let failure = probe().await.unwrap_err();
    assert_eq!(failure.class, alerter::Class::Auth, "{failure}");
    // One that is gone keeps no mail from being sent as before.
    std::fs::remove_file(&file).unwrap();
    alerter.put(vec![alert("a", true)]).await.unwrap();
    assert_eq!(exim.mails(1).await.len(), 1);
}

#[tokio::test]
async fn who_we_prove_to_be_may_send_in_the_name_of_somebody_else() {
    // The name, then who proves it: neither is taken for the other.
    let exim = Exim::knowing(
        "plain:\n  driver = plaintext\n  public_name = PLAIN\n  server_prompts = :\n  \
         server_condition = ${if and{{eq{$auth1}{pager}}{eq{$auth2}{belfry}}{eq{$auth3}{a pass word}}}}\n  \
         server_set_id = $auth1\n",
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let tree = |global: &str, own: &str| {
        config(&format!(
            "{{global: {{smtp_smarthost: 'localhost:{}', smtp_from: b@example.org, smtp_auth_username: belfry, \
              smtp_auth_password: 'a pass word', smtp_tls_config: {{ca_file: {:?}}}, {global}}}, \
              route: {{receiver: ops, group_by: [alertname], group_wait: 0s}}, \
              receivers: [{{name: ops, email_configs: [{{to: ops@example.org, {own}}}]}}]}}",
            exim.port,
            exim.authority()
        ))
    };
    let none = alerter::Mail::default();
    let pool = database(folder.path()).await;
    let alerter = start(tree("", ""), none.clone(), pool).await;
    let probes = alerter.probe().await.unwrap();
    let failure = probes[0].1.clone().unwrap_err();
    assert_eq!(failure.class, alerter::Class::Auth, "{failure}");
    let by_all = tree("smtp_auth_identity: pager", "");
    let by_one = tree("smtp_auth_identity: x", "auth_identity: pager");
    for (at, config) in [by_all, by_one].iter().enumerate() {
        alerter.reload(config, &none).await.unwrap();
        let page = alert(&format!("a{at}"), true);
        alerter.put(vec![page]).await.unwrap();
        assert_eq!(exim.mails(at + 1).await.len(), at + 1);
    }
}

#[tokio::test]
async fn a_token_stands_for_the_password_and_is_fetched_anew_when_it_is_refused() {
    let exim = Exim::knowing(
        "token:\n  driver = plaintext\n  public_name = XOAUTH2\n  server_prompts = :\n  \
         server_condition = ${if eq{$auth1}{user=belfry\\x01auth=Bearer good\\x01\\x01}}\n  \
         server_set_id = belfry\n",
    )
    .await;
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let mut giver = Hook::answering(move |_, _| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let token = if first { "old" } else { "good" };
        (
            200,
            format!("{{\"access_token\": \"{token}\", \"expires_in\": 3600}}"),
        )
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let section = mail(&format!(
        "{{{}, oauth2: {{client_id: us, client_secret: s3cret, refresh_token: r3fresh, \
          token_url: 'http://127.0.0.1:{}/token', scopes: [mail]}}}}",
        exim.section(exim.port),
        giver.port
    ));
    let alerter = start(tree(), section, database(folder.path()).await).await;
    let probes = alerter.probe().await.unwrap();
    let failure = probes[0].1.clone().unwrap_err();
    assert_eq!(failure.class, alerter::Class::Auth, "{failure}");
    alerter.put(vec![alert("a", true)]).await.unwrap();
    let mails = exim.mails(1).await;
    assert_eq!(mails[0].field("Subject"), "first notification +a");
    let request = giver.next().await;
    let body = request.body.as_str().unwrap();
    assert!(body.contains("grant_type=refresh_token"), "{body}");
    assert!(body.contains("refresh_token=r3fresh"), "{body}");
    assert!(body.contains("scope=mail"), "{body}");
}
