//! Sections as a part would define them, read from text.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use settings::{Fault, Secret};

settings::choice! {
    /// How the connection is protected.
    pub enum Tls {
        /// Upgraded after the greeting.
        StartTls = "starttls",
        /// Not at all.
        Off = "none",
    }
}

settings::section! {
    /// A route and those below it.
    pub struct Route {
        /// Who is told.
        pub receiver: String = String::new(),
        /// Conditions, old form.
        pub r#match: BTreeMap<String, String> = BTreeMap::new(),
        /// Routes below.
        pub routes: Vec<Route> = Vec::new(),
    }
}

settings::section! {
    /// How pages leave.
    pub struct Mail {
        /// SMTP server.
        pub smarthost: String = "localhost:25".into(),
        /// Longest wait.
        pub timeout: Duration = Duration::from_secs(10),
        /// Proof.
        pub password: Secret = Secret::default(),
        /// Protection.
        pub tls: Tls = Tls::StartTls,
        /// Certificates.
        pub ca_file: PathBuf = PathBuf::new(),
        /// Recipients.
        pub to: Vec<String> = vec![],
    }
}

settings::section! {
    /// The whole file.
    pub struct File {
        /// Mail.
        pub mail: Mail = Mail::default(),
        /// Root route.
        pub route: Option<Route> = None,
    }
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<File, Vec<Fault>> {
    let environment: BTreeMap<_, _> = environment.iter().copied().collect();
    settings::read("/etc/belfry/belfry.yml".as_ref(), text, &|name| {
        environment.get(name).map(|text| (*text).to_owned())
    })
}

fn faults(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    read(text, environment)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_key_has_a_default() {
    assert_eq!(read("", &[]), Ok(File::default()));
    assert_eq!(read("mail:\n", &[]), Ok(File::default()));
}

#[test]
fn a_key_without_a_value_is_as_good_as_none_in_a_file_of_another_program() {
    let text = "mail:\n  smarthost:\n  timeout:\n  password:\n  tls: ~\n  to:\nroute:\n";
    let read = settings::read_literal::<File>("a.yml".as_ref(), text).end();
    assert_eq!(read, (File::default(), vec![]));
    let both = "mail: {password: , password_file: /nowhere/a}";
    let (_, found) = settings::read_literal::<File>("a.yml".as_ref(), both).end();
    assert!(
        found[0]
            .message
            .starts_with("cannot read the file it names")
    );
    // One's own file is to say what it means.
    assert_eq!(faults("mail: {timeout: }", &[]).len(), 1);
}

#[test]
fn all_faults_are_told_at_once_with_their_places() {
    let text = "mail:\n  smarthots: x\n  timeout: soon\n  tls: ssl\n  to: [a, [b]]\nroute:\n  routes:\n    - recever: x\nnothing_like_it: 1\n";
    let file = "/etc/belfry/belfry.yml";
    assert_eq!(
        faults(text, &[]),
        [
            format!("{file}:2:3: mail: unknown key \"smarthots\"; did you mean \"smarthost\"?"),
            format!(
                "{file}:3:12: mail.timeout: \"soon\" is not a duration; write 15s, 5m or 1h30m, up to 100y"
            ),
            format!("{file}:4:8: mail.tls: \"ssl\" is none of starttls, none"),
            format!("{file}:5:11: mail.to[1]: a text is wanted here, found a list"),
            format!(
                "{file}:8:7: route.routes[0]: unknown key \"recever\"; did you mean \"receiver\"?"
            ),
            format!("{file}:9:1: unknown key \"nothing_like_it\"; known here: mail, route"),
        ]
    );
}

#[test]
fn a_fault_is_shown_under_its_line_unless_the_line_may_hold_a_secret() {
    let text = "mail:\n  timeout: soon\n  password: [hunter2]\n";
    let faults = read(text, &[]).unwrap_err();
    assert!(
        faults[0]
            .show(text)
            .ends_with("2 |   timeout: soon\n  |            ^"),
        "{}",
        faults[0].show(text)
    );
    assert!(!faults[1].show(text).contains("hunter2"));
}

#[test]
fn the_environment_fills_variables_and_overrides_keys() {
    let text = "mail:\n  smarthost: ${HOST}:${PORT:-587}\n  password: a$${b\n  timeout: 1s\n";
    let config = read(
        text,
        &[
            ("HOST", "mx"),
            ("BELFRY_MAIL_TIMEOUT", "2s"),
            ("BELFRY_MAIL_TO", "a@x, b@x"),
        ],
    )
    .unwrap();
    assert_eq!(config.mail.smarthost, "mx:587");
    assert_eq!(config.mail.password.expose(), "a${b");
    assert_eq!(config.mail.timeout, Duration::from_secs(2));
    assert_eq!(config.mail.to, ["a@x", "b@x"]);
    let config = read("", &[("BELFRY_MAIL_TIMEOUT", "3s")]).unwrap();
    assert_eq!(config.mail.timeout, Duration::from_secs(3));
    assert_eq!(
        faults(text, &[("BELFRY_MAIL_TIMEOUT", "x")]),
        [
            "/etc/belfry/belfry.yml:2:14: mail.smarthost: the environment has no HOST",
            "environment variable BELFRY_MAIL_TIMEOUT: mail.timeout: \"x\" is not a duration; write 15s, 5m or 1h30m, up to 100y",
        ]
    );
}

#[test]
fn groups_of_regular_expressions_are_no_variables() {
    assert_eq!(
        read("mail:\n  smarthost: a${1}b\n", &[])
            .unwrap()
            .mail
            .smarthost,
        "a${1}b"
    );
    assert_eq!(faults("mail:\n  smarthost: a${b\n", &[]).len(), 1);
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_printed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2\n").unwrap();
    let text = format!("mail:\n  password_file: {}\n", file.path().display());
    let config = read(&text, &[]).unwrap();
    assert_eq!(config.mail.password.expose(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
    let both = format!("{text}  password: x\n");
    assert!(
        faults(&both, &[])[0]
            .ends_with("mail.password: at most one of password and password_file can be set")
    );
    let text = "mail:\n  password_file: missing\n";
    assert!(
        faults(text, &[])[0]
            .contains("mail.password_file: cannot read the file it names: No such file")
    );
}

#[tokio::test]
async fn a_secret_in_a_file_that_is_read_later_needs_no_such_file_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let file = path("belfry.yml");
    let secret = |text: &str| {
        let root = settings::parse("belfry.yml", &format!("mail: {{{text}}}")).unwrap();
        let (File { mail, .. }, faults) = settings::read_tree(&file, root).end();
        assert_eq!(faults, []);
        mail.password
    };
    let (a, b) = (secret("password_file: a"), secret("password_file: b"));
    assert!(!a.is_empty() && a.read().await.is_err());
    for name in ["a", "b"] {
        std::fs::write(path(name), "hunter2\n").unwrap();
    }
    assert_eq!(a.read().await.unwrap(), "hunter2");
    assert_eq!(settings::Value::word(&a).unwrap(), "<secret>");
    assert_eq!(a, secret("password_file: a"));
    // Of the same text, until one of them changes.
    assert_ne!(a, b);
    assert!(secret("password_file: ''").is_empty());
}

#[test]
fn a_secret_differs_from_the_same_text_in_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, "hunter2\n").unwrap();
        let text = format!("mail: {{password_file: {path:?}}}");
        read(&text, &[]).unwrap().mail.password
    };
    assert_eq!(secret("a"), secret("a"));
    assert_ne!(secret("a"), secret("b"));
}

#[test]
fn paths_are_taken_from_the_folder_of_the_file() {
    assert_eq!(
        read("mail: {ca_file: ca.pem}", &[]).unwrap().mail.ca_file,
        PathBuf::from("/etc/belfry/ca.pem")
    );
    assert_eq!(
        read("", &[("BELFRY_MAIL_CA_FILE", "ca.pem")])
            .unwrap()
            .mail
            .ca_file,
        PathBuf::from("ca.pem")
    );
}

#[test]
fn keywords_and_recursion_are_possible() {
    let config = read(
        "route: {routes: [{match: {a: b}, routes: [{receiver: x}]}]}",
        &[],
    )
    .unwrap();
    let route = &config.route.unwrap().routes[0];
    assert_eq!(route.r#match["a"], "b");
    assert_eq!(route.routes[0].receiver, "x");
}

#[test]
fn the_reference_lists_every_key_once() {
    let keys = settings::keys::<File>();
    let find = |path: &str| {
        keys.iter()
            .find(|key| key.path == path)
            .unwrap_or_else(|| panic!("{path}"))
    };
    assert_eq!(find("mail.timeout").default, "10s");
    assert_eq!(find("mail.timeout").environment, "BELFRY_MAIL_TIMEOUT");
    assert_eq!(find("mail.timeout").meaning, "Longest wait.");
    assert_eq!(find("mail.tls").kind, "starttls | none");
    assert_eq!(
        find("mail.password_file").environment,
        "BELFRY_MAIL_PASSWORD_FILE"
    );
    assert!(find("mail").section);
    assert_eq!(find("route.receiver").environment, "");
    assert_eq!(find("route.routes").kind, "list of section");
    assert_eq!(find("route.match").kind, "mapping of names to text");
}

#[test]
fn a_part_can_place_its_own_faults() {
    let text = "mail:\n  to: [a, b]\n";
    let at =
        |key: &str| settings::place("f.yml".as_ref(), text, key, "is wrong".into()).to_string();
    assert_eq!(at("mail.to[1]"), "f.yml:2:11: mail.to[1]: is wrong");
    assert_eq!(at("mail.from"), "f.yml:2:3: mail.from: is wrong");
    assert_eq!(at("other"), "f.yml:1:1: other: is wrong");
}
