//! Amazon SNS: a topic, a device or a phone, with AWS' signature on the request.

mod role;
mod sign;

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use reqwest::Url;
use settings::Secret;
use tokio::sync::Mutex;

use super::{Telling, Vendor, cut, cut_bytes, key_of};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::{Class, Failure};
use crate::http::{Ask, Line};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;
use role::Role;
use sign::Signer;

/// Bytes of a message, and of one to a phone.
const LONGEST: usize = 256 << 10;
const LONGEST_SMS: usize = 1_600;

settings::section! {
    /// A message by Amazon SNS.
    pub struct Sns {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The API; that of the region if empty.
        pub api_url: String = String::new(),
        /// Who we are to AWS.
        pub sigv4: SigV4 = SigV4::default(),
        /// The topic; either this, or one of the next two.
        pub topic_arn: String = String::new(),
        /// The phone.
        pub phone_number: String = String::new(),
        /// The device.
        pub target_arn: String = String::new(),
        /// The subject.
        pub subject: String = "{{ template \"sns.default.subject\" . }}".into(),
        /// The text.
        pub message: String = "{{ template \"sns.default.message\" . }}".into(),
        /// More by name, for filters of subscriptions.
        pub attributes: BTreeMap<String, String> = BTreeMap::new(),
        /// Taken for files that say it.
        pub use_aws_http_client: Option<bool> = None,
    }
}

settings::section! {
    /// Who we are to AWS.
    pub struct SigV4 {
        /// The region; that of the environment if empty.
        pub region: String = String::new(),
        /// The access key; that of the environment or of AWS' file if empty.
        pub access_key: String = String::new(),
        /// The secret that belongs to it.
        pub secret_key: Secret = Secret::default(),
        /// The profile in AWS' file.
        pub profile: String = String::new(),
        /// A role that is taken on by these keys, and whose own keys send.
        pub role_arn: String = String::new(),
        /// What the role's account wants to hear of who takes it on.
        pub external_id: String = String::new(),
        /// Where roles are given (STS); that of the region if empty.
        pub sts_url: String = String::new(),
    }
}

impl SigV4 {
    fn role(&self, region: &str, making: &mut Making<'_>) -> Option<Role> {
        let url = match self.sts_url.is_empty() {
            true => format!("https://sts.{region}.amazonaws.com/"),
            false => self.sts_url.clone(),
        };
        Some(Role {
            arn: self.role_arn.clone(),
            external_id: self.external_id.clone(),
            url: making.url("sigv4.sts_url", &url)?,
            region: region.to_owned(),
            kept: Mutex::default(),
        })
    }
}

struct Post {
    url: Url,
    signer: Signer,
    topic: Text,
    phone: Text,
    target: Text,
    subject: Text,
    message: Text,
    attributes: Vec<(String, Text)>,
}

impl Section for Sns {
    crate::config::entry!(Kind::Sns);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        if self.topic_arn.is_empty() && self.phone_number.is_empty() && self.target_arn.is_empty() {
            let message =
                "must provide either a Target ARN, Topic ARN, or Phone Number for SNS config";
            making.fault("topic_arn", message);
        }
        let sigv4 = &self.sigv4;
        if sigv4.access_key.is_empty() != sigv4.secret_key.is_empty() {
            let message = "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SNS config";
            making.fault("sigv4", message);
        }
        if sigv4.role_arn.is_empty() && !sigv4.external_id.is_empty() {
            making.fault("sigv4.external_id", "it is of no use without role_arn");
        }
        let environment = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let environment = environment.iter().find_map(|name| std::env::var(name).ok());
        let region = match sigv4.region.is_empty() {
            true => environment.unwrap_or_default(),
            false => sigv4.region.clone(),
        };
        if region.is_empty() {
            making.fault("sigv4.region", "no region, neither here nor in AWS_REGION");
        }
        let api = match self.api_url.is_empty() {
            true => format!("https://sns.{region}.amazonaws.com/"),
            false => self.api_url.clone(),
        };
        let url = making.url("api_url", &api)?;
        let role = match sigv4.role_arn.is_empty() {
            true => None,
            false => Some(sigv4.role(&region, making)?),
        };
        let attributes = self.attributes.iter().map(|(name, text)| {
            let field = format!("attributes[{name}]");
            (name.clone(), making.text(&field, text))
        });
        let attributes = attributes.collect();
        let post = Post {
            url: url.clone(),
            signer: Signer {
                region,
                access_key: sigv4.access_key.clone(),
                secret_key: sigv4.secret_key.clone(),
                profile: sigv4.profile.clone(),
                role,
            },
            topic: making.text("topic_arn", &self.topic_arn),
            phone: making.text("phone_number", &self.phone_number),
            target: making.text("target_arn", &self.target_arn),
            subject: making.text("subject", &self.subject),
            message: making.text("message", &self.message),
            attributes,
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn fields(&self, message: &Notification) -> Vec<(String, String)> {
        let filler = Filler::new(message);
        let mut fields = vec![
            ("Action".to_owned(), "Publish".to_owned()),
            ("Version".to_owned(), "2010-03-31".to_owned()),
        ];
        let mut field = |name: &str, text: String| {
            if !text.is_empty() {
                fields.push((name.to_owned(), text));
            }
        };
        let topic = filler.word(&self.topic);
        let phone = filler.word(&self.phone);
        let sms = !phone.is_empty();
        if topic.ends_with(".fifo") {
            field("MessageGroupId", key_of(message));
            field("MessageDeduplicationId", key_of(message));
        }
        field("TopicArn", topic);
        field("PhoneNumber", phone);
        field("TargetArn", filler.word(&self.target));
        field(
            "Subject",
            cut(filler.title(&self.subject).trim().to_owned(), 100),
        );
        let mut attributes: Vec<(String, String)> = self
            .attributes
            .iter()
            .map(|(name, text)| (name.clone(), filler.word(text)))
            .collect();
        let whole = filler.body(&self.message);
        let longest = if sms { LONGEST_SMS } else { LONGEST };
        if whole.len() > longest {
            attributes.push(("truncated".to_owned(), "true".to_owned()));
        }
        field("Message", cut_bytes(whole, longest));
        for (at, (name, value)) in attributes.into_iter().enumerate() {
            let at = format!("MessageAttributes.entry.{}", at + 1);
            field(&format!("{at}.Name"), name);
            field(&format!("{at}.Value.DataType"), "String".to_owned());
            field(&format!("{at}.Value.StringValue"), value);
        }
        fields
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let fields = self.fields(message);
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, text)| (&**name, &**text))
                .collect();
            let mut first = true;
            loop {
                let mut ask = Ask::form(self.url.clone(), &fields);
                self.signer.sign(&mut ask, line, message.now_ms).await?;
                let answer = line.send(ask).await?;
                if (200..300).contains(&answer.status) {
                    return Ok(());
                }
                let class = match &*answer.text {
                    text if text.contains("Throttl") => Class::Limited,
                    text if answer.status == 403 && text.contains("Token") => Class::Auth,
                    text if text.contains("SignatureDoesNotMatch") => Class::Auth,
                    _ => answer.bad().class,
                };
                // A role may have been taken from us; it is asked for once more.
                if class != Class::Auth || !self.signer.forget().await || !first {
                    return Err(answer.failure(class));
                }
                first = false;
            }
        }
        .boxed()
    }
}

/// A failure to find out who we are.
fn nobody(why: &str) -> Failure {
    Failure::new(Class::Auth, why)
}
