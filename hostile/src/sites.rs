//! Configurations of Caddy and nginx that name sites.

use healthchecks::probe::discover::{self, Discover};

/// Reads the bytes as Caddy's JSON, as a Caddyfile, and as nginx's files, which
/// include themselves.
///
/// # Panics
/// If a site is no URL of one line, or there are more targets than there may be.
pub fn sites(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut all = discover::caddy(&text).unwrap_or_default();
    let mut reads = 0;
    all.extend(discover::nginx(
        "/etc/nginx/nginx.conf".as_ref(),
        &mut |_| {
            reads += 1;
            // As often as a folder may have files.
            match reads < 100 {
                true => vec![text.clone()],
                false => Vec::new(),
            }
        },
    ));
    for site in &all {
        let rest = site
            .strip_prefix("https://")
            .or_else(|| site.strip_prefix("http://"));
        let fine = rest.is_some_and(|rest| rest.len() > 1 && rest.ends_with('/'));
        let plain = site.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(fine && plain, "{site:?}");
    }
    let targets = Discover::default().targets(all);
    assert!(targets.len() <= 1000, "{}", targets.len());
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        r#"{"apps":{"http":{"servers":{"a":{"listen":[":443",":8080"],"routes":[{"match":[{"host":["a.example","*.b.example"]}],"handle":[{"handler":"subroute","routes":[{"match":[{"host":["c.example"]}]}]}]}],"tls_connection_policies":[{}]}}}}}"#,
        "{\n\tadmin off\n\tauto_https off\n}\nhttp://a.example:81, b.example {\n\trespond `fine {`\n\thandle /x* {\n\t\treverse_proxy app:80\n\t}\n}\n(part) {\n\tencode gzip\n}\nimport sites/*\n",
        "c.example\nrespond \"hi # there\"\n",
        "events { worker_connections 768; }\nhttp {\n  include sites/*.conf;\n  server {\n    listen [::]:443 ssl; # here\n    listen 127.0.0.1:8080 default_server;\n    server_name a.example *.b.example ~^c(?<x>.+)$ _ \"\";\n    return 200 'fine;}';\n  }\n}\n",
        "include nginx.conf;\nserver { listen unix:/run/x.sock; server_name d.example; location / { if ($x) { return 403; } } }\n",
    ])
}
