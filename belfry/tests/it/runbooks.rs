//! Runbooks as they are read: at a terminal, on the page, by programs.

use std::fs;
use std::process::Command;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;
use crate::support::scratch::Scratch;

/// What `belfry runbook` prints, and what it says beside it.
fn runbook(arguments: &[&str]) -> (Option<i32>, String, String) {
    let scratch = Scratch::new();
    let output = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .arg("runbook")
        .args(arguments)
        .current_dir(&scratch.path)
        .env("XDG_STATE_HOME", scratch.path.join("state"))
        .output()
        .expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn beside(belfry: &Belfry) -> [String; 2] {
    ["--data".to_owned(), belfry.data().display().to_string()]
}

#[test]
fn commands_are_filled_with_what_runs_here_and_what_the_alert_names() {
    let engine = Engine::start();
    engine.create_network("shop");
    engine.run(
        &Container::named("shop-db-1")
            .image("postgres:16")
            .network("shop")
            .compose("shop", "db")
            .option("--env", "POSTGRES_USER=seller")
            .label("com.docker.compose.project.working_dir", "/srv/shop"),
    );
    let setup = Setup::new().engine(&engine);
    let mut belfry = Launch::with(&setup.config()).start();
    poll::holds("the container should be known", || {
        let page = belfry.get("/runbooks/database").body;
        page.contains("`docker exec shop-db-1 pg_isready`")
    });
    let [flag, data] = beside(&belfry);
    let (code, said, aside) = runbook(&["database", "datname=orders", &flag, &data]);
    assert_eq!((code, aside.as_str()), (Some(0), ""));
    assert!(
        said.contains("docker exec shop-db-1 psql -U postgres -d orders -c"),
        "{said}"
    );
    let (_, said, _) = runbook(&["container-down", "service=api", &flag, &data]);
    assert!(
        said.contains("changes something:\n    cd /srv/shop\n")
            && said.contains("docker compose up -d api"),
        "{said}"
    );
    // What is no single word for a shell is not put into a command.
    let (_, said, _) = runbook(&["container-down", "name=$(reboot)", &flag, &data]);
    assert!(said.contains("--timestamps NAME"), "{said}");

    let told = belfry
        .get("/api/belfry/v1/runbooks/database?datname=orders")
        .json();
    assert_eq!(told["name"], "database");
    assert!(
        told["text"].as_str().unwrap().contains("-d orders -c"),
        "{told}"
    );
    assert_eq!(belfry.get("/api/belfry/v1/runbooks/none").status, 404);
    let (_, said, _) = runbook(&["database", "datname=orders", "--json", &flag, &data]);
    let same: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(same, told);

    // Where the server's environment may be looked at, its own user is known.
    let setup = setup.exporter("postgres: {environment: true}");
    belfry.reload(&setup.config());
    poll::holds("its user should be named", || {
        let (_, said, _) = runbook(&["database", &flag, &data]);
        said.contains("docker exec shop-db-1 psql -U seller -d seller -c")
    });
}

#[test]
fn without_a_belfry_runbooks_are_there_all_the_same() {
    let nowhere = Scratch::new();
    let data = nowhere.path.display().to_string();
    let (code, said, aside) = runbook(&["memory", "service=api", "--data", &data]);
    assert_eq!(code, Some(0));
    assert!(aside.contains("is not filled in"), "{aside}");
    assert!(said.contains("docker compose restart api"), "{said}");
    assert!(said.contains("cd PROJECT_DIR"), "{said}");
    let looks = "First look\n----------\n\nThese steps only look; none changes anything.\n";
    assert!(said.contains(looks), "{said}");
    let (code, said, _) = runbook(&[]);
    assert_eq!(code, Some(0));
    assert!(said.lines().count() >= 24, "{said}");
    assert!(
        said.lines().all(|line| line.chars().count() <= 80),
        "{said}"
    );
    let (code, said, _) = runbook(&["--json"]);
    let list: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(code, Some(0));
    assert_eq!(list[0]["name"], "api-down");
    assert_eq!(runbook(&["memory", "name"]).0, Some(3));
}

#[test]
fn a_folder_of_runbooks_takes_the_place_of_shipped_ones_and_follows_a_reload() {
    let scratch = Scratch::new();
    let folder = scratch.path.join("runbooks");
    fs::create_dir(&folder).expect("a folder");
    let ours = "# Our memory\n\n## First look\n\n1. Ask Kim: `who`\n";
    fs::write(folder.join("memory.md"), ours).expect("a runbook");
    let setup = Setup::new().part(&format!("rules: {{runbooks: {folder:?}}}"));
    let mut belfry = Launch::with(&setup.config()).start();
    assert_eq!(belfry.get("/runbooks/memory").body, ours);
    assert!(belfry.get("/runbooks/clock").body.starts_with("# "));
    assert_eq!(belfry.get("/runbooks/billing").status, 404);

    fs::write(folder.join("billing.md"), "# Billing\n").expect("a runbook");
    belfry.reload(&setup.config());
    poll::holds("the new runbook should be served", || {
        belfry.get("/runbooks/billing").status == 200
    });
    // One that cannot be read: the reload changes nothing, and says why.
    fs::write(folder.join("broken.md"), [b'#', 0xff]).expect("a file");
    let answer = belfry.post("/-/reload", "");
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("broken.md"), "{}", answer.body);
    assert_eq!(belfry.get("/runbooks/billing").status, 200);

    fs::remove_file(folder.join("broken.md")).expect("the file");
    scratch.file("belfry.yml", "rules: {runbooks: runbooks}\n");
    let config = scratch.path.join("belfry.yml").display().to_string();
    let (code, said, _) = runbook(&["memory", "--config", &config]);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("Our memory\n==========") && said.contains("who"),
        "{said}"
    );
    let (_, said, _) = runbook(&["--config", &config]);
    assert!(said.contains("Our memory (yours)"), "{said}");
}

/// The commands of ours that a runbook names, without their blanks.
fn named(text: &str) -> Vec<Vec<String>> {
    let spans = text.split('`').skip(1).step_by(2);
    let lines = text.lines().chain(spans.flat_map(|span| span.split("||")));
    let ours = lines.filter_map(|line| line.trim().strip_prefix("belfry "));
    let words = |command: &str| command.split_whitespace().map(str::to_owned).collect();
    ours.map(words).collect()
}

#[test]
fn runbooks_about_backups_name_commands_that_there_are_and_every_one_that_helps() {
    let mut found = std::collections::BTreeSet::new();
    for name in ["backup", "restore"] {
        let file = format!("{}/../rules/runbooks/{name}.md", env!("CARGO_MANIFEST_DIR"));
        for words in named(&fs::read_to_string(file).unwrap()) {
            let command = words
                .iter()
                .take_while(|word| word.chars().all(|letter| letter.is_ascii_lowercase()));
            let command: Vec<_> = command.cloned().collect();
            let mut asked = Command::new(env!("CARGO_BIN_EXE_belfry"));
            let told = asked.args(&command).arg("--help").output().unwrap();
            let help = String::from_utf8_lossy(&told.stdout).into_owned();
            assert!(told.status.success(), "{name}: {words:?}: {told:?}");
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(&**flag), "{name}: {words:?}");
            }
            found.insert(command.join(" "));
        }
    }
    for wanted in [
        "backup attest",
        "backup coverage",
        "backup drill",
        "backup list",
        "backup pin",
        "backup replicate",
        "backup run",
        "backup verify",
        "restore",
    ] {
        assert!(found.contains(wanted), "{wanted}: {found:?}");
    }
}
