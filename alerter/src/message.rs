//! From a notification to the bytes of a mail.
//!
//! Values of labels reach the header only through here, without line ends, so
//! that nobody who names an alert can add a header field or a recipient.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use tmpl::Mode;
use tracing::error;

use crate::Render;
use crate::bounce::NAME_FIELD;
use crate::health::{Class, Failure, one_line};
use crate::notification::{Notification, Rendered};
use crate::plan::{Email, Thread};
use crate::smtp::Envelope;
use crate::state::Delivery;
use crate::vendor::key_of;
use crate::whom::Whom;
use crate::words::{self, Words};

/// Longest subject, in characters.
const SUBJECT: usize = 200;

/// Composes the mail. A template that fails costs its looks, never the page.
pub(crate) fn compose(
    delivery: &Delivery,
    email: &Email,
    render: &Render,
) -> Result<Envelope, Failure> {
    let notification = &delivery.notification;
    let (rendered, headers) = match templated(&email.words, notification, render) {
        Ok(words) => words,
        Err(why) => {
            error!(
                receiver = notification.receiver,
                "the mail's template failed; sent it plain: {why}"
            );
            (plain(notification, &why), Vec::new())
        }
    };
    let state = if notification.firing() {
        "firing"
    } else {
        "resolved"
    };
    let fields = [
        ("X-Belfry-Severity", &*notification.severity),
        ("X-Belfry-State", state),
        ("X-Belfry-Incident", &notification.incident),
    ];
    let thread = (delivery.message_id != notification.incident).then_some(&*notification.incident);
    let mail = Mail {
        rendered: &rendered,
        headers: &headers,
        id: &delivery.message_id,
        thread,
        root: email.thread.map(|thread| root(thread, notification)),
        fields: &fields,
        now_ms: notification.now_ms,
    };
    let to = delivery.to.iter().map(|to| to.email.clone()).collect();
    envelope(email, (&delivery.whom, to), &mail)
}

/// Composes a mail that shows that mail works.
pub(crate) fn compose_test(
    email: &Email,
    rendered: &Rendered,
    now_ms: i64,
) -> Result<Envelope, Failure> {
    compose_notice(email, rendered, &format!("test.{now_ms}"), now_ms)
}

/// Composes a mail that is no page.
pub(crate) fn compose_notice(
    email: &Email,
    rendered: &Rendered,
    id: &str,
    now_ms: i64,
) -> Result<Envelope, Failure> {
    let mail = Mail {
        rendered,
        headers: &[],
        id,
        thread: None,
        root: None,
        fields: &[],
        now_ms,
    };
    let whom = Whom::without(&email.to, &email.from, now_ms);
    let to = whom.to.iter().map(|to| to.email.clone()).collect();
    envelope(email, (&whom, to), &mail)
}

struct Mail<'a> {
    rendered: &'a Rendered,
    /// Fields that were templates.
    headers: &'a [(String, String)],
    id: &'a str,
    /// The id of the incident's first mail, if this is another.
    thread: Option<&'a str>,
    /// The mail that all of a longer thread answer.
    root: Option<String>,
    fields: &'a [(&'static str, &'a str)],
    now_ms: i64,
}

fn envelope(
    email: &Email,
    (whom, to): (&Whom, Vec<Address>),
    mail: &Mail<'_>,
) -> Result<Envelope, Failure> {
    let Some(from) = whom.from.as_ref().filter(|_| !to.is_empty()) else {
        let why = "nobody is named whom it goes to, or whom it is from";
        return Err(whom
            .failure()
            .unwrap_or_else(|| Failure::new(Class::Template, why)));
    };
    let failed = |err: &dyn std::fmt::Display| {
        Failure::new(Class::Permanent, format!("cannot compose the mail: {err}"))
    };
    let domain = from.email.domain();
    let id = |id: &str| format!("<{id}@{domain}>");
    let sent = UNIX_EPOCH + Duration::from_millis(u64::try_from(mail.now_ms).unwrap_or(0));
    let mut builder = Message::builder()
        .from(harmless(from))
        .subject(subject(&mail.rendered.subject))
        .date(sent)
        .message_id(Some(id(mail.id)));
    for to in &whom.to {
        builder = builder.to(harmless(to));
    }
    let answered = mail.root.clone().or_else(|| mail.thread.map(id));
    if let Some(answered) = answered {
        builder = builder.in_reply_to(answered.clone()).references(answered);
    }
    builder = builder.raw_header(field("Auto-Submitted", "auto-generated")?);
    builder = builder.raw_header(field(NAME_FIELD, mail.id)?);
    for (name, value) in mail.fields.iter().filter(|(_, value)| !value.is_empty()) {
        builder = builder.raw_header(field(name, value)?);
    }
    let Rendered { text, html, .. } = mail.rendered;
    let message = match (html.is_empty(), text.is_empty()) {
        (false, true) => {
            let part = SinglePart::builder().header(ContentType::TEXT_HTML);
            builder.multipart(MultiPart::alternative().singlepart(part.body(html.clone())))
        }
        (true, _) => {
            let part = SinglePart::builder().header(ContentType::TEXT_PLAIN);
            builder.singlepart(part.body(text.clone()))
        }
        (false, false) => builder.multipart(MultiPart::alternative_plain_html(
            text.clone(),
            html.clone(),
        )),
    };
    let mut message = message.map_err(|err| failed(&err))?;
    for (name, value) in email.headers.iter().chain(mail.headers) {
        message.headers_mut().insert_raw(field(name, value)?);
    }
    Ok(Envelope {
        from: email
            .return_path
            .clone()
            .unwrap_or_else(|| from.email.clone()),
        to,
        message: message.formatted(),
    })
}

/// A mail that nobody ever sent, which all mails about a group answer: that is
/// enough for programs that show threads.
fn root(thread: Thread, notification: &Notification) -> String {
    let date = match thread {
        Thread::Ever => String::new(),
        Thread::Day => {
            let now = jiff::Timestamp::from_millisecond(notification.now_ms);
            let here = jiff::tz::TimeZone::system();
            here.to_datetime(now.unwrap_or_default()).date().to_string()
        }
    };
    let group = key_of(notification);
    let group = group.get(..16).unwrap_or(&group);
    format!("<alert-{group}-{date}@alertmanager>")
}

fn harmless(mailbox: &Mailbox) -> Mailbox {
    let name = mailbox.name.as_deref().map(one_line);
    Mailbox::new(name, mailbox.email.clone())
}

fn field(name: &str, value: &str) -> Result<HeaderValue, Failure> {
    let name = HeaderName::new_from_ascii(name.to_owned())
        .map_err(|err| Failure::new(Class::Permanent, format!("header field {name:?}: {err}")))?;
    Ok(HeaderValue::new(name, one_line(value)))
}

fn subject(text: &str) -> String {
    let line = one_line(text);
    let line = line.trim();
    match line.char_indices().nth(SUBJECT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The words of a mail and its own header fields, by our templates and the
/// user's; or what is wrong with one of them.
fn templated(
    words: &Words,
    notification: &Notification,
    render: &Render,
) -> Result<(Rendered, Vec<(String, String)>), String> {
    let fill = |what: &str, template: &tmpl::Template, mode| {
        words::fill(template, notification, mode).map_err(|err| format!("{what}: {err}"))
    };
    let fill_some = |what, template: Option<&tmpl::Template>, mode| {
        template.map_or(Ok(String::new()), |template| fill(what, template, mode))
    };
    let mut rendered = match &words.body {
        Some(body) => Rendered {
            subject: String::new(),
            text: fill_some("text", body.text.as_ref(), Mode::Text)?,
            html: fill_some("html", body.html.as_ref(), Mode::Html)?,
        },
        None => catch_unwind(AssertUnwindSafe(|| render(notification)))
            .ok()
            .filter(|it| !(it.text.is_empty() && it.html.is_empty()))
            .ok_or("it gave nothing")?,
    };
    if let Some(subject) = &words.subject {
        rendered.subject = fill("Subject", subject, Mode::Text)?;
    }
    let headers = words.headers.iter().map(|(name, template)| {
        let value = fill(name, template, Mode::Text)?;
        Ok((name.clone(), value))
    });
    Ok((rendered, headers.collect::<Result<_, String>>()?))
}

/// The mail without a template: everything that is known, line by line, and
/// `why` it is so.
fn plain(notification: &Notification, why: &str) -> Rendered {
    Rendered {
        subject: words::plain_title(notification),
        text: words::plain_text(notification, why),
        html: String::new(),
    }
}

#[cfg(test)]
mod tests;
