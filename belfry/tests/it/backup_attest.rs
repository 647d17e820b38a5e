//! `belfry backup attest`: a key that lies elsewhere is shown to open what is made here.

use std::fs;

use ::backup::age::Identity;

use crate::backup_files::command;
use crate::support::belfry::Launch;
use crate::support::poll;
use crate::support::scratch::Scratch;

const METRIC: &str = "belfry_backup_key_attested_timestamp_seconds";

#[test]
fn a_key_that_lies_elsewhere_is_attested_once_and_the_one_that_lies_here_never() {
    let scratch = Scratch::new();
    let (here, elsewhere, other) = (
        Identity::generate().unwrap(),
        Identity::generate().unwrap(),
        Identity::generate().unwrap(),
    );
    for (name, key) in [
        ("here", &here),
        ("elsewhere", &elsewhere),
        ("other", &other),
    ] {
        scratch.file(name, &key.expose());
    }
    for folder in ["files", "copies"] {
        fs::create_dir(scratch.path.join(folder)).unwrap();
    }
    let at = |name: &str| scratch.path.join(name).display().to_string();
    let config = format!(
        "backup:\n  recipients: [{}, {}]\n  identity_file: {}\n  targets: [{{name: local, folder: {}, reserve: 1MiB}}]\n  \
         jobs: [{{name: files, directory: {}}}]\n",
        here.recipient(),
        elsewhere.recipient(),
        at("here"),
        at("copies"),
        at("files"),
    );
    scratch.file("belfry.yml", &format!("data: data\n{config}"));
    let attest = |key: &str| {
        let done = command(&scratch.path, &["backup", "attest", "--identity", key]);
        let done = { done }.output().unwrap();
        let told = [done.stdout, done.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(!told.contains("AGE-SECRET-KEY"), "{told}");
        (done.status.code(), told)
    };
    let watch = Launch::with(&config).data(&scratch.path.join("data"));
    let mut watch = watch.start();
    poll::holds("no key is attested", || watch.metric(METRIC) == Some(0.0));
    watch.kill();
    for (key, why) in [
        ("here", "that is the key that lies on this host"),
        ("other", "none of these keys opens what is encrypted here"),
        ("nowhere", "nowhere"),
    ] {
        let (code, told) = attest(key);
        assert_eq!(code, Some(2), "{key}: {told}");
        assert!(told.contains(why), "{key}: {told}");
    }
    let (code, told) = attest("elsewhere");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&elsewhere.recipient().to_string()), "{told}");
    watch.restart();
    poll::holds("it is attested since a moment ago", || {
        watch.metric(METRIC) > Some(1e9)
    });
}
