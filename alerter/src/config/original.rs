//! The configuration as a file would say it, with what is inherited filled in
//! and without secrets: what clients are shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use settings::Secret;

use super::{
    Config, Email, Global, HttpConfig, InhibitRule, Mail, Receiver, Route, TimeInterval, TlsConfig,
    email, tree,
};
use crate::smtp::Tls;

/// Prints what is in force.
pub(super) fn print(config: &Config, mail: &Mail) -> String {
    let config = effective(config, mail);
    let mut page = Page::default();
    page.section("global", |page| global(page, &config.global));
    if let Some(root) = &config.route {
        page.section("route", |page| route(page, root));
    }
    page.list("inhibit_rules", &config.inhibit_rules, inhibit_rule);
    page.list("receivers", &config.receivers, receiver);
    page.list(
        "mute_time_intervals",
        &config.mute_time_intervals,
        time_interval,
    );
    page.list("time_intervals", &config.time_intervals, time_interval);
    let templates: Vec<String> = config
        .templates
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    page.texts("templates", &templates);
    page.text
}

/// The sections with the built-in tree where there is none, and with what mails
/// take from the `mail` section.
fn effective(config: &Config, mail: &Mail) -> Config {
    let mut config = config.clone();
    if config.route.is_none() {
        let (route, receivers) = tree::built_in_sections(mail);
        config.route = Some(route);
        config.receivers = receivers;
    }
    for receiver in &mut config.receivers {
        for section in &mut receiver.email_configs {
            email::fill(section, &config.global, mail);
        }
    }
    config
}

fn global(page: &mut Page, global: &Global) {
    page.duration("resolve_timeout", global.resolve_timeout);
    if let Some(http) = &global.http_config {
        page.section("http_config", |page| http_config(page, http));
    }
    page.text("smtp_from", &global.smtp_from);
    page.text("smtp_hello", &global.smtp_hello);
    page.text("smtp_smarthost", &global.smtp_smarthost);
    page.text("smtp_auth_username", &global.smtp_auth_username);
    page.secret("smtp_auth_password", &global.smtp_auth_password);
    page.word("smtp_require_tls", global.smtp_require_tls);
    tls_config(page, "smtp_tls_config", &global.smtp_tls_config);
}

fn route(page: &mut Page, route: &Route) {
    page.text("receiver", &route.receiver);
    page.texts("group_by", route.group_by.as_deref().unwrap_or_default());
    page.map("match", &route.r#match);
    page.map("match_re", &route.match_re);
    page.texts("matchers", &route.matchers);
    page.texts("mute_time_intervals", &route.mute_time_intervals);
    page.texts("active_time_intervals", &route.active_time_intervals);
    page.word("continue", route.r#continue);
    page.list("routes", &route.routes, self::route);
    for (name, duration) in [
        ("group_wait", route.group_wait),
        ("group_interval", route.group_interval),
        ("repeat_interval", route.repeat_interval),
    ] {
        if let Some(duration) = duration {
            page.duration(name, duration);
        }
    }
}

fn inhibit_rule(page: &mut Page, rule: &InhibitRule) {
    page.text("name", &rule.name);
    page.map("source_match", &rule.source_match);
    page.map("source_match_re", &rule.source_match_re);
    page.texts("source_matchers", &rule.source_matchers);
    page.map("target_match", &rule.target_match);
    page.map("target_match_re", &rule.target_match_re);
    page.texts("target_matchers", &rule.target_matchers);
    page.texts("equal", &rule.equal);
}

fn time_interval(page: &mut Page, interval: &TimeInterval) {
    page.text("name", &interval.name);
    page.list("time_intervals", &interval.time_intervals, |page, span| {
        page.list("times", &span.times, |page, time| {
            page.text("start_time", &time.start_time);
            page.text("end_time", &time.end_time);
        });
        page.texts("weekdays", &span.weekdays);
        page.texts("days_of_month", &span.days_of_month);
        page.texts("months", &span.months);
        page.texts("years", &span.years);
        page.text("location", &span.location);
    });
}

fn receiver(page: &mut Page, receiver: &Receiver) {
    page.text("name", &receiver.name);
    page.map("labels", &receiver.labels);
    page.list("email_configs", &receiver.email_configs, email_config);
    page.list(
        "webhook_configs",
        &receiver.webhook_configs,
        |page, webhook| {
            page.word("send_resolved", webhook.send_resolved);
            if let Some(http) = &webhook.http_config {
                page.section("http_config", |page| http_config(page, http));
            }
            page.secret("url", &webhook.url);
            page.word("max_alerts", webhook.max_alerts);
            page.duration("timeout", webhook.timeout);
        },
    );
}

fn http_config(page: &mut Page, http: &HttpConfig) {
    if let Some(basic) = &http.basic_auth {
        page.section("basic_auth", |page| {
            page.text("username", &basic.username);
            page.secret("password", &basic.password);
        });
    }
    if let Some(authorization) = &http.authorization {
        page.section("authorization", |page| {
            page.text("type", &authorization.r#type);
            page.secret("credentials", &authorization.credentials);
        });
    }
    page.secret("bearer_token", &http.bearer_token);
    tls_config(page, "tls_config", &http.tls_config);
    page.word("follow_redirects", http.follow_redirects);
    page.word("enable_http2", http.enable_http2);
}

fn email_config(page: &mut Page, email: &Email) {
    page.word("send_resolved", email.send_resolved);
    page.text("to", &email.to);
    page.text("from", &email.from);
    page.text("hello", &email.hello);
    page.text("smarthost", &email.smarthost);
    page.text("auth_username", &email.auth_username);
    page.secret("auth_password", &email.auth_password);
    page.map("headers", &email.headers);
    for (name, text) in [("html", &email.html), ("text", &email.text)] {
        if let Some(text) = text {
            page.word(name, quoted(text));
        }
    }
    if let Some(require) = email.require_tls {
        page.word("require_tls", require);
    }
    if let Some(tls) = &email.tls_config {
        tls_config(page, "tls_config", tls);
    }
}

fn tls_config(page: &mut Page, name: &str, tls: &TlsConfig) {
    if *tls == TlsConfig::default() {
        return;
    }
    page.section(name, |page| {
        if let Some(path) = &tls.ca_file {
            page.text("ca_file", &path.to_string_lossy());
        }
        page.text("server_name", &tls.server_name);
        page.word("insecure_skip_verify", tls.insecure_skip_verify);
    });
}

/// The receivers of the built-in tree as sections.
pub(super) fn mail_config(mail: &Mail) -> Email {
    Email {
        to: mail.to.clone(),
        send_resolved: true,
        require_tls: Some(!matches!(mail.tls, Some(Tls::None))),
        ..Email::default()
    }
}

/// YAML as it is written. What is empty is left out.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    indent: usize,
    /// Whether the next key stands behind the dash of a list.
    item: bool,
}

impl Page {
    fn key(&mut self, name: &str) {
        let indent = match std::mem::take(&mut self.item) {
            true => format!("{}- ", "  ".repeat(self.indent - 1)),
            false => "  ".repeat(self.indent),
        };
        // Writing to memory cannot fail.
        let _ = write!(self.text, "{indent}{name}:");
    }

    /// A mapping, unless nothing is in it.
    pub(super) fn section(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let (before, item) = (self.text.len(), self.item);
        self.key(name);
        self.text.push('\n');
        let begun = self.text.len();
        self.indent += 1;
        fill(self);
        self.indent -= 1;
        if self.text.len() == begun {
            self.text.truncate(before);
            self.item = item;
        }
    }

    /// A list of mappings, unless it is empty.
    pub(super) fn list<T>(&mut self, name: &str, items: &[T], write: impl Fn(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.key(name);
        self.text.push('\n');
        self.indent += 1;
        for item in items {
            self.item = true;
            write(self, item);
            if std::mem::take(&mut self.item) {
                self.text
                    .push_str(&format!("{}- {{}}\n", "  ".repeat(self.indent - 1)));
            }
        }
        self.indent -= 1;
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.word(name, quoted(value));
        }
    }

    pub(super) fn secret(&mut self, name: &str, secret: &Secret) {
        if !secret.is_empty() {
            self.word(name, "<secret>");
        }
    }

    /// A value that needs no quotes.
    pub(super) fn word(&mut self, name: &str, value: impl std::fmt::Display) {
        self.key(name);
        let _ = writeln!(self.text, " {value}");
    }

    pub(super) fn duration(&mut self, name: &str, duration: Duration) {
        self.word(name, span(duration));
    }

    pub(super) fn texts(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            self.word(name, format_args!("[{}]", values.join(", ")));
        }
    }

    pub(super) fn map(&mut self, name: &str, map: &BTreeMap<String, String>) {
        self.section(name, |page| {
            for (name, value) in map {
                page.word(&quoted(name), quoted(value));
            }
        });
    }
}

/// JSON's quotes are also YAML's.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// `1h30m`, as Prometheus writes durations.
fn span(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, millis) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= millis {
            text.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    match text.is_empty() {
        true => "0s".into(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_in_prometheus_grammar() {
        for (millis, wanted) in [
            (0, "0s"),
            (50, "50ms"),
            (5_400_000, "1h30m"),
            (61_001, "1m1s1ms"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), wanted);
        }
    }

    #[test]
    fn what_is_printed_means_what_was_read_and_holds_no_secret() {
        let yaml = r#"
global: {smtp_smarthost: 'mx:25', smtp_from: 'a@b.c', smtp_auth_username: u, smtp_auth_password: hunter2}
route:
  receiver: a
  group_by: ['...']
  routes:
    - {receiver: b, matchers: ['x=~"1|2\\d"', 'y!=z'], match: {k: "v: #"}, continue: true, group_wait: 0s}
    - {mute_time_intervals: [t], active_time_intervals: [never], group_interval: 90s, repeat_interval: 1h, group_by: [q]}
inhibit_rules: [{source_matchers: [a=b], target_match_re: {c: 'd.*'}, equal: [e, f]}]
receivers:
  - {name: a, email_configs: [{to: 'x@y.z', html: '', headers: {Subject: "é\n"}, tls_config: {insecure_skip_verify: true}}, {to: 'w@y.z', auth_password: hunter3}]}
  - {name: b}
time_intervals:
  - {name: t, time_intervals: [{times: [{start_time: '09:00', end_time: '17:00'}], weekdays: ['monday:friday'], location: Europe/Berlin}, {years: [2026]}]}
  - {name: never}
"#;
        let read =
            |text: &str| -> Config { settings::read("a.yml".as_ref(), text, &|_| None).unwrap() };
        let printed = print(&read(yaml), &Mail::default());
        assert!(!printed.contains("hunter"), "{printed}");
        let again = read(&printed);
        assert_eq!(again.route, read(yaml).route, "{printed}");
        assert_eq!(again.time_intervals, read(yaml).time_intervals);
        assert_eq!(again.inhibit_rules, read(yaml).inhibit_rules);
        let emails = &again.receivers[0].email_configs;
        assert_eq!(
            (&*emails[1].smarthost, &*emails[1].from),
            ("mx:25", "a@b.c")
        );
        assert_eq!(emails[0].headers["Subject"], "é\n");
        assert_eq!(again.receivers[1].name, "b");
        // What was printed can be printed again.
        assert_eq!(print(&again, &Mail::default()), printed);
    }

    #[test]
    fn the_built_in_tree_is_shown_as_a_tree() {
        let mail =
            "{to: 'a@b.c', from: 'd@e.f', smarthost: 'mx:587', password: hunter2, username: u}";
        let mail: Mail = settings::read("a.yml".as_ref(), mail, &|_| None).unwrap();
        let printed = print(&Config::default(), &mail);
        let again: Config = settings::read("a.yml".as_ref(), &printed, &|_| None).unwrap();
        let plan = super::super::plan(&again, &Mail::default()).unwrap();
        let own = super::super::plan(&Config::default(), &mail).unwrap();
        for severity in ["critical", "warning", "info"] {
            let labels = [("severity".to_owned(), severity.to_owned())].into();
            let of = |plan: &crate::plan::Plan| {
                let at = plan.routes_of(&labels)[0];
                let route = &plan.routes[at];
                let times = (
                    route.group_wait_ms,
                    route.group_interval_ms,
                    route.repeat_interval_ms,
                );
                (route.key.clone(), times, plan.receiver_of(at).name.clone())
            };
            assert_eq!(of(&plan), of(&own), "{printed}");
        }
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
