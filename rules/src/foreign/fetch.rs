//! One page over HTTP, as Prometheus asks for it: within its time and its size,
//! or in words why there is none.

use std::error::Error;

use exposition::Format;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use reqwest::{Client, RequestBuilder, StatusCode};
use settings::Secret;
use tokio::time;

use super::{Foreign, Offer, body};
use crate::Page;

/// What we can read, the preferred first.
const FORMATS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
application/openmetrics-text;version=1.0.0;q=0.4,\
text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// A page that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The page.
    pub text: String,
    /// How it is spelled.
    pub format: Format,
}

impl<'a> From<&'a Fetched> for Page<'a> {
    fn from(fetched: &'a Fetched) -> Self {
        Self {
            text: &fetched.text,
            format: fetched.format,
        }
    }
}

/// How a target is asked, and what proves to it who we are.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Asking {
    /// The user for basic authentication, with the password; empty for none.
    pub(super) basic: Option<(String, Secret)>,
    /// The scheme and the credentials of an `Authorization` header.
    pub(super) authorization: Option<(String, Secret)>,
    /// What a page is taken for that does not say what it is.
    pub(super) fallback: Option<Format>,
    /// Whether a packed page is asked for.
    pub(super) packed: bool,
    /// The forms that are asked for; empty for all.
    pub(super) offers: Vec<Offer>,
}

impl Asking {
    /// What is asked for, the preferred first.
    fn accept(&self) -> String {
        let mut out = String::new();
        let mut weight = 9;
        for offer in &self.offers {
            let form = match offer {
                Offer::Text004 => "text/plain;version=0.0.4",
                Offer::Text100 => "text/plain;version=1.0.0;escaping=allow-utf-8",
                Offer::OpenMetrics001 => "application/openmetrics-text;version=0.0.1",
                Offer::OpenMetrics100 => {
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"
                }
                Offer::Proto => continue,
            };
            out.push_str(&format!("{form};q=0.{weight},"));
            weight -= 1;
        }
        if out.is_empty() {
            return FORMATS.to_owned();
        }
        out + "*/*;q=0.1"
    }
}

impl Foreign {
    /// Fetches the page once.
    ///
    /// # Errors
    /// Says in words why there is none; no word of it is a secret.
    pub async fn fetch(&self, client: &Client) -> Result<Fetched, String> {
        match time::timeout(self.timeout, self.get(client)).await {
            Ok(page) => page,
            Err(_) => Err(format!("no page within {:?}", self.timeout)),
        }
    }

    /// Hands a body of JSON over, within the time that the target has.
    ///
    /// # Errors
    /// Says in words why it was not taken; no word of it is a secret.
    pub async fn post(&self, client: &Client, body: String) -> Result<(), String> {
        let request = client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let send = async {
            let answer = self.signed(request).await?.send().await;
            answer.map_err(|err| cause(&err))
        };
        let answer = match time::timeout(self.timeout, send).await {
            Ok(answer) => answer?,
            Err(_) => return Err(format!("no answer within {:?}", self.timeout)),
        };
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("it answered {}", answer.status()))
        }
    }

    async fn get(&self, client: &Client) -> Result<Fetched, String> {
        let timeout = self.timeout.as_secs_f64().to_string();
        let mut request = client
            .get(&self.url)
            .header(ACCEPT, self.asking.accept())
            .header("X-Prometheus-Scrape-Timeout-Seconds", timeout);
        // One that waits for the next scrape keeps room for a whole page meanwhile.
        // Where it is secured, that is less than shaking hands anew.
        if self.url.starts_with("http://") {
            request = request.header(CONNECTION, "close");
        }
        if self.asking.packed {
            request = request.header(ACCEPT_ENCODING, "gzip");
        }
        let request = self.signed(request).await?;
        let answer = request.send().await.map_err(|err| cause(&err))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the target answered {}", answer.status()));
        }
        let format = self.format(answer.headers())?;
        let text = body::read(answer, self.target.limits.body_bytes).await?;
        Ok(Fetched { text, format })
    }

    async fn signed(&self, request: RequestBuilder) -> Result<RequestBuilder, String> {
        if let Some((scheme, credentials)) = &self.asking.authorization {
            let header = format!("{scheme} {}", now(credentials).await?);
            let mut header = HeaderValue::from_str(&header)
                .map_err(|_| "the credentials hold what no header can".to_owned())?;
            header.set_sensitive(true);
            return Ok(request.header(AUTHORIZATION, header));
        }
        Ok(match &self.asking.basic {
            Some((user, password)) => request.basic_auth(user, Some(now(password).await?)),
            None => request,
        })
    }

    /// A page must say what it is, as current Prometheus asks, unless it was said
    /// what to take it for.
    fn format(&self, headers: &HeaderMap) -> Result<Format, String> {
        let kind = headers.get(CONTENT_TYPE);
        let kind = kind.map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
        let known = kind.as_deref().and_then(Format::from_content_type);
        match (known.or(self.asking.fallback), kind) {
            (Some(format), _) => Ok(format),
            (None, Some(kind)) => Err(format!(
                "the page is {:?}, neither text/plain nor OpenMetrics; fallback_scrape_protocol would take it for one",
                kind.split(';').next().unwrap_or_default().trim()
            )),
            (None, None) => Err(
                "the page does not say what it is; fallback_scrape_protocol would say it".into(),
            ),
        }
    }
}

/// The text of a secret as it is now.
async fn now(secret: &Secret) -> Result<String, String> {
    let read = secret.read().await;
    read.map_err(|err| format!("cannot read the file of the credentials: {err}"))
}

/// The innermost cause, which is what a person can act on.
pub(super) fn cause(err: &reqwest::Error) -> String {
    let mut cause: &dyn Error = err;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
