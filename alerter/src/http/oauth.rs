//! OAuth 2's client credentials: a token that is fetched, kept while it holds,
//! and fetched anew when a server refuses it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use settings::Secret;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::proof::basic;
use super::{Answer, Ask, Line, Way, form_urlencoded, read};
use crate::health::{Class, Failure};

/// A token is fetched anew so long before it ends.
const EARLY: Duration = Duration::from_secs(10);

/// Who gives us tokens, and for what.
pub(crate) struct OAuth {
    pub client_id: String,
    pub client_secret: Secret,
    pub token_url: Url,
    /// By which tokens are asked for in somebody's name; empty for our own.
    pub refresh: Secret,
    pub scopes: Vec<String>,
    /// More fields of the request.
    pub params: BTreeMap<String, String>,
    /// How the giver is reached.
    pub way: Way,
    /// The token, and when it ends; none for never.
    pub kept: Mutex<Option<(String, Option<Instant>)>>,
}

impl OAuth {
    pub(crate) async fn token(&self, patience: Duration) -> Result<String, Failure> {
        let mut kept = self.kept.lock().await;
        if let Some((token, end)) = &*kept
            && end.is_none_or(|end| Instant::now() < end)
        {
            return Ok(token.clone());
        }
        let secret = read(&self.client_secret).await?;
        // The standard's way first; some givers know only the other one.
        let mut answer = self.ask(&secret, true, patience).await?;
        if matches!(answer.status, 400 | 401) {
            answer = self.ask(&secret, false, patience).await?;
        }
        let answer = answer.good().map_err(|failure| Failure {
            class: match failure.class {
                Class::Rejected => Class::Auth,
                class => class,
            },
            detail: format!("no OAuth token: {}", failure.detail),
        })?;
        let said = answer.json();
        let Some(token) = said["access_token"].as_str().filter(|it| !it.is_empty()) else {
            return Err(Failure::new(
                Class::Auth,
                "the OAuth server's answer has no access_token",
            ));
        };
        let lasts = said["expires_in"]
            .as_u64()
            .or_else(|| said["expires_in"].as_str()?.parse().ok());
        let end = lasts.filter(|lasts| *lasts > 0).map(|lasts| {
            // A number without sense is no reason to fail.
            let lasts = Duration::from_secs(lasts.min(30 * 86_400));
            Instant::now() + lasts.saturating_sub(EARLY)
        });
        *kept = Some((token.to_owned(), end));
        Ok(token.to_owned())
    }

    pub(crate) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    async fn ask(&self, secret: &str, header: bool, patience: Duration) -> Result<Answer, Failure> {
        let scopes = self.scopes.join(" ");
        let refresh = read(&self.refresh).await?;
        let mut fields = match refresh.is_empty() {
            true => vec![("grant_type", "client_credentials")],
            false => vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", &*refresh),
            ],
        };
        if !scopes.is_empty() {
            fields.push(("scope", &scopes));
        }
        for (name, value) in &self.params {
            fields.push((name, value));
        }
        if !header {
            fields.push(("client_id", &self.client_id));
            fields.push(("client_secret", secret));
        }
        let mut ask = Ask::form(self.token_url.clone(), &fields);
        if header {
            let encoded = |text: &str| {
                form_urlencoded(&[(text, "")])
                    .trim_end_matches('=')
                    .to_owned()
            };
            ask.header(
                "authorization",
                basic(&encoded(&self.client_id), &encoded(secret)),
            );
        }
        let line = Line {
            way: &self.way,
            timeout: patience,
        };
        line.send(ask).await
    }
}
