//! The configuration as a file would say it, with what is inherited filled in
//! and without secrets: what clients are shown.

use settings::{Page, Value as _};

use super::{Config, Email, Mail, Receiver, email, tree};
use crate::smtp::Tls;

/// Prints what is in force.
pub(super) fn print(config: &Config, mail: &Mail) -> String {
    let config = effective(config, mail);
    let mut page = Page::default();
    page.value("global", &config.global);
    page.value("route", &config.route);
    page.value("inhibit_rules", &config.inhibit_rules);
    page.list("receivers", &config.receivers, receiver);
    page.value("mute_time_intervals", &config.mute_time_intervals);
    page.value("time_intervals", &config.time_intervals);
    page.value("templates", &config.templates);
    page.finish()
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

/// A receiver under Alertmanager's keys; what only we know is a comment, as
/// Alertmanager's tools refuse what they do not know.
fn receiver(page: &mut Page, receiver: &Receiver) {
    let mut known = receiver.clone();
    let own = [
        (
            "ntfy_configs",
            std::mem::take(&mut known.ntfy_configs).len(),
        ),
        (
            "gotify_configs",
            std::mem::take(&mut known.gotify_configs).len(),
        ),
    ];
    let webhooks = std::mem::take(&mut known.webhook_configs);
    known.fill(page);
    page.list("webhook_configs", &webhooks, |page, webhook| {
        let mut webhook = webhook.clone();
        let url = std::mem::take(&mut webhook.url);
        page.word("url", &shown(url.expose()));
        webhook.fill(page);
    });
    for (name, count) in own.into_iter().filter(|(_, count)| *count > 0) {
        page.word("# and", &format!("{name}, {count}"));
    }
}

/// A URL without what may be secret in it; older tools want it to be one all the
/// same.
fn shown(url: &str) -> String {
    match crate::http::check_url(url.trim()) {
        Ok(url) if !url.as_str().contains("{{") => {
            format!("\"{}/<secret>\"", url.origin().ascii_serialization())
        }
        _ => "<secret>".to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let labels = [("severity", severity)].into_iter().collect();
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
