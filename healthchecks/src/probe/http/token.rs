//! A token by OAuth 2.0, for those who name a client and its secret.

use serde_json::Value;
use tokio::time::Instant;

use super::super::module::{BasicAuth, Http, Oauth2};
use super::super::reason::{Failure, Reason, Step};
use super::fetch;

/// An answer with a token is no longer, in bytes.
const MOST: usize = 64 << 10;

/// Asks for a token.
pub(super) async fn token(oauth2: &Oauth2, deadline: Instant) -> Step<settings::Secret> {
    let asking = Http {
        body: form(oauth2),
        headers: [(
            "Content-Type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )]
        .into(),
        basic_auth: Some(BasicAuth {
            username: escaped(&oauth2.client_id),
            password: settings::Secret::new(escaped(oauth2.client_secret.expose())),
        }),
        method: "POST".to_owned(),
        tls_config: oauth2.tls_config.clone(),
        ..Http::default()
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let body = fetch(&oauth2.token_url, &asking, left, MOST).await;
    let body = body.map_err(|failure| {
        let reason = match failure.reason {
            Reason::Status => Reason::Auth,
            reason => reason,
        };
        Failure::new(reason, format!("the token: {}", failure.detail))
    })?;
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    match told["access_token"].as_str() {
        Some(token) if !token.is_empty() => Ok(settings::Secret::new(token)),
        _ => Err(Failure::new(Reason::Auth, "the answer has no access_token")),
    }
}

fn form(oauth2: &Oauth2) -> String {
    let mut pairs = vec![("grant_type", "client_credentials".to_owned())];
    if !oauth2.scopes.is_empty() {
        pairs.push(("scope", oauth2.scopes.join(" ")));
    }
    for (name, value) in &oauth2.endpoint_params {
        pairs.retain(|(have, _)| have != name);
        pairs.push((name, value.clone()));
    }
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();
    pairs.join("&")
}

/// As a form writes it.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                all.push(char::from(byte));
            }
            b' ' => all.push('+'),
            _ => all.push_str(&format!("%{byte:02X}")),
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_asks_with_all_that_was_named() {
        let oauth2 = Oauth2 {
            scopes: vec!["a".to_owned(), "b&c".to_owned()],
            endpoint_params: [("audience".to_owned(), "https://x/".to_owned())].into(),
            ..Oauth2::default()
        };
        assert_eq!(
            form(&oauth2),
            "grant_type=client_credentials&scope=a+b%26c&audience=https%3A%2F%2Fx%2F"
        );
    }
}
