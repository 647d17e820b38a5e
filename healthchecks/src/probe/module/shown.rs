//! A module as it may be shown to whoever asks.

use std::collections::BTreeMap;

use settings::{Page, Value as _};

use super::{Exchange, Module};

/// What stands for a value that may be a secret, as it stands for those that are.
const HIDDEN: &str = "<secret>";

/// Headers that hold no secret.
const OPEN: [&str; 8] = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Cache-Control",
    "Content-Type",
    "Host",
    "Origin",
    "User-Agent",
];

impl Module {
    /// Its keys, as a file would say them, without what may be a secret: what is sent, and
    /// the words of a command behind its name. Of files their names stand there, as in the
    /// configuration. What is as it would be anyway is left out.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = self.clone();
        headers(&mut shown.http.headers);
        headers(&mut shown.websocket.headers);
        for (name, values) in &mut shown.http.http_headers {
            if !is_open(name) {
                values.values.iter_mut().for_each(hide);
            }
        }
        hide(&mut shown.http.body);
        if let Some(oauth2) = &mut shown.http.oauth2 {
            hide_behind(&mut oauth2.token_url);
            oauth2.endpoint_params.values_mut().for_each(hide);
        }
        sent(&mut shown.tcp.query_response);
        sent(&mut shown.websocket.query_response);
        shown.command.argv.iter_mut().skip(1).for_each(hide);
        let mut page = Page::default();
        page.word("prober", shown.prober.as_str());
        shown.prober = Module::default().prober;
        shown.fill(&mut page);
        let quoted = format!("{HIDDEN:?}");
        page.finish().replace(&quoted, HIDDEN)
    }
}

fn headers(headers: &mut BTreeMap<String, String>) {
    for (name, value) in headers {
        if !is_open(name) {
            hide(value);
        }
    }
}

fn is_open(name: &str) -> bool {
    OPEN.iter().any(|open| open.eq_ignore_ascii_case(name))
}

fn sent(steps: &mut [Exchange]) {
    for step in steps {
        hide(&mut step.send);
    }
}

/// Leaves what is empty: that there is nothing is no secret.
fn hide(value: &mut String) {
    if !value.is_empty() {
        HIDDEN.clone_into(value);
    }
}

/// A login and parameters in an address.
fn hide_behind(url: &mut String) {
    // A password may hold what ends a host elsewhere: what is before the last @ is a login.
    if let Some((scheme, rest)) = url.split_once("://")
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        *url = format!("{scheme}://{HIDDEN}@{host}");
    }
    if let Some(at) = url.find('?') {
        url.replace_range(at + 1.., HIDDEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let module: Module = settings::read("x.yml".as_ref(), text, &|_| None).unwrap();
        module.shown()
    }

    #[test]
    fn of_an_address_no_part_of_a_login_is_shown() {
        for (url, expected) in [
            ("https://id.test/t", "https://id.test/t"),
            (
                "https://u:p@id.test/t?k=v",
                "https://<secret>@id.test/t?<secret>",
            ),
            ("https://u:p@q@id.test", "https://<secret>@id.test"),
            ("https://u:p?q@id.test", "https://<secret>@id.test"),
        ] {
            let mut shown = url.to_owned();
            hide_behind(&mut shown);
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn nothing_that_may_be_a_secret_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let body = folder.path().join("body");
        std::fs::write(&body, "sesame").unwrap();
        let http = format!(
            "{{prober: http, http: {{headers: {{Authorization: Bearer sesame, X-Api: sesame, cookie: sesame, host: shop.test}}, \
             method: POST, body: 'user=sesame', body_file: {body:?}, basic_auth: {{username: watch, password: sesame}}, \
             bearer_token: sesame, authorization: {{credentials: sesame}}, proxy_url: 'http://sesame:sesame@p', \
             proxy_connect_header: {{X: [sesame]}}, http_headers: {{X-Key: {{values: [sesame], secrets: [sesame]}}, Accept: {{values: [text/plain]}}}}, \
             oauth2: {{client_id: watch, client_secret: sesame, token_url: 'https://sesame@id.test/t?key=sesame', endpoint_params: {{password: sesame}}}}, \
             tls_config: {{insecure_skip_verify: true}}, fail_if_body_not_matches_regexp: [fine]}}}}"
        );
        let talk = "query_response: [{expect: '^220', send: 'AUTH sesame'}, {send: QUIT}]";
        for text in [
            &*http,
            &format!("{{prober: tcp, tcp: {{{talk}}}}}"),
            &format!(
                "{{prober: websocket, websocket: {{headers: {{Sec-Other: sesame}}, {talk}}}}}"
            ),
            "{prober: grpc, grpc: {metadata: {token: [sesame]}}}",
            "{prober: redis, server: {password: sesame}}",
            "{prober: celery, celery: {password: sesame}}",
            "{prober: command, command: {argv: [psql, 'postgres://u:sesame@db'], user: deploy}}",
        ] {
            let shown = shown(text);
            assert!(!shown.contains("sesame"), "{shown}");
            assert!(shown.contains("<secret>"), "{shown}");
        }
        let page = shown(&http);
        for line in [
            "prober: http\n",
            "  method: \"POST\"\n",
            "  body: <secret>\n",
            "    \"host\": \"shop.test\"\n",
            "    username: \"watch\"\n",
            "    password: <secret>\n",
            "    insecure_skip_verify: true\n",
            "    token_url: \"https://<secret>@id.test/t?<secret>\"\n",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        let tcp = shown(&format!("{{prober: tcp, tcp: {{{talk}}}}}"));
        assert!(
            tcp.contains("expect: ^220\n") && !tcp.contains("QUIT"),
            "{tcp}"
        );
        assert_eq!(shown("{prober: icmp}"), "prober: icmp\n");
    }
}
