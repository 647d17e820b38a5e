//! From the `mail` section to the servers that mail goes by, and keeping those
//! that are the same one for all receivers.

use std::collections::BTreeMap;
use std::sync::Arc;

use settings::Secret;
use tokio::sync::{Mutex, OnceCell};

use super::Mail;
use super::compile::Problems;
use super::email::{hello_of, host_port};
use crate::http::{OAuth, Trust, Way, check_url};
use crate::smtp::{Server, Tls, Tokens};

/// The servers of a configuration, each once, however many receivers use it: what
/// is known of it, its token and its open connections serve all of them.
#[derive(Default)]
pub(super) struct Servers {
    known: Vec<Arc<Server>>,
    lanes: BTreeMap<(String, u16), Arc<Mutex<()>>>,
    tokens: Option<Tokens>,
}

impl Servers {
    /// The lane of all mail to an address.
    pub(super) fn lane(&mut self, host: &str, port: u16) -> Arc<Mutex<()>> {
        let lane = self.lanes.entry((host.to_owned(), port)).or_default();
        Arc::clone(lane)
    }

    /// The server, or the one that is known already and no other than it.
    pub(super) fn share(&mut self, server: Server) -> Arc<Server> {
        if let Some(known) = self.known.iter().find(|known| known.is(&server)) {
            return Arc::clone(known);
        }
        let server = Arc::new(server);
        self.known.push(Arc::clone(&server));
        server
    }

    /// Who gives tokens for the section's server, if it wants any.
    pub(super) fn tokens(&mut self, mail: &Mail, problems: &mut Problems) -> Option<Tokens> {
        mail.oauth2.as_ref()?;
        if self.tokens.is_none() {
            self.tokens = tokens(mail, problems);
        }
        self.tokens.clone()
    }
}

/// The section's own server.
pub(super) fn of_mail(
    mail: &Mail,
    known: &mut Servers,
    problems: &mut Problems,
) -> Option<Arc<Server>> {
    let (host, port) = host_port(&mail.smarthost, "mail.smarthost", problems)?;
    let server = Server {
        tls: tls_of(mail.tls, port),
        hello: hello_of(mail),
        username: mail.username.clone(),
        identity: String::new(),
        password: mail.password.clone(),
        secret: Secret::default(),
        oauth: known.tokens(mail, problems),
        trust: Trust {
            ca_file: mail.ca_file.clone(),
            server_name: host.clone(),
            ..Trust::default()
        },
        timeout: mail.timeout,
        lane: known.lane(&host, port),
        rest: std::sync::Mutex::default(),
        cached: OnceCell::new(),
        address: format!("{host}:{port}").into(),
        host,
        port,
    };
    Some(known.share(server))
}

/// Those for when it takes no mail.
pub(super) fn spare(mail: &Mail, known: &mut Servers, problems: &mut Problems) -> Vec<Arc<Server>> {
    let mut servers = Vec::new();
    for (at, spare) in mail.spare.iter().enumerate() {
        let key = format!("mail.spare[{at}]");
        if spare.smarthost.is_empty() {
            let message = "name the mail server as host:port";
            problems.add(format!("{key}.smarthost"), message);
        }
        if spare.username.is_empty() && !spare.password.is_empty() {
            let message = "a password is of no use without a user name";
            problems.add(format!("{key}.username"), message);
        }
        let own = Mail {
            smarthost: spare.smarthost.clone(),
            username: spare.username.clone(),
            password: spare.password.clone(),
            tls: spare.tls,
            ca_file: spare.ca_file.clone(),
            oauth2: None,
            spare: Vec::new(),
            ..mail.clone()
        };
        let mut faults = Problems::default();
        servers.extend(of_mail(&own, known, &mut faults));
        problems.take_under(&key, faults);
    }
    servers
}

fn tokens(mail: &Mail, problems: &mut Problems) -> Option<Tokens> {
    let section = mail.oauth2.as_ref()?;
    let mut missing = |name: &str| {
        problems.add(
            format!("mail.oauth2.{name}"),
            format!("oauth2 {name} must be configured"),
        );
    };
    if section.client_id.is_empty() {
        missing("client_id");
    }
    if section.token_url.is_empty() {
        missing("token_url");
        return None;
    }
    let token_url = match check_url(&section.token_url) {
        Ok(url) => url,
        Err(err) => {
            problems.add("mail.oauth2.token_url", err);
            return None;
        }
    };
    Some(Arc::new(OAuth {
        client_id: section.client_id.clone(),
        client_secret: section.client_secret.clone(),
        token_url,
        refresh: section.refresh_token.clone(),
        scopes: section.scopes.clone(),
        params: BTreeMap::new(),
        way: Way {
            trust: Trust {
                ca_file: mail.ca_file.clone(),
                ..Trust::default()
            },
            follow_redirects: true,
            ..Way::default()
        },
        kept: Mutex::default(),
    }))
}

fn tls_of(wanted: Option<Tls>, port: u16) -> Tls {
    wanted.unwrap_or(match port {
        465 => Tls::Implicit,
        _ => Tls::Starttls,
    })
}
