//! From the mail sections to an integration.

use std::collections::BTreeMap;
use std::time::Duration;

use lettre::Address;
use tokio::sync::OnceCell;

use super::address::{Senders, addresses, from, sender, to};
use crate::config::compile::Problems;
use crate::config::rotas::Rotas;
use crate::config::servers::{self, Servers};
use crate::config::words::{self, Templates};
use crate::config::{Email as Section, Global, Mail, Threading, http};
use crate::plan::{Email, Thread};
use crate::smtp::{Server, Tls};
use crate::whom::{From, To};
use crate::words::Words;

/// What header fields nobody else may set: they say how the mail is made.
const OWN_FIELDS: [&str; 5] = [
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "Message-Id",
    "Mime-Version",
];

/// The integration of the `mail` section, if it says anything.
pub(in crate::config) fn from_mail(
    mail: &Mail,
    rotas: &Rotas,
    known: &mut Servers,
    problems: &mut Problems,
) -> Option<Email> {
    if *mail == Mail::default() {
        return None;
    }
    if mail.to.is_empty() {
        problems.add("mail.to", "say who is to be mailed");
    }
    if mail.smarthost.is_empty() {
        problems.add("mail.smarthost", "name the mail server as host:port");
    }
    daily(&mail.digest, "mail.digest", problems);
    if mail.timeout.is_zero() {
        problems.add("mail.timeout", "no server answers in no time");
    }
    if mail.username.is_empty() {
        let what = match (mail.password.is_empty(), &mail.oauth2) {
            (false, _) => "a password",
            (true, Some(_)) => "a token",
            (true, None) => "",
        };
        if !what.is_empty() {
            let message = format!("{what} is of no use without a user name");
            problems.add("mail.username", message);
        }
    }
    word(&mail.hello, "mail.hello", problems);
    let to = addresses(&mail.to, "mail.to", rotas, problems);
    let from = sender(from_of(mail), "mail.from", problems);
    let return_path = return_path(&mail.return_path, "mail.return_path", problems);
    let first = servers::of_mail(mail, known, problems);
    let spare = servers::spare(mail, known, problems);
    Some(Email {
        to: To::Fixed(to?),
        from: From::Fixed(from?),
        return_path,
        send_resolved: true,
        words: Words::default(),
        headers: Vec::new(),
        thread: None,
        hourly: mail.hourly,
        servers: [first?].into_iter().chain(spare).collect(),
    })
}

/// The integration of an entry of `email_configs`. What neither it nor `global`
/// says comes from the `mail` section.
pub(in crate::config) fn compile(
    email: &Section,
    global: &Global,
    (mail, rotas): (&Mail, &Rotas),
    templates: &Templates,
    key: &str,
    known: &mut Servers,
    problems: &mut Problems,
) -> Option<Email> {
    let at = |name: &str| format!("{key}.{name}");
    if email.to.is_empty() {
        problems.add(at("to"), "missing to address in email config");
    }
    let own = first([&email.smarthost, &global.smtp_smarthost]);
    // The section's password goes to the section's server only.
    let borrowed = own.is_empty();
    let smarthost = first([own, &mail.smarthost]);
    if smarthost.is_empty() {
        problems.add(at("smarthost"), "no global SMTP smarthost set");
    }
    let hello = first([&email.hello, &global.smtp_hello]);
    word(hello, &at("hello"), problems);
    let username = first([&email.auth_username, &global.smtp_auth_username]);
    let to = to(&email.to, &at("to"), (mail, rotas, templates), problems);
    let own = [&*email.from, &global.smtp_from, from_of(mail)];
    let from = from(
        Senders {
            own,
            user: username,
        },
        &at("from"),
        templates,
        problems,
    );
    let back = [
        &email.return_path,
        &global.smtp_return_path,
        &mail.return_path,
    ];
    let return_path = return_path(first(back.map(|it| &**it)), &at("return_path"), problems);
    let headers = headers(email, key, problems);
    let thread = thread(&email.threading, headers.as_deref(), key, problems);
    let (headers, words) =
        words::compile(email, headers.unwrap_or_default(), templates, key, problems);
    let (host, port) = host_port(smarthost, &at("smarthost"), problems)?;
    let implicit = email.force_implicit_tls.or(global.smtp_force_implicit_tls);
    let tls = match (
        implicit,
        email.require_tls.unwrap_or(global.smtp_require_tls),
    ) {
        (Some(true), _) => Tls::Implicit,
        (None, _) if port == 465 => Tls::Implicit,
        (_, true) => Tls::Starttls,
        (_, false) => Tls::None,
    };
    let tls_config = email
        .tls_config
        .as_ref()
        .or(global.smtp_tls_config.as_ref())
        .cloned()
        .unwrap_or_default();
    let mut trust = http::tls_trust(&tls_config, key, problems);
    if trust.server_name.is_empty() {
        trust.server_name.clone_from(&host);
    }
    if borrowed && trust.ca_file.is_none() {
        trust.ca_file.clone_from(&mail.ca_file);
    }
    let password = match email.auth_password.is_empty() {
        true => &global.smtp_auth_password,
        false => &email.auth_password,
    };
    let (username, password) = match borrowed && username.is_empty() {
        true => (&*mail.username, &mail.password),
        false => (username, password),
    };
    let secret = match email.auth_secret.is_empty() {
        true => &global.smtp_auth_secret,
        false => &email.auth_secret,
    };
    let identity = first([&email.auth_identity, &global.smtp_auth_identity]);
    let server = Server {
        tls: match (borrowed, mail.tls) {
            (true, Some(tls)) => tls,
            _ => tls,
        },
        hello: hello.to_owned(),
        username: username.to_owned(),
        identity: identity.to_owned(),
        password: password.clone(),
        secret: secret.clone(),
        oauth: match borrowed {
            true => known.tokens(mail, problems),
            false => None,
        },
        trust,
        timeout: match borrowed {
            true => mail.timeout,
            false => Duration::from_secs(30),
        },
        lane: known.lane(&host, port),
        rest: std::sync::Mutex::default(),
        cached: OnceCell::new(),
        address: format!("{host}:{port}").into(),
        host,
        port,
    };
    let spare = match borrowed {
        true => servers::spare(mail, known, problems),
        false => Vec::new(),
    };
    Some(Email {
        to: to?,
        from: from?,
        return_path,
        send_resolved: email.send_resolved,
        words,
        headers,
        thread,
        hourly: if borrowed { mail.hourly } else { 0 },
        servers: [known.share(server)].into_iter().chain(spare).collect(),
    })
}

/// Writes into the section what it takes from elsewhere, for people to see.
pub(in crate::config) fn fill(email: &mut Section, global: &Global, mail: &Mail) {
    let own = first([&email.smarthost, &global.smtp_smarthost]).to_owned();
    let borrowed = own.is_empty();
    email.smarthost = first([&own, &mail.smarthost]).to_owned();
    email.from = first([&email.from, &global.smtp_from, from_of(mail)]).to_owned();
    let back = [
        &email.return_path,
        &global.smtp_return_path,
        &mail.return_path,
    ];
    email.return_path = first(back.map(|it| &**it)).to_owned();
    email.hello = first([&email.hello, &global.smtp_hello]).to_owned();
    email.require_tls = email.require_tls.or(Some(global.smtp_require_tls));
    email.auth_username = first([&email.auth_username, &global.smtp_auth_username]).to_owned();
    email.auth_identity = first([&email.auth_identity, &global.smtp_auth_identity]).to_owned();
    if email.auth_password.is_empty() {
        email.auth_password = global.smtp_auth_password.clone();
    }
    if borrowed && email.auth_username.is_empty() {
        email.auth_username.clone_from(&mail.username);
        email.auth_password = mail.password.clone();
    }
    if email.tls_config.is_none() {
        email.tls_config.clone_from(&global.smtp_tls_config);
    }
}

fn first<const N: usize>(texts: [&str; N]) -> &str {
    texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or("")
}

/// A time of the day, or nothing.
pub(in crate::config) fn daily(text: &str, key: &str, problems: &mut Problems) {
    if !text.is_empty() && crate::notice::Daily::parse(text).is_none() {
        let message = format!("{text:?} is no time of the day; write one such as 08:00");
        problems.add(key, message);
    }
}

/// The address alone, without a name.
fn return_path(text: &str, key: &str, problems: &mut Problems) -> Option<Address> {
    if text.is_empty() {
        return None;
    }
    match text.parse() {
        Ok(address) => Some(address),
        Err(err) => {
            problems.add(key, format!("{text:?} is no address: {err}"));
            None
        }
    }
}

fn from_of(mail: &Mail) -> &str {
    match (&*mail.from, mail.username.contains('@')) {
        ("", true) => &mail.username,
        (from, _) => from,
    }
}

/// This host's name, unless another is wanted; a word that EHLO allows.
pub(in crate::config) fn hello_of(mail: &Mail) -> String {
    if !mail.hello.is_empty() {
        return mail.hello.clone();
    }
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    match name.is_empty() || !name.chars().all(plain) {
        true => "localhost".into(),
        false => name,
    }
}

/// What stands in a command of its own must not end it.
fn word(text: &str, key: &str, problems: &mut Problems) {
    if !text.bytes().all(|letter| letter.is_ascii_graphic()) {
        problems.add(key, format!("{text:?} is not a host name"));
    }
}

pub(in crate::config) fn host_port(
    text: &str,
    key: &str,
    problems: &mut Problems,
) -> Option<(String, u16)> {
    if text.is_empty() {
        return None;
    }
    let mut fault = |what: String| {
        problems.add(key, format!("address {text:?}: {what}"));
        None
    };
    let Some((host, port)) = text.rsplit_once(':') else {
        return fault("missing port in address".into());
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() {
        return fault("host cannot be empty".into());
    }
    if port.is_empty() {
        return fault("port cannot be empty".into());
    }
    match port.parse() {
        Ok(port) if port > 0 => Some((host.to_owned(), port)),
        _ => fault(format!("{port:?} is not a port")),
    }
}

fn headers(email: &Section, key: &str, problems: &mut Problems) -> Option<Vec<(String, String)>> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let mut sound = true;
    for (name, value) in &email.headers {
        let at = format!("{key}.headers[{name}]");
        let canonical = canonical(name);
        let printable = |letter: u8| letter.is_ascii_graphic() && letter != b':';
        let message = if name.is_empty() || !name.bytes().all(printable) {
            format!("{name:?} is not the name of a header field")
        } else if OWN_FIELDS.contains(&&*canonical) {
            format!("{canonical} is set by the program")
        } else if headers.insert(canonical.clone(), value.clone()).is_some() {
            format!("duplicate header {canonical:?} in email config")
        } else {
            continue;
        };
        problems.add(at, message);
        sound = false;
    }
    sound.then(|| headers.into_iter().collect())
}

fn thread(
    section: &Threading,
    headers: Option<&[(String, String)]>,
    key: &str,
    problems: &mut Problems,
) -> Option<Thread> {
    if !section.enabled {
        return None;
    }
    for (name, _) in headers.unwrap_or_default() {
        if matches!(&**name, "References" | "In-Reply-To") {
            let message = format!("conflicts with {name} in headers");
            problems.add(format!("{key}.threading"), message);
        }
    }
    match &*section.thread_by_date {
        "daily" => Some(Thread::Day),
        "none" => Some(Thread::Ever),
        _ => {
            let message = "threading.thread_by_date must be either 'none' or 'daily'";
            problems.add(format!("{key}.threading.thread_by_date"), message);
            None
        }
    }
}

/// `x-my-field` as `X-My-Field`.
fn canonical(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
            format!("{}{}", first.to_uppercase(), rest.to_lowercase())
        })
        .collect::<Vec<_>>()
        .join("-")
}
