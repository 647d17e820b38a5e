//! From the webhook sections to an integration.

use std::sync::Arc;

use reqwest::Url;
use settings::Secret;
use tokio::sync::OnceCell;

use super::compile::Problems;
use super::words::Templates;
use super::{Global, HttpConfig, Webhook as Section};
use crate::webhook::{Proof, Target, Trust, Webhook, check_url};

/// The integration of an entry of `webhook_configs`; `name` tells it from others.
pub(super) fn compile(
    section: &Section,
    global: &Global,
    templates: &Templates,
    (name, key): (&str, &str),
    problems: &mut Problems,
) -> Option<Webhook> {
    let http = section
        .http_config
        .clone()
        .or_else(|| global.http_config.clone());
    let http = http.unwrap_or_default();
    let proof = proof(&http, key, problems);
    let (target, address) = target(&section.url, templates, name)
        .map_err(|err| problems.add(format!("{key}.url"), err))
        .ok()?;
    Some(Webhook {
        target,
        address,
        send_resolved: section.send_resolved,
        max_alerts: section.max_alerts,
        timeout: section.timeout,
        proof: proof?,
        trust: Trust {
            ca_file: http.tls_config.ca_file,
            server_name: http.tls_config.server_name,
            anyone: http.tls_config.insecure_skip_verify,
        },
        follow_redirects: http.follow_redirects,
        client: OnceCell::new(),
    })
}

fn target(url: &Secret, templates: &Templates, name: &str) -> Result<(Target, Arc<str>), String> {
    let text = url.expose().trim();
    if text.is_empty() {
        return Err("one of url or url_file must be configured".into());
    }
    if text.contains("{{") {
        let template = templates.set.parse(text);
        let template = template.map_err(|err| format!("invalid template syntax: {err}"))?;
        return Ok((
            Target::Templated(template),
            format!("webhook {name}").into(),
        ));
    }
    let parsed = check_url(text)?;
    Ok((Target::Fixed(Secret::new(text)), address(&parsed)))
}

/// The server's name and port, without what may be secret.
fn address(url: &Url) -> Arc<str> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    format!("webhook {host}:{port}").into()
}

fn proof(http: &HttpConfig, key: &str, problems: &mut Problems) -> Option<Proof> {
    let mut found = Vec::new();
    if let Some(basic) = &http.basic_auth {
        found.push(Proof::Basic {
            username: basic.username.clone(),
            password: basic.password.clone(),
        });
    }
    if !http.bearer_token.is_empty() {
        found.push(Proof::Header {
            kind: "Bearer".into(),
            credentials: http.bearer_token.clone(),
        });
    }
    if let Some(authorization) = &http.authorization {
        if authorization.r#type.eq_ignore_ascii_case("basic") {
            problems.add(
                format!("{key}.http_config.authorization"),
                "authorization type cannot be set to \"basic\", use \"basic_auth\" instead",
            );
        }
        found.push(Proof::Header {
            kind: authorization.r#type.clone(),
            credentials: authorization.credentials.clone(),
        });
    }
    let visible = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    for proof in &found {
        if let Proof::Header { kind, credentials } = proof
            && !(visible(kind) && visible(credentials.expose()))
        {
            problems.add(
                format!("{key}.http_config"),
                "credentials of one line are wanted",
            );
            return None;
        }
    }
    if found.len() > 1 {
        problems.add(
            format!("{key}.http_config"),
            "at most one of basic_auth, authorization and bearer_token must be configured",
        );
    }
    Some(found.pop().unwrap_or(Proof::None))
}
