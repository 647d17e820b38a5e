//! Lists of alerts and groups: what is in them, in which order, and how long
//! ones are sent.

use serde_json::{Value, json};

use super::{CONFIG, World};
use crate::support::web::client;

fn names(list: &Value) -> Vec<&str> {
    let alerts = list.as_array().unwrap().iter();
    alerts
        .map(|it| it["labels"]["alertname"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn parameters_choose_alerts() {
    let world = World::start(CONFIG).await;
    world
        .fire(&[
            "alertname=Down host=a",
            "alertname=Disk host=a team=x page=yes",
            "alertname=Load host=b team=x",
            "alertname=Quiet host=c",
        ])
        .await;
    world
        .silence(json!([{"name": "host", "value": "c", "isRegex": false}]))
        .await;
    for (query, wanted) in [
        ("", "Disk Down Load Quiet"),
        ("active=false", "Disk Quiet"),
        ("inhibited=false", "Down Load Quiet"),
        ("silenced=false", "Disk Down Load"),
        ("silenced=false&inhibited=false", "Down Load"),
        ("silenced=false&inhibited=false&active=false", ""),
        ("unprocessed=false", "Disk Down Load Quiet"),
        ("receiver=team-x", "Disk Load"),
        ("receiver=team-", ""),
        ("receiver=team-.%2B|none", "Disk Load"),
        ("receiver=", "Disk Down Load Quiet"),
        ("receiver_matchers=name%3Ddefault", "Down Quiet"),
        ("filter=host%3Da", "Disk Down"),
        ("filter=host%3Da&filter=team%3D", "Down"),
        ("filter=team!%3D", "Disk Load"),
        ("filter=team%3D~%22%22", "Down Quiet"),
        ("filter=alertname%3D~%22D.*%22&filter=page!%3Dyes", "Down"),
    ] {
        let list = world.get(&format!("/alerts?{query}")).await.json();
        let mut found = names(&list);
        found.sort_unstable();
        assert_eq!(found.join(" "), wanted, "{query}");
        let prints: Vec<_> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["fingerprint"].as_str())
            .collect();
        assert!(prints.is_sorted(), "{prints:?}");
    }
    let disk = &world.get("/alerts?filter=alertname%3DDisk").await.json()[0];
    let down = &world.get("/alerts?filter=alertname%3DDown").await.json()[0];
    assert_eq!(disk["status"]["inhibitedBy"], json!([down["fingerprint"]]));
    assert_eq!(
        disk["receivers"],
        json!([{"name": "team-x"}, {"name": "team-x"}])
    );
    assert_eq!(disk.get("generatorURL"), None);
    for (query, wanted) in [
        ("filter=a", "\"bad matcher format: a\"\n"),
        (
            "receiver=(",
            "\"failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`\"\n",
        ),
    ] {
        for path in ["/alerts", "/alerts/groups"] {
            let answer = world.get(&format!("{path}?{query}")).await;
            assert_eq!((answer.status, &*answer.text), (400, wanted));
        }
    }
}

#[tokio::test]
async fn groups_stand_by_their_labels_and_alerts_by_job_and_instance() {
    let world = World::start(CONFIG).await;
    world
        .fire(&[
            "alertname=B job=z",
            "alertname=B job=a instance=2",
            "alertname=B job=a instance=1",
            "alertname=A team=x page=yes",
            "zone=1",
        ])
        .await;
    let groups = world.get("/alerts/groups").await.json();
    let seen: Vec<(String, Vec<String>)> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let alerts = group["alerts"].as_array().unwrap().iter();
            let texts = alerts.map(|it| it["annotations"]["summary"].as_str().unwrap().to_owned());
            (group["labels"].to_string(), texts.collect())
        })
        .collect();
    let wanted: Vec<(String, Vec<String>)> = [
        ("{}", vec!["zone=1"]),
        (r#"{"alertname":"A"}"#, vec!["alertname=A team=x page=yes"]),
        (
            r#"{"alertname":"B"}"#,
            vec![
                "alertname=B job=a instance=1",
                "alertname=B job=a instance=2",
                "alertname=B job=z",
            ],
        ),
        (
            r#"{"alertname":"A","page":"yes","team":"x"}"#,
            vec!["alertname=A team=x page=yes"],
        ),
    ]
    .map(|(labels, alerts)| {
        (
            labels.to_owned(),
            alerts.into_iter().map(str::to_owned).collect(),
        )
    })
    .into();
    assert_eq!(seen, wanted);
    assert_eq!(groups[1]["receiver"], json!({"name": "team-x"}));
    let found = world
        .get("/alerts/groups?receiver=default&filter=job%3Da")
        .await
        .json();
    assert_eq!(
        found.as_array().unwrap().len(),
        1,
        "groups without an alert are left out"
    );
    assert_eq!(found[0]["alerts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn long_lists_come_in_pieces_and_are_whole() {
    let world = World::start(CONFIG).await;
    let alerts: Vec<String> = (0..3_000)
        .map(|number| {
            format!(
                "alertname=N{} number={number} text={}",
                number % 7,
                "x".repeat(100)
            )
        })
        .collect();
    let texts: Vec<&str> = alerts.iter().map(String::as_str).collect();
    world.fire(&texts).await;
    let answer = world.get("/alerts").await;
    assert_eq!(answer.header("content-length"), "", "it was streamed");
    assert_eq!(answer.json().as_array().unwrap().len(), 3_000);
    let few = world
        .get("/alerts?filter=number%3D~%22.*99%22")
        .await
        .json();
    assert_eq!(few.as_array().unwrap().len(), 30);
    let none = world.get("/alerts?filter=number%3Dx").await;
    assert_eq!(none.text, "[]\n");
    let groups = world.get("/alerts/groups").await.json();
    let counts = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["alerts"].as_array().unwrap().len());
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [429, 429, 429, 429, 428, 428, 428]
    );
    // One that goes away in the middle leaves its turn to others.
    for _ in 0..20 {
        let client = client();
        let answer = client
            .get(format!("{}/api/v2/alerts", world.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        drop(answer);
        drop(client);
        crate::support::until("a free turn", async || {
            let answer = world.get("/receivers").await;
            (answer.status == 200).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn no_more_than_a_few_lists_are_written_at_a_time() {
    let world = World::start(CONFIG).await;
    let alerts: Vec<String> = (0..20_000)
        .map(|number| format!("alertname=N number={number} text={}", "x".repeat(400)))
        .collect();
    let texts: Vec<&str> = alerts.iter().map(String::as_str).collect();
    world.fire(&texts).await;
    let client = client();
    let mut open = Vec::new();
    let refused = crate::support::within("a refusal", async {
        loop {
            let url = format!("{}/api/v2/alerts", world.url());
            let answer = client.get(url).send().await.unwrap();
            if answer.status() != 200 {
                break answer;
            }
            // Nobody reads it, so it goes on being written.
            open.push(answer);
        }
    })
    .await;
    assert_eq!(refused.status(), 503);
    let text = refused.text().await.unwrap();
    let wanted = format!(
        "Limit of concurrent GET requests reached ({}), try again later.\n",
        open.len()
    );
    assert_eq!(text, wanted);
    drop((open, client));
    crate::support::until("a turn", async || {
        let answer = world.get("/alerts?filter=number%3D1").await;
        (answer.status == 200).then_some(())
    })
    .await;
}
