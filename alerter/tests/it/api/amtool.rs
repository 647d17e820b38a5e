//! Alertmanager's own command line tool against our API.

use super::{CONFIG, World};
use crate::support::peer::amtool;

async fn ok(world: &World, arguments: &[&str]) -> String {
    let (code, out, err) = amtool(&world.url(), arguments).await;
    assert_eq!(code, 0, "{arguments:?}: {out}{err}");
    assert_eq!(err, "", "{arguments:?}");
    out.trim_end().to_owned()
}

#[tokio::test]
async fn amtool_adds_and_finds_alerts() {
    let world = World::start(CONFIG).await;
    assert_eq!(
        ok(
            &world,
            &[
                "alert",
                "add",
                "Disk",
                "host=a",
                "--annotation=summary=full"
            ]
        )
        .await,
        ""
    );
    ok(&world, &["alert", "add", "alertname=Load", "host=b"]).await;
    let list = ok(&world, &["alert", "-o", "simple"]).await;
    assert!(
        list.contains("Disk") && list.contains("Load") && list.contains("full"),
        "{list}"
    );
    let list = ok(&world, &["alert", "query", "host=~a|c"]).await;
    assert!(list.contains("Disk") && !list.contains("Load"), "{list}");
    let list = ok(
        &world,
        &["alert", "query", "-o", "json", "--receiver=default", "Load"],
    )
    .await;
    assert!(
        list.contains("\"host\":\"b\"") || list.contains("\"host\": \"b\""),
        "{list}"
    );
    let (code, _, err) = amtool(
        &world.url(),
        &[
            "alert",
            "add",
            "x",
            "--start=2030-01-02T00:00:00Z",
            "--end=2030-01-01T00:00:00Z",
        ],
    )
    .await;
    assert_eq!(code, 1);
    assert!(err.contains("start time must be before end time"), "{err}");
}

#[tokio::test]
async fn amtool_adds_changes_imports_and_ends_silences() {
    let world = World::start(CONFIG).await;
    let (code, _, err) = amtool(&world.url(), &["silence", "add", "host=a"]).await;
    assert_eq!((code, err.contains("comment required")), (1, true), "{err}");
    let id = ok(
        &world,
        &[
            "silence",
            "add",
            "Disk",
            "host=~a|b",
            "team!=x",
            "-c",
            "works",
            "-a",
            "me",
            "-d",
            "2h",
        ],
    )
    .await;
    ok(&world, &["alert", "add", "Disk", "host=a"]).await;
    assert!(!ok(&world, &["alert"]).await.contains("Disk"));
    assert!(ok(&world, &["alert", "-s"]).await.contains("Disk"));
    let list = ok(&world, &["silence", "query", "-o", "extended", "host=~a|b"]).await;
    assert!(
        list.contains(&id) && list.contains("works") && list.contains("team!="),
        "{list}"
    );
    assert_eq!(
        ok(&world, &["silence", "query", "-q", "--created-by=me"]).await,
        id
    );
    ok(
        &world,
        &["silence", "update", &id, "-d", "3h", "-c", "longer"],
    )
    .await;
    let list = ok(&world, &["silence"]).await;
    assert!(list.contains("longer"), "{list}");
    let id = ok(&world, &["silence", "query", "-q"]).await;
    let kept = ok(&world, &["silence", "query", "-o", "json"]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &kept).unwrap();
    ok(&world, &["silence", "expire", &id]).await;
    assert_eq!(ok(&world, &["silence", "query", "-q"]).await, "");
    assert!(
        ok(&world, &["silence", "query", "-q", "--expired"])
            .await
            .contains(&id)
    );
    let path = file.path().to_str().unwrap();
    ok(&world, &["silence", "import", "-f", path]).await;
    let back = ok(&world, &["silence", "query", "-q"]).await;
    assert!(!back.is_empty() && back != id, "{back}");
    // An id that is not known any more is imported as a new one.
    std::fs::write(
        file.path(),
        kept.replace(&id, "00000000-0000-4000-8000-000000000000"),
    )
    .unwrap();
    ok(&world, &["silence", "import", path]).await;
    assert_eq!(
        ok(&world, &["silence", "query", "-q"])
            .await
            .lines()
            .count(),
        2
    );
    let (code, _, err) = amtool(
        &world.url(),
        &["silence", "expire", "00000000-0000-4000-8000-000000000001"],
    )
    .await;
    assert_eq!(code, 1, "{err}");
}

#[tokio::test]
async fn amtool_shows_the_configuration_and_tests_its_routes() {
    let with_mail = format!(
        "{CONFIG}    email_configs: [{{to: 'a@b.c', from: 'd@e.f', smarthost: 'mx:25', auth_username: u, auth_password: hunter2}}]\n    \
         pushover_configs: [{{user_key: u, token: t, retry: 1.5m, expire: 36h}}]\n"
    );
    let world = World::start(&with_mail).await;
    let shown = ok(&world, &["config", "show"]).await;
    assert!(
        shown.contains("receiver: \"team-x\"") && !shown.contains("hunter2"),
        "{shown}"
    );
    let tree = ok(&world, &["config", "routes"]).await;
    assert!(
        tree.contains("receiver: team-x") && tree.contains("default-route"),
        "{tree}"
    );
    for (labels, wanted) in [
        (vec!["team=x"], "team-x"),
        (vec!["team=x", "page=yes"], "team-x,team-x"),
        (vec!["team=y"], "default"),
    ] {
        let mut arguments = vec!["config", "routes", "test"];
        arguments.extend(labels);
        assert_eq!(ok(&world, &arguments).await, wanted);
    }
    let verify = [
        "config",
        "routes",
        "test",
        "--verify.receivers=default",
        "team=x",
    ];
    assert_eq!(amtool(&world.url(), &verify).await.0, 1);
    assert!(ok(&world, &["cluster", "show"]).await.contains("disabled"));
    // It compares versions, and says so where they differ.
    let url = format!("--alertmanager.url={}", world.url());
    let (code, _, err) = amtool("", &[&url, "cluster", "show"]).await;
    assert_eq!(code, 0, "{err}");
}

#[tokio::test]
async fn amtool_accepts_what_we_print_of_our_own_tree() {
    let folder = tempfile::tempdir().unwrap();
    let pool = crate::support::database(folder.path()).await;
    let mail = "{to: 'a@b.c', from: 'd@e.f', smarthost: 'mx:587', username: u, password: hunter2}";
    let handle = crate::support::start(Default::default(), crate::support::mail(mail), pool).await;
    let served = crate::support::web::Served::start(&handle).await;
    let original = crate::support::web::get(&served.url(), "/status")
        .await
        .json();
    let file = folder.path().join("shown.yml");
    std::fs::write(&file, original["config"]["original"].as_str().unwrap()).unwrap();
    let (code, out, err) = amtool("", &["check-config", file.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(" - 2 receivers"), "{out}");
    let (code, out, err) = amtool(
        &served.url(),
        &["config", "routes", "test", "severity=info"],
    )
    .await;
    assert_eq!((code, out.trim_end()), (0, "page"), "{err}");
}
