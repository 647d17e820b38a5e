//! Amazon SNS: requests whose signature the server checks as AWS describes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderMap;
use data_encoding::HEXLOWER;
use ring::{digest, hmac};

use super::more::{TITLE, field, form, words};
use super::{KEY, Run, faults, text, told};
use crate::support::hook::{Hook, Message};

/// The access key by which a POST to `/` is signed, for which service, if the
/// signature is the one that AWS' description gives with this secret.
fn signer(message: &Message, secret: &str) -> Option<(String, String)> {
    let header = |name: &str| message.header(name).to_owned();
    let proof = header("authorization");
    let rest = proof.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
    let [credential, fields, signature]: [&str; 3] =
        rest.split(", ").collect::<Vec<_>>().try_into().ok()?;
    let fields = fields.strip_prefix("SignedHeaders=")?;
    let signature = signature.strip_prefix("Signature=")?;
    let (access, scope) = credential.split_once('/')?;
    let [day, region, service, last]: [&str; 4] =
        scope.split('/').collect::<Vec<_>>().try_into().ok()?;
    let date = header("x-amz-date");
    if last != "aws4_request" || !date.starts_with(day) || !all_signed(&message.headers, fields) {
        return None;
    }
    let lines: String = fields
        .split(';')
        .map(|name| format!("{name}:{}\n", header(name).trim()))
        .collect();
    let hash =
        |text: &str| HEXLOWER.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    let canonical = format!(
        "POST\n/\n\n{lines}\n{fields}\n{}",
        hash(text(&message.body))
    );
    let wanted = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(&canonical));
    let step = |key: Vec<u8>, text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let key = format!("AWS4{secret}").into_bytes();
    let key = [day, region, service, last, &*wanted]
        .into_iter()
        .fold(key, step);
    (HEXLOWER.encode(&key) == signature).then(|| (access.to_owned(), service.to_owned()))
}

/// What must be signed: the host, and what AWS' own fields say.
fn all_signed(headers: &HeaderMap, fields: &str) -> bool {
    let signed = |name: &str| fields.split(';').any(|field| field == name);
    let amazons = headers.keys().map(|name| name.as_str());
    signed("host")
        && amazons
            .filter(|name| name.starts_with("x-amz-"))
            .all(signed)
}

#[tokio::test]
async fn sns_gets_a_signed_request() {
    let entry = "{api_url: 'http://127.0.0.1:PORT/', topic_arn: 'arn:aws:sns:eu-central-1:1:t.fifo', \
        sigv4: {region: eu-central-1, access_key: AK, secret_key: SK}, attributes: {team: db}}";
    let ok = (200, "<PublishResponse/>");
    let [firing, _] = told(ok, "", "sns_configs", entry).await;
    assert_eq!((&*firing.method, &*firing.path), ("POST", "/"));
    let proof = firing.header("authorization");
    let begins = "AWS4-HMAC-SHA256 Credential=AK/";
    assert!(proof.starts_with(begins), "{proof}");
    assert!(
        proof.contains(
            "/eu-central-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="
        ),
        "{proof}"
    );
    assert_eq!(firing.header("x-amz-date").len(), 16);
    let said = form(text(&firing.body));
    for (name, value) in [
        ("Action", "Publish"),
        ("Version", "2010-03-31"),
        ("TopicArn", "arn:aws:sns:eu-central-1:1:t.fifo"),
        ("MessageGroupId", KEY),
        ("MessageDeduplicationId", KEY),
        ("Subject", TITLE),
        ("Message", &*words()),
        ("MessageAttributes.entry.1.Name", "team"),
        ("MessageAttributes.entry.1.Value.DataType", "String"),
        ("MessageAttributes.entry.1.Value.StringValue", "db"),
    ] {
        assert_eq!(field(&said, name), value, "{name}");
    }
    let faults = faults(
        "",
        "sns_configs",
        "{sigv4: {region: x, access_key: a, external_id: b}}",
    );
    assert_eq!(faults.len(), 3, "{faults:?}");
}

/// What STS answers: keys that end in so many seconds.
fn role(serial: usize, lasts_s: i64) -> String {
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(lasts_s);
    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA{serial}</AccessKeyId>\
         <SecretAccessKey>secret{serial}</SecretAccessKey><SessionToken>token{serial}</SessionToken>\
         <Expiration>{end}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
}

const ENTRY: &str = "{api_url: 'http://127.0.0.1:PORT/', topic_arn: 't', sigv4: {region: eu-central-1, access_key: AK, \
    secret_key: SK, role_arn: 'arn:aws:iam::1:role/pager', external_id: ours, sts_url: 'http://127.0.0.1:PORT/'}}";

/// A server of roles whose keys last so long, and of messages, some of them refused.
async fn amazon(lasts_s: i64, refused: &'static [usize]) -> Run {
    let (roles, messages) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let hook = Hook::answering(move |_, body| {
        if body.starts_with("Action=AssumeRole&") {
            let serial = roles.fetch_add(1, Ordering::SeqCst) + 1;
            return (200, role(serial, lasts_s));
        }
        match refused.contains(&messages.fetch_add(1, Ordering::SeqCst)) {
            true => (403, "<Error><Code>ExpiredToken</Code></Error>".to_owned()),
            false => (200, "<PublishResponse/>".to_owned()),
        }
    })
    .await;
    Run::start(hook, "", "sns_configs", ENTRY).await
}

/// The request for a role, signed by our own keys.
fn asks_for_the_role(message: &Message) {
    assert_eq!(
        signer(message, "SK"),
        Some(("AK".into(), "sts".into())),
        "{message:?}"
    );
    assert_eq!(message.header("x-amz-security-token"), "");
    let said = form(text(&message.body));
    for (name, value) in [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", "arn:aws:iam::1:role/pager"),
        ("RoleSessionName", "belfry"),
        ("ExternalId", "ours"),
    ] {
        assert_eq!(field(&said, name), value, "{name}");
    }
}

/// A message that is signed by the keys of a role, the first of which is 1.
fn is_sent_by(message: &Message, serial: usize) {
    let wanted = Some((format!("ASIA{serial}"), "sns".to_owned()));
    assert_eq!(
        signer(message, &format!("secret{serial}")),
        wanted,
        "{message:?}"
    );
    assert_eq!(
        message.header("x-amz-security-token"),
        format!("token{serial}")
    );
    assert_eq!(field(&form(text(&message.body)), "Action"), "Publish");
}

#[tokio::test]
async fn a_role_is_taken_on_once_while_its_keys_last() {
    let mut run = amazon(3600, &[]).await;
    run.put(true).await;
    asks_for_the_role(&run.hook.next().await);
    is_sent_by(&run.hook.next().await, 1);
    run.put(false).await;
    is_sent_by(&run.hook.next().await, 1);
}

#[tokio::test]
async fn a_role_is_taken_on_anew_before_its_keys_end_and_when_they_are_refused() {
    // Four minutes: too near their end to be used again.
    let mut run = amazon(240, &[]).await;
    run.put(true).await;
    asks_for_the_role(&run.hook.next().await);
    is_sent_by(&run.hook.next().await, 1);
    run.put(false).await;
    asks_for_the_role(&run.hook.next().await);
    is_sent_by(&run.hook.next().await, 2);

    let mut run = amazon(3600, &[0]).await;
    run.put(true).await;
    asks_for_the_role(&run.hook.next().await);
    is_sent_by(&run.hook.next().await, 1);
    asks_for_the_role(&run.hook.next().await);
    is_sent_by(&run.hook.next().await, 2);
}

#[tokio::test]
async fn a_role_that_is_denied_is_a_failure_to_prove_who_we_are() {
    let denied = "<Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error>";
    let hook = Hook::answering(move |_, _| (403, denied.to_owned())).await;
    let run = Run::start(hook, "", "sns_configs", ENTRY).await;
    run.put(true).await;
    let line = "alertmanager_notification_requests_failed_total{integration=\"sns\"} 1";
    crate::support::until(line, async || {
        let page = run.handle.metrics().await.unwrap();
        page.contains(line).then_some(())
    })
    .await;
    let why = run
        .handle
        .why(super::disk(true).fingerprint())
        .await
        .unwrap()
        .unwrap();
    let way = &why.routes[0].integrations[0];
    assert_eq!(way.failed, Some(alerter::Class::Auth), "{way:?}");
}
