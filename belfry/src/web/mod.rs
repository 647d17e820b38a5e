//! How HTTP is served where `--web.config.file` says it: encrypted, to whom, and
//! with which header fields.
//!
//! The file and those that it names are read again when one of them has changed,
//! so that a new certificate needs no restart. A change that is faulty changes
//! nothing. Nothing here knows what is served.

mod config;
mod tls;
mod users;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio_rustls::TlsAcceptor;

use users::{Proven, Users};

/// A file of this form is no longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// Files are looked at so often, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The door of a listener.
pub(crate) struct Door {
    file: PathBuf,
    proven: Proven,
    state: Mutex<Now>,
}

/// What the file said when it was last in order.
struct Now {
    rules: Arc<Rules>,
    looked: Instant,
    /// Whether somebody looks at the files at this moment.
    looking: bool,
    /// Why what it says now is not in force; empty if it is.
    refused: String,
}

/// What holds for a connection and its requests.
struct Rules {
    tls: Option<TlsAcceptor>,
    headers: Vec<(HeaderName, HeaderValue)>,
    users: Users,
    /// What it was read from, and how that was then.
    files: Vec<(PathBuf, Stamp)>,
}

/// Tells a file from what it was before; none if there is none.
type Stamp = Option<(SystemTime, u64)>;

/// The door that a file says, if one is named; or what is wrong with it, a line each.
pub(crate) fn door(file: Option<&Path>) -> Result<Option<Arc<Door>>, String> {
    file.map(Door::open).transpose()
}

/// How addresses behind a door begin.
pub(crate) fn scheme(door: Option<&Arc<Door>>) -> &'static str {
    match door.is_some_and(|door| door.is_encrypted()) {
        true => "https",
        false => "http",
    }
}

impl Door {
    /// Reads the file; or says what is wrong with it, a line each.
    fn open(file: &Path) -> Result<Arc<Self>, String> {
        let rules = Rules::read(file)?;
        Ok(Arc::new(Self {
            file: file.to_owned(),
            proven: Proven::new()?,
            state: Mutex::new(Now {
                rules: Arc::new(rules),
                looked: Instant::now(),
                looking: false,
                refused: String::new(),
            }),
        }))
    }

    /// Whether connections are encrypted; that does not change.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.state().rules.tls.is_some()
    }

    /// What encrypts a new connection, if anything does.
    pub(crate) async fn tls(self: &Arc<Self>) -> Option<TlsAcceptor> {
        self.rules().await.tls.clone()
    }

    /// Lets through it only who is let in.
    pub(crate) fn before(door: Option<&Arc<Self>>, router: Router) -> Router {
        match door {
            None => router,
            Some(door) => router.layer(from_fn_with_state(Arc::clone(door), pass)),
        }
    }

    async fn rules(self: &Arc<Self>) -> Arc<Rules> {
        let due = {
            let mut state = self.state();
            let due = !state.looking && state.looked.elapsed() >= LOOK;
            if due {
                state.looked = Instant::now();
                state.looking = true;
            }
            due
        };
        if due {
            let door = Arc::clone(self);
            let look = tokio::task::spawn_blocking(move || {
                let _looking = Looking(&door);
                door.look();
            });
            // A disk that hangs holds up this one for a moment, and nobody else.
            match tokio::time::timeout(LOOK, look).await {
                Ok(Ok(())) => {}
                Ok(Err(err)) => tracing::error!("looking at the web configuration failed: {err}"),
                Err(_) => tracing::warn!("the web configuration's disk does not answer"),
            }
        }
        Arc::clone(&self.state().rules)
    }

    /// Reads the file again if one of those that matter has changed.
    fn look(&self) {
        let before = Arc::clone(&self.state().rules);
        if before
            .files
            .iter()
            .all(|(file, known)| stamp(file) == *known)
        {
            return;
        }
        let read = Rules::read(&self.file).and_then(|rules| {
            match rules.tls.is_some() == before.tls.is_some() {
                true => Ok(rules),
                false => Err("whether it is encrypted changes only with a restart".to_owned()),
            }
        });
        let mut state = self.state();
        match read {
            Ok(rules) => {
                state.rules = Arc::new(rules);
                state.refused.clear();
                tracing::info!("another web configuration is in force");
            }
            // It is tried again, as a file that it names may come later.
            Err(reason) if reason == state.refused => {}
            Err(reason) => {
                tracing::error!("the web configuration is refused, the old one stays: {reason}");
                state.refused = reason;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, Now> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who looks at the files, until it is dropped.
struct Looking<'a>(&'a Door);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.state().looking = false;
    }
}

impl Rules {
    fn read(file: &Path) -> Result<Self, String> {
        // A change while it is read shows at the next look.
        let mut files = vec![(file.to_owned(), stamp(file))];
        let text = settings::read_file(file, LONGEST)
            .map_err(|err| format!("cannot read {}: {err}", file.display()))?;
        let section = config::read(file, &text)?;
        let mut tls = None;
        if let Some(section) = &section.tls_server_config {
            let named = [
                &section.cert_file,
                &section.key_file,
                &section.client_ca_file,
            ];
            let named = named.into_iter().flatten();
            files.extend(named.map(|file| (file.clone(), stamp(file))));
            let server = tls::server(section)
                .map_err(|err| format!("{}: tls_server_config: {err}", file.display()))?;
            tls = Some(TlsAcceptor::from(Arc::new(server)));
        }
        let headers = section.http_server_config.headers.iter();
        let headers = headers.filter(|(_, value)| !value.is_empty());
        let headers =
            headers.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
        let users = section.basic_auth_users.iter();
        Ok(Self {
            tls,
            headers: headers.collect(),
            users: users
                .map(|(name, hash)| (name.clone(), hash.expose().to_owned()))
                .collect(),
            files,
        })
    }
}

fn stamp(file: &Path) -> Stamp {
    let about = fs::metadata(file).ok()?;
    Some((about.modified().ok()?, about.len()))
}

async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let rules = door.rules().await;
    let mut answer = match door.proven.lets_in(&rules.users, request.headers()).await {
        true => next.run(request).await,
        false => {
            let ask = [(header::WWW_AUTHENTICATE, "Basic")];
            (StatusCode::UNAUTHORIZED, ask, "Unauthorized\n").into_response()
        }
    };
    for (name, value) in &rules.headers {
        answer.headers_mut().insert(name.clone(), value.clone());
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header fields of answers, by how many there are, once a second has passed.
    async fn fields(door: &Arc<Door>) -> usize {
        door.state().looked -= LOOK;
        door.rules().await.headers.len()
    }

    #[tokio::test]
    async fn who_asks_while_the_files_are_looked_at_does_not_wait_for_that() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yml");
        fs::write(&file, "").unwrap();
        let door = Door::open(&file).unwrap();
        let text = "http_server_config: {headers: {X-Frame-Options: deny}}";
        fs::write(&file, text).unwrap();
        door.state().looking = true;
        assert_eq!(fields(&door).await, 0, "somebody else looks");
        drop(Looking(&door));
        assert_eq!(fields(&door).await, 1);
        fs::write(&file, "rate_limit: {}").unwrap();
        assert_eq!(fields(&door).await, 1, "a faulty one changes nothing");
        assert!(door.state().refused.contains("rate_limit"));
        fs::write(&file, "{}").unwrap();
        assert_eq!(fields(&door).await, 0);
        assert!(!door.state().looking && door.state().refused.is_empty());
    }
}
