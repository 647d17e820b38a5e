//! Telling somebody outside how a job goes: that it began, that it ended well or
//! not. Whoever hears nothing for too long knows what we cannot tell: our own death.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::Job;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A run begins.
    Start,
    /// It ended well.
    Success,
    /// It did not.
    Fail,
}

const PATIENCE: Duration = Duration::from_secs(15);
const TRIES: u32 = 3;

/// Tells it, if the job has an address for that. A backup is none the worse when
/// nobody hears of it, so this is only logged.
pub async fn ping(job: &Job, told: Told) {
    let address = job.ping.expose().trim_end_matches('/');
    if address.is_empty() {
        return;
    }
    let url = match told {
        Told::Start => format!("{address}/start"),
        Told::Success => address.to_owned(),
        Told::Fail => format!("{address}/fail"),
    };
    let Ok(client) = client(PATIENCE) else {
        return;
    };
    let mut why = String::new();
    for tried in 1..=TRIES {
        let sent = timeout(PATIENCE, client.post(&url).send()).await;
        match sent {
            Ok(Ok(answer)) if answer.status().is_success() => return,
            Ok(Ok(answer)) => why = format!("it answers {}", answer.status()),
            // Its text would hold the address, which is a secret.
            Ok(Err(err)) => why = err.without_url().to_string(),
            Err(_) => "it does not answer".clone_into(&mut why),
        }
        if tried < TRIES {
            sleep(Duration::from_secs(1) * tried).await;
        }
    }
    tracing::warn!(
        job = job.name,
        ?told,
        "whoever should hear of the run does not: {why}"
    );
}

/// A client for addresses of the configuration. In an image there may be no authority
/// at all, and then nobody's certificate is trusted.
pub(crate) fn client(patience: Duration) -> reqwest::Result<reqwest::Client> {
    // It fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bare = || reqwest::Client::builder().timeout(patience);
    bare()
        .build()
        .or_else(|_| bare().tls_certs_only([]).build())
}
