//! The keys of a role that is taken on for a while (AssumeRole of STS), kept until
//! they near their end.

use reqwest::Url;
use tokio::sync::Mutex;

use super::sign::{Keys, Scope, prove};
use crate::health::{Class, Failure};
use crate::http::{Ask, Line};

/// A role is taken on anew so long before its keys end, in milliseconds: who checks
/// them may have another clock.
const EARLY_MS: i64 = 5 * 60_000;

/// How we are called in the other account's records.
const SESSION: &str = "belfry";

/// A role, and who gives it.
pub(super) struct Role {
    pub(super) arn: String,
    /// What the other account wants to hear of us; empty for nothing.
    pub(super) external_id: String,
    /// The STS API.
    pub(super) url: Url,
    pub(super) region: String,
    /// Keys, and when they end.
    pub(super) kept: Mutex<Option<(Keys, i64)>>,
}

impl Role {
    /// The role's keys; `own` gives those by which it is asked for.
    pub(super) async fn keys(
        &self,
        own: impl Future<Output = Result<Keys, Failure>>,
        line: Line<'_>,
        now_ms: i64,
    ) -> Result<Keys, Failure> {
        let mut kept = self.kept.lock().await;
        if let Some((keys, end_ms)) = &*kept
            && now_ms < end_ms - EARLY_MS
        {
            return Ok(keys.clone());
        }
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", &*self.arn),
            ("RoleSessionName", SESSION),
        ];
        if !self.external_id.is_empty() {
            fields.push(("ExternalId", &*self.external_id));
        }
        let mut ask = Ask::form(self.url.clone(), &fields);
        let scope = Scope {
            region: &self.region,
            service: "sts",
        };
        prove(&mut ask, &own.await?, scope, now_ms);
        let answer = line.send(ask).await?;
        let answer = answer.good().map_err(|failure| Failure {
            class: match failure.class {
                Class::Rejected if failure.detail.contains("Throttl") => Class::Limited,
                Class::Rejected => Class::Auth,
                class => class,
            },
            detail: format!("cannot take on the role: {}", failure.detail),
        })?;
        let Some((keys, end_ms)) = read(&answer.text) else {
            let why = "cannot take on the role: the answer has no keys";
            return Err(Failure::new(Class::Auth, why));
        };
        *kept = Some((keys.clone(), end_ms));
        Ok(keys)
    }

    /// Forgets keys that were refused.
    pub(super) async fn forget(&self) {
        *self.kept.lock().await = None;
    }
}

/// The keys of an answer, and when they end, in milliseconds since 1970.
fn read(xml: &str) -> Option<(Keys, i64)> {
    let inside = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (inside, _) = rest.split_once(&format!("</{name}>"))?;
        Some(inside.trim().to_owned())
    };
    let found = inside(xml, "Credentials")?;
    let end: jiff::Timestamp = inside(&found, "Expiration")?.parse().ok()?;
    let keys = Keys {
        access: inside(&found, "AccessKeyId")?,
        secret: inside(&found, "SecretAccessKey")?,
        session: Some(inside(&found, "SessionToken")?),
    };
    Some((keys, end.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_an_answer_of_the_documented_form_and_from_no_other() {
        let answer = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
            <SourceIdentity>x</SourceIdentity><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/a/b</Arn></AssumedRoleUser>\
            <Credentials>\n <AccessKeyId>ASIA1</AccessKeyId>\n <SecretAccessKey>s/+=</SecretAccessKey>\n \
            <SessionToken>\n t/+==\n</SessionToken>\n <Expiration>2026-01-02T03:04:05Z</Expiration></Credentials>\
            </AssumeRoleResult></AssumeRoleResponse>";
        let (keys, end_ms) = read(answer).unwrap();
        let found = (&*keys.access, &*keys.secret, keys.session.as_deref());
        assert_eq!(found, ("ASIA1", "s/+=", Some("t/+==")));
        assert_eq!(end_ms, 1_767_323_045_000);
        for name in ["AccessKeyId", "SessionToken", "Expiration", "Credentials"] {
            assert!(read(&answer.replace(name, "Other")).is_none(), "{name}");
        }
    }
}
