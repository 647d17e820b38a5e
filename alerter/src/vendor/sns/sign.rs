//! AWS' signature, version 4, for a request with a short body.

use data_encoding::HEXLOWER;
use reqwest::Url;
use ring::{digest, hmac};
use settings::Secret;

use super::nobody;
use super::role::Role;
use crate::health::Failure;
use crate::http::{Ask, Line, read, read_file};

/// Who signs.
pub(super) struct Signer {
    pub(super) region: String,
    pub(super) access_key: String,
    pub(super) secret_key: Secret,
    pub(super) profile: String,
    /// Whose keys are used in place of these, which are good for asking for them.
    pub(super) role: Option<Role>,
}

/// Keys to sign with.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) access: String,
    pub(super) secret: String,
    pub(super) session: Option<String>,
}

/// Where a signature holds.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Signer {
    /// Adds the header fields that prove who sends the request, and when.
    pub(super) async fn sign(
        &self,
        ask: &mut Ask,
        line: Line<'_>,
        now_ms: i64,
    ) -> Result<(), Failure> {
        let keys = match &self.role {
            None => self.keys().await?,
            Some(role) => role.keys(self.keys(), line, now_ms).await?,
        };
        let scope = Scope {
            region: &self.region,
            service: "sns",
        };
        prove(ask, &keys, scope, now_ms);
        Ok(())
    }

    /// Forgets keys of a role, as they were refused; false if there is no role.
    pub(super) async fn forget(&self) -> bool {
        if let Some(role) = &self.role {
            role.forget().await;
        }
        self.role.is_some()
    }

    /// From the configuration, the environment or AWS' file, in this order.
    async fn keys(&self) -> Result<Keys, Failure> {
        if !self.access_key.is_empty() {
            return Ok(Keys {
                access: self.access_key.clone(),
                secret: read(&self.secret_key).await?,
                session: None,
            });
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
        let pair = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        if let Some((access, secret)) = pair.filter(|_| self.profile.is_empty()) {
            let session = variable("AWS_SESSION_TOKEN");
            return Ok(Keys {
                access,
                secret,
                session,
            });
        }
        let file = variable("AWS_SHARED_CREDENTIALS_FILE")
            .or_else(|| variable("HOME").map(|home| format!("{home}/.aws/credentials")));
        let file = file.ok_or_else(|| nobody("no AWS keys are given"))?;
        let profile = match self.profile.is_empty() {
            true => variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned()),
            false => self.profile.clone(),
        };
        let text = read_file(file.as_ref()).await?;
        find(&text, &profile).ok_or_else(|| nobody("AWS' file has no keys for the profile"))
    }
}

/// Adds the header fields that prove that the request was sent by who has the keys.
pub(super) fn prove(ask: &mut Ask, keys: &Keys, scope: Scope<'_>, now_ms: i64) {
    let time = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    let date = time.strftime("%Y%m%dT%H%M%SZ").to_string();
    ask.header("x-amz-date", date.clone());
    if let Some(session) = &keys.session {
        ask.header("x-amz-security-token", session.clone());
    }
    let value = authorization(ask, keys, scope, &date);
    ask.header("authorization", value);
}

fn authorization(
    ask: &Ask,
    keys: &Keys,
    Scope { region, service }: Scope<'_>,
    date: &str,
) -> String {
    let mut fields = vec![("host", host(&ask.url))];
    for (name, value) in &ask.headers {
        fields.push((name.as_str(), value.trim().to_owned()));
    }
    fields.sort();
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = fields
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let request = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{}",
        ask.method,
        ask.url.path(),
        ask.url.query().unwrap_or_default(),
        hash(&ask.body),
    );
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hash(request.as_bytes())
    );
    let mut key = format!("AWS4{}", keys.secret).into_bytes();
    for word in [day, region, service, "aws4_request", &text] {
        key = mac(&key, word.as_bytes());
    }
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        keys.access,
        HEXLOWER.encode(&key)
    )
}

/// The keys of a profile in AWS' file.
fn find(text: &str, profile: &str) -> Option<Keys> {
    let mut inside = false;
    let (mut access, mut secret, mut session) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            inside = name.trim() == profile;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside) {
            let value = Some(value.trim().to_owned());
            match name.trim() {
                "aws_access_key_id" => access = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => session = value,
                _ => {}
            }
        }
    }
    Some(Keys {
        access: access?,
        secret: secret?,
        session,
    })
}

/// As the client writes it: without a port that goes without saying.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    /// The first example of AWS' own test suite for the signature.
    #[test]
    fn a_request_is_signed_as_aws_signs_it() {
        let keys = Keys {
            access: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session: None,
        };
        let scope = Scope {
            region: "us-east-1",
            service: "service",
        };
        let url = Url::parse("https://example.amazonaws.com/").unwrap();
        let mut ask = Ask::new(Method::GET, url);
        prove(&mut ask, &keys, scope, 1_440_938_160_000);
        let (_, value) = ask.headers.pop().unwrap();
        assert_eq!(
            value,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    #[test]
    fn a_profile_is_found_in_aws_file() {
        let text = "[default]\naws_access_key_id = a\naws_secret_access_key=b\n\n[ops]\n\
            aws_access_key_id=c\naws_secret_access_key = d\naws_session_token = e\n";
        let keys = find(text, "ops").unwrap();
        assert_eq!(
            (&*keys.access, &*keys.secret, keys.session.as_deref()),
            ("c", "d", Some("e"))
        );
        assert_eq!(find(text, "default").unwrap().access, "a");
        assert!(find(text, "none").is_none());
    }
}
