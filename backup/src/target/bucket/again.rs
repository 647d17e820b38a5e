//! Requests that failed in passing, and are made again: counted by target, since this
//! program began. A bucket that is getting worse is seen by them before it fails.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use exposition::{Kind, Writer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

static ALL: Mutex<BTreeMap<String, Again>> = Mutex::new(BTreeMap::new());

/// How many there were at a target.
#[derive(Debug, Clone, Default)]
pub(super) struct Again(Arc<AtomicU64>);

impl Again {
    /// The count of a target: clients come and go, and it stays.
    pub(super) fn of(target: &str) -> Self {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(target.to_owned()).or_default().clone()
    }

    /// One that the client does not see: what it gave was too late, or not whole.
    pub(super) fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The counts, as samples; nothing before there was a bucket.
#[must_use]
pub fn retries() -> String {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let mut page = Writer::new();
    if all.is_empty() {
        return page.finish();
    }
    page.family(
        "belfry_backup_target_retries_total",
        "Requests to a bucket that got no answer, or an error that passes, and are made again.",
        Kind::Counter,
    );
    for (target, again) in &*all {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let count = again.0.load(Ordering::Relaxed) as f64;
        page.sample(&[("target", target.as_str())], count);
    }
    page.finish()
}

/// Makes clients that count.
impl HttpConnector for Again {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        let again = self.clone();
        Ok(HttpClient::new(Counted { client, again }))
    }
}

#[derive(Debug)]
struct Counted {
    client: HttpClient,
    again: Again,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Counted {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> Answer<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        // The rest of something is asked for where it broke off, be it by the client itself.
        if request.headers().contains_key("range") {
            self.again.note();
        }
        Box::pin(async move {
            let answer = self.client.execute(request).await;
            let passes = match &answer {
                Ok(answer) => {
                    let status = answer.status();
                    status.is_server_error() || [408, 429].contains(&status.as_u16())
                }
                Err(_) => true,
            };
            if passes {
                self.again.note();
            }
            answer
        })
    }
}
