//! What is mailed: by templates, over a reload and over a restart, to two SMTP
//! sinks, by Debian's Alertmanager and by us.

use std::collections::BTreeMap;
use std::time::Duration;

use mailparse::MailHeaderMap as _;
use serde_json::json;
use tokio::time::Instant;

use super::distances::Distances;
use super::lateness::Lateness;
use super::ours::Ours;
use super::play::Shown;
use super::{feed, play};

use crate::support::peer::Peer;
use crate::support::{Sink, Taken, database, now_ms, until, web};

/// Receivers by name: their `email_configs`, each a scenario of its own.
const MAILS: [(&str, &str); 13] = [
    ("default-subject", "text: 'x', html: ''"),
    (
        "own-subject",
        "text: 'x', html: '', headers: {Subject: '{{ .Status | toUpper }} {{ .GroupLabels.alertname }} {{ len .Alerts }}'}",
    ),
    (
        "text-of-each",
        "html: '', text: '{{ range .Alerts }}{{ .Labels.alertname }} is {{ .Status }}: {{ .Annotations.summary }} {{ end }}'",
    ),
    (
        "html-escapes",
        "html: '<p title=\"{{ .CommonAnnotations.summary }}\">{{ .CommonAnnotations.summary }}</p>', text: 'x'",
    ),
    ("html-alone", "html: '<b>{{ .Receiver }}</b>'"),
    (
        "own-fields",
        "text: 'x', html: '', headers: {X-Team: '{{ .CommonLabels.team }}', Reply-To: 'noc@example.org'}",
    ),
    (
        "defined",
        "html: '', text: '{{ template \"ours\" . }}', headers: {Subject: '{{ template \"ours.subject\" . }}'}",
    ),
    (
        "functions",
        "html: '', text: '{{ reReplaceAll \"(.)l\" \"<$1>\" .CommonLabels.team }} {{ (.CommonLabels.Remove (stringSlice \"team\")).Names | join \",\" }} {{ match \"^b\" .CommonLabels.team }} {{ title .Status }}'",
    ),
    (
        "told-of-ends",
        "send_resolved: true, html: '', text: '{{ .Alerts.Firing | len }}/{{ .Alerts.Resolved | len }}', headers: {Subject: '{{ .Status }}'}",
    ),
    (
        "several-people",
        "to: 'a@example.org, B <b@example.org>', text: 'x', html: ''",
    ),
    (
        "people-by-label",
        "to: '{{ .CommonLabels.team }}@example.org, {{ range .Alerts }}B <{{ .Status }}@example.org>, {{ end }}noc@example.org', text: 'x', html: ''",
    ),
    (
        "sender-by-label",
        "to: '{{ template \"ours.people\" . }}', from: '{{ .GroupLabels.alertname }} <{{ .CommonLabels.team }}@example.org>', text: 'x', html: ''",
    ),
    (
        "odd-letters",
        "html: '', text: 'Grüße 🔔 {{ .GroupLabels.alertname }} ==== . ', headers: {Subject: 'Prüfung äöü {{ .Status }}'}",
    ),
];

const DEFINED: &str = "{{ define \"ours\" }}{{ range $i, $a := .Alerts }}{{ if $i }}, {{ end }}{{ $a.Labels.SortedPairs.Values | join \"|\" }}{{ end }}{{ end }}\
    {{ define \"ours.people\" }}ops-{{ .CommonLabels.team }}@example.org{{ end }}\
    {{ define \"ours.subject\" }}{{ .Status }} of {{ .GroupLabels.SortedPairs.Values | join \" \" }}{{ end }}";

pub(super) const COUNT: usize = MAILS.len();

/// After the reload one receiver has other words, one route other times.
fn configuration(port: u16, templates: &std::path::Path, reloaded: bool) -> String {
    let routes: Vec<String> = MAILS
        .iter()
        .map(|(name, _)| format!("{{receiver: {name}, matchers: ['scenario=\"{name}\"']}}"))
        .collect();
    let receivers: Vec<String> = MAILS
        .iter()
        .map(|(name, says)| {
            let to = match says.starts_with("to: ") {
                true => "",
                false => "to: ops@example.org, ",
            };
            let says = match reloaded {
                true => says.replace(
                    "is {{ .Status }}",
                    "has been {{ .Status }} since the reload",
                ),
                false => (*says).to_owned(),
            };
            format!("{{name: {name}, email_configs: [{{{to}{says}}}]}}")
        })
        .collect();
    format!(
        "{{global: {{smtp_smarthost: '127.0.0.1:{port}', smtp_from: am@example.org, smtp_require_tls: false}}, templates: [{templates:?}], \
          route: {{receiver: default-subject, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h, routes: [{}]}}, \
          receivers: [{}]}}",
        routes.join(", "),
        receivers.join(", ")
    )
}

/// A mail, as far as it is the template's, and whom it was for.
type Said = BTreeMap<&'static str, String>;

fn said(taken: &Taken) -> Said {
    let mail = mailparse::parse_mail(taken.text.as_bytes()).unwrap();
    let mut said = Said::from([("recipients", taken.to.join(" "))]);
    for name in ["Subject", "To", "From", "X-Team", "Reply-To"] {
        let value = mail.headers.get_first_value(name).unwrap_or_default();
        said.insert(name, value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    for part in mail.parts() {
        let name = match &*part.ctype.mimetype {
            "text/plain" => "text",
            "text/html" => "html",
            _ => continue,
        };
        let body = part.get_body().unwrap();
        said.insert(name, body.replace("\r\n", "\n").trim_end().to_owned());
    }
    said
}

/// Mails by what they say, and when they came.
type Came = Vec<(Said, i64)>;

/// So many mails of each, by what they say.
async fn mails(sinks: &mut [Sink; 2], count: usize) -> [Came; 2] {
    let mut all = [Vec::new(), Vec::new()];
    for (sink, mails) in sinks.iter_mut().zip(&mut all) {
        for _ in 0..count {
            let taken = sink.next().await;
            mails.push((said(&taken), taken.at_ms));
        }
        mails.sort();
    }
    all
}

/// Puts the same alerts to both.
async fn put(urls: &[String; 2], alerts: &[(&str, &str, bool)]) {
    let time = |at_ms: i64| {
        jiff::Timestamp::from_millisecond(at_ms)
            .unwrap()
            .to_string()
    };
    let alerts: Vec<_> = alerts
        .iter()
        .map(|(scenario, name, fires)| {
            json!({
                "labels": {"alertname": name, "scenario": scenario, "team": "bells"},
                "annotations": {"summary": "it is <full> & \"so\""},
                "startsAt": time(now_ms() - 60_000),
                "endsAt": time(if *fires { now_ms() + 3_600_000 } else { now_ms() }),
            })
        })
        .collect();
    feed::post(&web::client(), urls, "/alerts", &json!(alerts)).await;
}

/// What is told of one after the other, and how far from each other it comes.
struct Told<'a> {
    sinks: [Sink; 2],
    distances: &'a mut Distances,
    shown: Shown,
}

impl Told<'_> {
    /// Puts the same alerts to both and reads a mail for each: both say the same.
    /// Of no kind are those whose time hangs on a beat that only we keep.
    async fn of(
        &mut self,
        kind: Option<&str>,
        urls: &[String; 2],
        alerts: &[(&str, &str, bool)],
    ) -> Vec<Said> {
        let until = Instant::now() + Duration::from_secs(1);
        let late = tokio::spawn(Lateness::until(until));
        put(urls, alerts).await;
        let [theirs, ours] = mails(&mut self.sinks, alerts.len()).await;
        let late = late.await.unwrap();
        self.shown.late_ms = self.shown.late_ms.max(late.worst_ms());
        for ((ours, our_ms), (theirs, their_ms)) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs);
            if let Some(kind) = kind {
                let what = format!("mail {:?}", ours["Subject"]);
                let late_ms = late.around_ms(*our_ms, *their_ms);
                let fault = self.distances.note(kind, &what, our_ms - their_ms, late_ms);
                let far = fault.map(|fault| (format!("{kind} {what}"), fault));
                self.shown.far.extend(far);
            }
        }
        ours.into_iter().map(|(said, _)| said).collect()
    }
}

/// Mails by templates, over a reload and over a restart; what came too late.
pub(super) async fn run(distances: &mut Distances) -> Vec<String> {
    play::calm(distances, async |seen| once(seen).await).await
}

async fn once(distances: &mut Distances) -> Shown {
    let sinks = [Sink::start(&[]).await, Sink::start(&[]).await];
    let folder = tempfile::tempdir().unwrap();
    let templates = folder.path().join("ours.tmpl");
    std::fs::write(&templates, DEFINED).unwrap();
    let text = |at: usize, reloaded| configuration(sinks[at].port, &templates, reloaded);
    let (before, after) = (
        [text(0, false), text(1, false)],
        [text(0, true), text(1, true)],
    );
    let peer = Peer::start(folder.path(), &before[0]).await;
    let pool = database(folder.path()).await;
    let our = Ours::start(&before[1], pool.clone()).await;
    let mut told = Told {
        sinks,
        distances,
        shown: Shown::default(),
    };

    // Each scenario's first mail.
    let firing: Vec<_> = MAILS
        .iter()
        .map(|(name, _)| (*name, "Disk", true))
        .collect();
    let urls = [peer.url.clone(), our.url()];
    let ours = told.of(Some("templates"), &urls, &firing).await;
    assert!(
        ours.iter().any(|it| it["Subject"].contains("FIRING:1")),
        "{ours:?}"
    );

    // A reload: the same groups go on, in other words.
    peer.reload(folder.path(), &after[0]).await;
    our.reload(&after[1]).await;
    let more = [
        ("text-of-each", "Load", true),
        ("own-subject", "Load", true),
    ];
    let ours = told.of(Some("reload"), &urls, &more).await;
    let reloaded = |it: &Said| {
        it.get("text")
            .is_some_and(|text| text.contains("since the reload"))
    };
    assert!(ours.iter().any(reloaded), "{ours:?}");

    // A restart: what was told is not told again, and its end is.
    our.stop().await;
    peer.stop().await;
    let peer = Peer::start(folder.path(), &after[0]).await;
    let our = Ours::start(&after[1], pool).await;
    let urls = [peer.url.clone(), our.url()];
    put(&urls, &firing).await;
    let fresh = [("told-of-ends", "Fresh", true)];
    told.of(Some("restart"), &urls, &fresh).await;
    let ours = told
        .of(None, &urls, &[("told-of-ends", "Disk", false)])
        .await;
    assert_eq!(ours[0]["Subject"], "resolved");
    // Another look at all groups tells nothing more.
    let last = [("own-subject", "Last", true)];
    told.of(Some("restart"), &urls, &last).await;
    until("nothing waits", async || {
        let page = our.handle.metrics().await.unwrap();
        page.contains("belfry_mail_queue_length 0\n").then_some(())
    })
    .await;
    our.stop().await;
    let Told {
        mut sinks,
        mut shown,
        ..
    } = told;
    assert_eq!(sinks.each_mut().map(|sink| sink.ready()), [None, None]);
    shown.faults.extend(distances.shift());
    shown
}
