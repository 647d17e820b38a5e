//! Uploads that nobody ends: of a host that was lost with what it had noted of them, or
//! of a run that could not note one. The bucket alone knows of them.
//!
//! The client has no question for them, but what signs its requests signs this one too.

use futures_util::StreamExt;
use jiff::Timestamp;
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpConnector, HttpRequest, HttpRequestBody};
use object_store::multipart::MultipartStore;
use tokio::time::timeout;

use super::super::Error;
use super::super::ledger::Upload;
use super::{Bucket, trouble};
use crate::id;

/// An answer that is longer is none: a thousand uploads are told at once.
const MOST: usize = 4 << 20;
/// So many answers are asked for in a run, which begins with the first upload each time.
const ANSWERS: usize = 50;

/// An upload that a bucket tells of.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    key: String,
    id: String,
    begun_ms: i64,
}

/// After which upload a listing goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Marker {
    key: String,
    id: String,
}

/// Ends those below this prefix that are abandoned, and not noted here: how many.
pub(super) async fn sweep(bucket: &Bucket, prefix: &str, noted: &[Upload]) -> Result<u64, Error> {
    let age_ms = i64::try_from(bucket.access.abandoned.as_millis()).unwrap_or(i64::MAX);
    let before_ms = Timestamp::now().as_millisecond().saturating_sub(age_ms);
    let (mut swept, mut after) = (0, None);
    for _ in 0..ANSWERS {
        let asking = asked(bucket, prefix, after.as_ref());
        let answer = timeout(bucket.while_asking(), asking).await;
        let answer = answer.map_err(|_| trouble::late("uploads"))??;
        let text = String::from_utf8_lossy(&answer);
        for found in listed(&text) {
            let Some(key) = bucket.key(&found.key) else {
                continue;
            };
            // What is none of our keys is nothing of ours.
            let ours = key.starts_with(prefix) && id::parse(key).is_some();
            let known = noted.iter().any(|upload| upload.id == found.id);
            if !ours || known || found.begun_ms > before_ms {
                continue;
            }
            end(bucket, key, &found.id).await?;
            swept += 1;
        }
        let next = next(&text);
        // Who says again what it said goes on for ever.
        if next.is_none() || next == after {
            break;
        }
        after = next;
    }
    Ok(swept)
}

async fn end(bucket: &Bucket, key: &str, id: &str) -> Result<(), Error> {
    let (path, id) = (bucket.path(key), id.to_owned());
    let ended = bucket.store.abort_multipart(&path, &id);
    match timeout(bucket.while_asking(), ended).await {
        Ok(Ok(()) | Err(object_store::Error::NotFound { .. })) => Ok(()),
        Ok(Err(err)) => Err(trouble::why(key, &err)),
        Err(_) => Err(trouble::late("abort")),
    }
}

async fn asked(bucket: &Bucket, prefix: &str, after: Option<&Marker>) -> Result<Vec<u8>, Error> {
    let access = &bucket.access;
    let credential = AwsCredential {
        key_id: access.key_id.clone(),
        secret_key: access.secret.expose().to_owned(),
        token: None,
    };
    let mut url = format!(
        "{}/{}?uploads=&prefix={}%2F",
        access.endpoint.trim_end_matches('/'),
        access.bucket,
        escaped(bucket.path(prefix).as_ref()),
    );
    let marker = after.cloned().unwrap_or_default();
    for (name, value) in [("key-marker", marker.key), ("upload-id-marker", marker.id)] {
        if !value.is_empty() {
            url.push_str(&format!("&{name}={}", escaped(&value)));
        }
    }
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    let malformed = |_| Error::Refused("the endpoint is no address".to_owned());
    *request.uri_mut() = url.parse().map_err(malformed)?;
    let signed =
        AwsAuthorizer::new(&credential, "s3", &access.region).try_authorize(&mut request, None);
    let told = |err: object_store::Error| Error::Failed(trouble::short(&err.to_string()));
    signed.map_err(told)?;
    let options = ClientOptions::new()
        .with_allow_http(access.endpoint.starts_with("http://"))
        .with_timeout(access.patience);
    let client = bucket.again.connect(&options).map_err(told)?;
    let broken = |err: object_store::client::HttpError| {
        Error::Failed(trouble::short(&format!("uploads - {err}")))
    };
    let answer = client.execute(request).await.map_err(broken)?;
    let status = answer.status();
    let mut body = answer.into_body().bytes_stream();
    let mut bytes = Vec::new();
    while let Some(block) = body.next().await {
        bytes.extend_from_slice(&block.map_err(broken)?);
        if bytes.len() > MOST {
            return Err(Error::Failed("uploads: the answer is too long".to_owned()));
        }
    }
    match status.is_success() {
        true => Ok(bytes),
        false => Err(Error::Failed(format!("uploads: {status}"))),
    }
}

/// What is told of uploads, as far as it can be read.
fn listed(answer: &str) -> Vec<Found> {
    let uploads = answer.split("<Upload>").skip(1);
    let upload = |text: &str| {
        let (text, _) = text.split_once("</Upload>")?;
        let begun: Timestamp = value(text, "Initiated")?.parse().ok()?;
        Some(Found {
            key: value(text, "Key")?,
            id: value(text, "UploadId")?,
            begun_ms: begun.as_millisecond(),
        })
    };
    uploads.filter_map(upload).collect()
}

/// After which upload to ask on, if there are more.
fn next(answer: &str) -> Option<Marker> {
    let marker = Marker {
        key: value(answer, "NextKeyMarker").unwrap_or_default(),
        id: value(answer, "NextUploadIdMarker").unwrap_or_default(),
    };
    let is_more = value(answer, "IsTruncated").is_some_and(|text| text == "true");
    (is_more && marker != Marker::default()).then_some(marker)
}

/// What stands between the tags of this name.
fn value(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(plain(value.trim()))
}

/// Text as it was before it became XML.
fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let text = text.replace("&quot;", "\"").replace("&#34;", "\"");
    let text = text.replace("&apos;", "'").replace("&#39;", "'");
    text.replace("&amp;", "&")
}

/// Text as it stands in an address.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_read_from_what_a_bucket_tells_and_what_is_not_whole_is_left_out() {
        let answer = "<?xml version=\"1.0\"?><ListMultipartUploadsResult><Bucket>b</Bucket>\
            <Upload><Key>h/k</Key><UploadId>a&amp;b==</UploadId><Owner><ID>Key</ID></Owner>\
            <Initiated>2026-08-23T03:10:00.000Z</Initiated></Upload>\
            <Upload><Key>h/l</Key><Initiated>2026-08-23T03:10:00Z</Initiated></Upload>\
            <Upload><Key>h/m</Key><UploadId>c</UploadId><Initiated>soon</Initiated></Upload>\
            <Upload><Key>h/n</Key>";
        let found = Found {
            key: "h/k".into(),
            id: "a&b==".into(),
            begun_ms: 1_787_454_600_000,
        };
        assert_eq!(listed(answer), [found]);
        assert_eq!(listed("<Error>no</Error>"), []);
        let more = |more: &str| {
            format!(
                "<NextKeyMarker>h/a&amp;b</NextKeyMarker><NextUploadIdMarker>c</NextUploadIdMarker>\
                 <IsTruncated>{more}</IsTruncated>"
            )
        };
        let marker = Marker {
            key: "h/a&b".into(),
            id: "c".into(),
        };
        assert_eq!(next(&more("true")), Some(marker));
        assert_eq!(next(&more("false")), None);
        assert_eq!(next("<IsTruncated>true</IsTruncated>"), None);
        assert_eq!(escaped("a/b c&d"), "a%2Fb%20c%26d");
    }
}
