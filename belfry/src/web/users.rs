//! Who is let in: names and passwords, of which only bcrypt's hashes are known.
//!
//! A hash is slow on purpose. What was proven once is remembered, under a key that
//! leaves with the process, so that it costs nothing with each request; and one is
//! computed at a time, so that those who guess take no more than one processor,
//! whether they wait for the answer or hang up.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use data_encoding::BASE64;
use ring::hmac;
use tokio::sync::Semaphore;

/// Proven names and passwords that are remembered.
const REMEMBERED: usize = 100;

/// Names with their hashes.
pub(super) type Users = BTreeMap<String, String>;

/// What was proven.
pub(super) struct Proven {
    key: hmac::Key,
    seen: Mutex<HashSet<Vec<u8>>>,
    turn: Arc<Semaphore>,
}

impl Proven {
    /// Nothing so far.
    pub(super) fn new() -> Result<Self, String> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|err| format!("no randomness: {err}"))?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            seen: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
        })
    }

    /// Whether a request is one of these users'; it is where there are none.
    pub(super) async fn lets_in(&self, users: &Users, headers: &HeaderMap) -> bool {
        // A name that nobody has takes as long as one that somebody has.
        let Some(stand_in) = users.values().next() else {
            return true;
        };
        let Some((name, password)) = told(headers) else {
            return false;
        };
        let hash = users.get(&name);
        let known = hash.is_some();
        let hash = hash.unwrap_or(stand_in).to_owned();
        let tag = self.tag([&name, &hash, &password]);
        if known && self.seen().contains(&tag) {
            return true;
        }
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else {
            return false;
        };
        let checked = tokio::task::spawn_blocking(move || {
            let right = bcrypt::verify(password, &hash);
            // Not with the request: who hangs up frees nothing.
            drop(turn);
            right
        });
        let right = matches!(checked.await, Ok(Ok(true))) && known;
        if right {
            let mut seen = self.seen();
            if seen.len() >= REMEMBERED {
                seen.clear();
            }
            seen.insert(tag);
        }
        right
    }

    fn tag(&self, parts: [&str; 3]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().to_vec()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashSet<Vec<u8>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name and the password that a request tells.
fn told(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = BASE64.decode(rest.trim().as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, text.parse().unwrap());
        headers
    }

    fn basic(pair: &str) -> HeaderMap {
        headers(&format!("Basic {}", BASE64.encode(pair.as_bytes())))
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_name_is_let_in() {
        let hash = bcrypt::hash("s3:cret", 4).unwrap();
        let users = Users::from([("amy".to_owned(), hash)]);
        let proven = Proven::new().unwrap();
        for (headers, wanted) in [
            (basic("amy:s3:cret"), true),
            (basic("amy:s3:cret"), true),
            (headers("basic YW15OnMzOmNyZXQ="), true),
            (basic("amy:s3"), false),
            (basic("amy:"), false),
            (basic("amy"), false),
            (basic("bob:s3:cret"), false),
            (headers("Bearer s3:cret"), false),
            (headers("Basic !"), false),
            (HeaderMap::new(), false),
        ] {
            assert_eq!(
                proven.lets_in(&users, &headers).await,
                wanted,
                "{headers:?}"
            );
        }
        assert_eq!(proven.seen().len(), 1, "only what was right is remembered");
        // Another hash of the same name is another password.
        let other = Users::from([("amy".to_owned(), bcrypt::hash("new", 4).unwrap())]);
        assert!(!proven.lets_in(&other, &basic("amy:s3:cret")).await);
        assert!(proven.lets_in(&Users::new(), &HeaderMap::new()).await);
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_not_let_in_by_the_password_of_another() {
        let users = Users::from([("amy".to_owned(), bcrypt::hash("x", 4).unwrap())]);
        let proven = Proven::new().unwrap();
        assert!(!proven.lets_in(&users, &basic("nobody:x")).await);
    }

    #[tokio::test]
    async fn who_hangs_up_lets_nobody_else_guess_at_the_same_time() {
        let users = Users::from([("amy".to_owned(), bcrypt::hash("x", 11).unwrap())]);
        let proven = Proven::new().unwrap();
        let guess = basic("amy:y");
        let mut asked = Box::pin(proven.lets_in(&users, &guess));
        std::future::poll_fn(|cx| {
            assert!(asked.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(asked);
        assert_eq!(proven.turn.available_permits(), 0, "it is still computed");
        let _ended = proven.turn.acquire().await.unwrap();
    }
}
