//! What `amtool template render` prints of a template, and what we send by it.

use std::time::Duration;

use alerter::Mail;

use crate::support::hook::Hook;
use crate::support::peer::amtool;
use crate::support::{alert, config, database, start};

const TEMPLATE: &str = r#"{{ define "line" -}}
{{ .Status | toUpper }} {{ len .Alerts.Firing }}/{{ len .Alerts }} {{ .GroupLabels.SortedPairs.Values | join " " }}
{{- range $at, $it := .Alerts }} {{ $at }}={{ $it.Labels.alertname | title }}:{{ $it.Fingerprint }}
{{- range .Annotations.SortedPairs }} {{ .Name }}={{ reReplaceAll "[aeiou]" "*" .Value }}{{ else }} none{{ end }}
{{- end }} {{ .ExternalURL }} {{ printf "%.2f|%q|%v" 1.5 .Receiver (eq .Receiver "ops" "dev") }}
{{- with index .Alerts 0 }} {{ .StartsAt.UTC.Format "2006-01-02T15:04:05Z" }}{{ if .EndsAt.IsZero }} open{{ end }}{{ end }}{{ end }}"#;

#[tokio::test]
async fn amtool_renders_a_template_as_we_send_it() {
    let mut hook = Hook::start(&[]).await;
    let mut worded = Hook::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("our.tmpl");
    std::fs::write(&file, TEMPLATE).unwrap();
    let yaml = format!(
        "{{templates: [{file:?}], route: {{receiver: ops, group_by: [alertname], group_wait: 0s}}, \
          receivers: [{{name: ops, webhook_configs: [{{url: 'http://127.0.0.1:{}/'}}, \
            {{url: 'http://127.0.0.1:{}/', payload: {{text: '{{{{ template \"line\" . }}}}'}}}}]}}]}}",
        hook.port, worded.port
    );
    let pool = database(folder.path()).await;
    let alerter = start(config(&yaml), Mail::default(), pool).await;
    let mut noted = alert("disk full", true);
    noted.annotations = [("summary".to_owned(), "it is <full> & \"so\"".to_owned())].into();
    alerter.put(vec![noted]).await.unwrap();
    let data = folder.path().join("data.json");
    std::fs::write(&data, hook.next().await.body.to_string()).unwrap();
    let sent = worded.next().await.body["text"].clone();
    let arguments = [
        "template",
        "render",
        &format!("--template.glob={}", file.display()),
        "--template.text={{ template \"line\" . }}",
        &format!("--template.data={}", data.display()),
    ];
    let (code, out, err) = amtool("", &arguments).await;
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.contains("FIRING 1/1 disk full 0=Disk Full:"), "{out}");
    assert_eq!(sent, out.strip_suffix('\n').unwrap_or(&out));
    alerter.stop(Duration::from_secs(5)).await;
}
