//! Notification templates: the table in the file passes in Alertmanager as well.

use std::collections::BTreeMap;

use tmpl::{
    Env, Error, Functions, Mode, Set, Template,
    notice::{Alert, Notice},
};

use crate::cases;

fn set(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

fn notice() -> Notice {
    let on = |instance| {
        [
            ("alertname", "DiskFull"),
            ("instance", instance),
            ("job", "node"),
        ]
    };
    Notice {
        receiver: "team-a.b".into(),
        alerts: vec![
            Alert {
                labels: set(&[&on("h1")[..], &[("zone", "a")]].concat()),
                annotations: set(&[("summary", "Disk <full>"), ("impact", "none")]),
                starts_ms: 1_700_000_000_123,
                generator_url: "http://p/graph?g0.expr=up".into(),
                fingerprint: "00ff".into(),
                ..Alert::default()
            },
            Alert {
                resolved: true,
                labels: set(&on("h2")),
                annotations: set(&[("summary", "Disk & more")]),
                starts_ms: 1_700_000_000_000,
                ends_ms: Some(1_700_005_401_500),
                fingerprint: "01".into(),
                ..Alert::default()
            },
        ],
        reason: "new_alerts".into(),
        group_labels: set(&[("alertname", "DiskFull"), ("job", "node")]),
        common_labels: set(&[
            ("alertname", "DiskFull"),
            ("job", "node"),
            ("severity", "critical"),
        ]),
        common_annotations: set(&[("runbook", "http://r")]),
        route_labels: set(&[("team", "a")]),
        external_url: "http://am.example:9093".into(),
    }
}

fn render(text: &str) -> Result<String, Error> {
    let label = |name: &str| match name {
        "team" => Ok("a".to_owned()),
        _ => Err("no such label".to_owned()),
    };
    let env = Env {
        route_label: Some(&label),
        ..Env::at(1_700_000_060_000, "")
    };
    Template::parse(text, Functions::alertmanager())?.execute(&notice().value(), &env, Mode::Text)
}

#[test]
fn notices_render_as_they_do_in_alertmanager() {
    cases::check(include_str!("../cases/notice.txt"), 27, render);
}

/// What releases newer than the one at hand for comparison have added.
#[test]
fn the_newer_functions_do_what_is_documented() {
    let cases = [
        (
            "{{ .NotificationReason }} {{ .RouteLabels.team }} {{ routeLabels \"team\" }}",
            "new_alerts a a",
        ),
        ("{{ .GroupLabels }}", "alertname=DiskFull, job=node"),
        (
            "{{ .GroupLabels.String }} {{ .GroupLabels.Names.Join \"+\" }}",
            "alertname=DiskFull, job=node alertname+job",
        ),
        ("{{ trimSpace \"  a b\\n\" }}|", "a b|"),
        (
            "{{ date \"2006-01-02\" (index .Alerts 0).StartsAt }}",
            "2023-11-14",
        ),
        (
            "{{ (index .Alerts 0).StartsAt | tz \"Europe/Paris\" | date \"15:04 MST -0700\" }}",
            "23:13 CET +0100",
        ),
        (
            "{{ tz \"UTC\" now }} {{ now.Unix }}",
            "2023-11-14 22:14:20 +0000 UTC 1700000060",
        ),
        ("{{ since (index .Alerts 1).StartsAt }}", "1m0s"),
        (
            "{{ humanizeDuration (since (index .Alerts 1).StartsAt) }} {{ humanizeDuration 3661 }}",
            "1m 0s 1h 1m 1s",
        ),
        (
            "{{ (toDate \"2006-01-02 15:04\" \"2024-02-29 08:30\").Weekday }}",
            "Thursday",
        ),
        ("{{ (toDate \"2006-01-02\" \"29.2.2024\").IsZero }}", "true"),
        (
            "{{ mustToDate \"Jan 2, 2006 at 3:04pm (MST)\" \"Feb 3, 2013 at 7:54pm (UTC)\" }}",
            "2013-02-03 19:54:00 +0000 UTC",
        ),
        (
            "{{ (mustToDate \"2006-01-02T15:04:05Z07:00\" \"2024-02-29T08:30:01.5+02:00\").UTC }}",
            "2024-02-29 06:30:01.5 +0000 UTC",
        ),
        (
            "{{ toJson .GroupLabels }} {{ toJson (list 1 1.5 \"<a&b>\" true nil) }}",
            r#"{"alertname":"DiskFull","job":"node"} [1,1.5,"\u003ca\u0026b\u003e",true,null]"#,
        ),
        (
            "{{ toJson (index .Alerts 1) }}",
            r#"{"status":"resolved","labels":{"alertname":"DiskFull","instance":"h2","job":"node"},"annotations":{"summary":"Disk \u0026 more"},"startsAt":"2023-11-14T22:13:20Z","endsAt":"2023-11-14T23:43:21.5Z","generatorURL":"","fingerprint":"01"}"#,
        ),
        (
            "{{ toJson 1e21 }} {{ toJson 1e-7 }} {{ toJson 123456789.0 }} {{ toJson \"\\u2028\\x01\\n\" }}",
            r#"1e+21 1e-7 123456789 "\u2028\u0001\n""#,
        ),
        (
            "{{ base64encode \"a?>b\" }} {{ base64decode \"YT8-Yg==\" }} {{ base64encode \"\" }}{{ base64encode \"ab\" }}",
            "YT8-Yg== a?>b YWI=",
        ),
        (
            "{{ urlUnescape \"a+b%20c%2F\" }} {{ safeUrl \"x\" }}",
            "a b c/ x",
        ),
        (
            "{{ list 1 \"a\" }} {{ append (list 1) 2 3 }} {{ len (list) }}",
            "[1 a] [1 2 3] 0",
        ),
        (
            "{{ $d := dict \"a\" 1 \"b\" (list 2) }}{{ $d.a }} {{ index $d.b 0 }} {{ $d.zz }}",
            "1 2 <no value>",
        ),
        (
            "{{ with .Missing }}{{ end }}",
            "!1:9: can't evaluate field Missing in type *template.Data",
        ),
        (
            "{{ mustToDate \"2006\" \"x\" }}",
            "!1:4: error calling mustToDate: parsing time \"x\" as \"2006\": it does not fit",
        ),
        (
            "{{ dict \"a\" }}",
            "!1:4: error calling dict: invalid dict call: odd number of arguments",
        ),
        (
            "{{ dict 1 2 }}",
            "!1:4: error calling dict: dict keys must be strings",
        ),
        (
            "{{ base64decode \"a*==\" }}",
            "!1:4: error calling base64decode: illegal base64 data at input byte 1",
        ),
        (
            "{{ urlUnescape \"%zz\" }}",
            "!1:4: error calling urlUnescape: invalid URL escape \"%zz\"",
        ),
        (
            "{{ tz \"Mars/Base\" now }}",
            "!1:4: error calling tz: unknown time zone Mars/Base",
        ),
        (
            "{{ routeLabels \"zz\" }}",
            "!1:4: error calling routeLabels: no such label",
        ),
    ];
    for (text, expected) in cases {
        let got = render(text).unwrap_or_else(|err| format!("!{err}"));
        assert_eq!(got, expected, "{text}");
    }
}

#[test]
fn texts_call_the_templates_of_their_set_and_keep_their_own() {
    let mut set = Set::new(Functions::alertmanager());
    set.add("{{ define \"subject\" }}[{{ .Status }}] {{ template \"names\" . }}{{ end }}")
        .unwrap();
    set.add("{{ define \"names\" }}{{ .GroupLabels.Names | join \"+\" }}{{ end }}")
        .unwrap();
    let data = notice().value();
    let env = Env::at(0, "");
    let render = |set: &Set, text: &str| set.parse(text).unwrap().execute(&data, &env, Mode::Text);
    let text = "{{ template \"subject\" . }}";
    assert_eq!(render(&set, text).unwrap(), "[firing] alertname+job");
    let own = "{{ define \"names\" }}mine{{ end }}{{ template \"subject\" . }}";
    assert_eq!(render(&set, own).unwrap(), "[firing] mine");
    assert_eq!(render(&set, text).unwrap(), "[firing] alertname+job");
    assert!(set.add("{{ define \"names\" }}").is_err());
    set.add("{{ define \"names\" }}  {{ end }}").unwrap();
    assert_eq!(
        render(&set, text).unwrap(),
        "[firing] alertname+job",
        "an empty one replaces nothing"
    );
    set.add("{{ define \"names\" }}new{{ end }}").unwrap();
    assert_eq!(render(&set, text).unwrap(), "[firing] new");
    assert_eq!(set.names().collect::<Vec<_>>(), ["names", "subject"]);
    let missing = render(&set, "\n {{ template \"nope\" }}").unwrap_err();
    assert_eq!(missing.to_string(), "2:5: template \"nope\" not defined");
}

#[test]
fn a_mail_body_is_escaped_while_its_templates_are_not() {
    let mut set = Set::new(Functions::alertmanager());
    set.add(
        r#"{{ define "link" }}{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}{{ end }}
        {{ define "body" }}<td style="color: {{ if .Alerts.Firing }}#d00{{ end }}"><!-- none of this -->
<a href="{{ template "link" . }}">View</a>{{ range .Alerts }}<li title={{ .Status }}>{{ .Annotations.summary }}</li>{{ end }}</td>{{ end }}"#,
    )
    .unwrap();
    let body = set.parse("{{ template \"body\" . }}").unwrap();
    let page = body
        .execute(&notice().value(), &Env::at(0, ""), Mode::Html)
        .unwrap();
    let expected = "<td style=\"color: #d00\">\n<a href=\"http://am.example:9093/#/alerts?receiver=team-a%5C.b\">View</a>\
        <li title=firing>Disk &lt;full&gt;</li><li title=resolved>Disk &amp; more</li></td>";
    assert_eq!(page, expected);
}
