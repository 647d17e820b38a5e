//! Files of targets and of Alertmanagers on a disk that does not answer any more, beside
//! others that must not notice.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::alone::{Alertmanager, Alone, Page, free_address};
use crate::support::fault::HungMount;
use crate::support::poll;
use crate::support::scratch::Scratch;

/// The disk of a file hangs from now on.
fn hang(file: &Path, mount: &HungMount) {
    let link = file.with_extension("link");
    symlink(mount.path().join("file"), &link).expect("a link");
    fs::rename(link, file).expect("a link in the file's place");
}

/// How many threads of the process have this name.
fn threads(pid: u32, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .filter(|comm| comm.trim() == name)
        .count()
}

/// The good target is scraped five times more.
fn good_goes_on(ours: &Alone) {
    let count = || -> usize {
        let samples = ours.data("/api/v1/query?query=good%5B1h%5D");
        let samples = samples["result"][0]["values"].as_array();
        samples.map_or(0, Vec::len)
    };
    let before = count();
    poll::holds("the good target should be scraped", || count() > before + 4);
}

#[test]
fn credentials_on_a_disk_that_hangs_cost_one_thread_and_no_other_target() {
    let page = Page::serve("good 1\n");
    let scratch = Scratch::new();
    let token = scratch.file("token", "t0k\n");
    let address = &page.address;
    let mut config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
         - {{job_name: good, static_configs: [{{targets: ['{address}']}}]}}\n\
         - job_name: locked\n  authorization: {{credentials_file: token}}\n  static_configs:\n"
    );
    for number in 0..20 {
        config.push_str(&format!(
            "  - {{targets: ['{address}'], labels: {{n: '{number}'}}}}\n"
        ));
    }
    let mount = HungMount::new();
    let ours = Alone::start(scratch, &config, &[]);
    let locked = |up: u8| {
        let expr = format!("count(up{{job=\"locked\"}} == {up})");
        poll::holds("the state of all of them should be seen", || {
            ours.value(&expr).as_deref() == Some("20")
        });
    };
    locked(1);
    hang(&token, &mount);
    locked(0);
    // Many times more scrapes than there are threads for short work.
    for _ in 0..2 {
        good_goes_on(&ours);
    }
    poll::holds("it should be told which file does not answer", || {
        let targets = ours.data("/api/v1/targets?state=active");
        let targets = targets["activeTargets"].as_array().expect("a list");
        let told = targets
            .iter()
            .filter(|target| target["lastError"] == "the file of the credentials does not answer");
        told.count() == 20
    });
    assert_eq!(threads(ours.pid(), "credentials"), 1);
    // The disk answers again.
    fs::remove_file(&token).expect("the link");
    fs::write(&token, "t0k\n").expect("the file");
    drop(mount);
    locked(1);
}

#[test]
fn lists_and_certificates_on_a_disk_that_hangs_keep_no_other_job_from_new_targets() {
    let page = Page::serve("good 1\n");
    let address = &page.address;
    let scratch = Scratch::new();
    let list = |number: u8| format!("[{{targets: ['{address}'], labels: {{n: '{number}'}}}}]\n");
    let listed = scratch.file("listed.yml", &list(1));
    scratch.file("other.yml", &list(1));
    let signers = scratch.file("signers.pem", "none\n");
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
         - {{job_name: good, static_configs: [{{targets: ['{address}']}}]}}\n\
         - {{job_name: listed, file_sd_configs: [{{files: [listed.yml]}}]}}\n\
         - {{job_name: secured, scheme: https, tls_config: {{ca_file: signers.pem}}, static_configs: [{{targets: ['{address}']}}]}}\n\
         - {{job_name: other, file_sd_configs: [{{files: [other.yml]}}]}}\n"
    );
    let mount = HungMount::new();
    let ours = Alone::start(scratch, &config, &[]);
    let up = |job: &str, number: u8, up: u8| {
        let expr = format!("up{{job=\"{job}\",n=\"{number}\"}} == {up}");
        poll::holds("the target should be scraped", || {
            ours.value(&expr).is_some()
        });
    };
    up("listed", 1, 1);
    up("other", 1, 1);
    hang(&listed, &mount);
    hang(&signers, &mount);
    poll::holds("both jobs should be told of", || {
        let log = ours.log();
        ["listed", "secured"]
            .iter()
            .all(|job| log.contains(&format!("job {job}: its files do not answer")))
    });
    ours.scratch.file("other.yml", &list(2));
    up("other", 2, 1);
    good_goes_on(&ours);
    // It is scraped where it was.
    up("listed", 1, 1);
    poll::holds("each should cost one thread", || {
        threads(ours.pid(), "targets") == 2
    });
    // The disk answers again.
    fs::remove_file(&listed).expect("the link");
    fs::write(&listed, list(2)).expect("the file");
    drop(mount);
    up("listed", 2, 1);
}

#[test]
fn alertmanagers_whose_files_hang_keep_no_alert_from_the_others() {
    let (one, two) = (Alertmanager::start(), Alertmanager::start());
    let (nobody, _claim) = free_address();
    let scratch = Scratch::new();
    let rule = "groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]\n";
    scratch.file("rules.yml", rule);
    let list = |address: &str| format!("[{{targets: ['{address}']}}]\n");
    let listed = scratch.file("listed.yml", &list(&nobody));
    let signers = scratch.file("signers.pem", "none\n");
    let token = scratch.file("token", "t0k\n");
    scratch.file("other.yml", "[]\n");
    let config = format!(
        "global: {{evaluation_interval: 1s}}\nrule_files: [rules.yml]\nalerting:\n  alertmanagers:\n  \
         - file_sd_configs: [{{files: [listed.yml]}}]\n  \
         - {{scheme: https, tls_config: {{ca_file: signers.pem}}, static_configs: [{{targets: ['{nobody}']}}]}}\n  \
         - {{authorization: {{credentials_file: token}}, static_configs: [{{targets: ['{0}']}}]}}\n  \
         - static_configs: [{{targets: ['{0}']}}]\n  \
         - file_sd_configs: [{{files: [other.yml]}}]\n",
        one.address
    );
    // From the start.
    let mount = HungMount::new();
    for file in [&listed, &signers] {
        hang(file, &mount);
    }
    let ours = Alone::start(scratch, &config, &["--rules.alert.resend-delay=1s"]);
    poll::holds("it should be told", || !one.alerts().is_empty());
    hang(&token, &mount);
    poll::holds("both that do not answer should be named", || {
        let log = ours.log();
        [0, 1]
            .iter()
            .all(|at| log.contains(&format!("job config-{at}: its files do not answer")))
    });
    ours.scratch.file("other.yml", &list(&two.address));
    poll::holds("one that is listed later should be told too", || {
        !two.alerts().is_empty()
    });
    let active = || {
        let all = ours.data("/api/v1/alertmanagers");
        let all = all["activeAlertmanagers"].as_array().expect("a list");
        let nobody = |url: &&serde_json::Value| url["url"].to_string().contains(&nobody);
        (all.len(), all.iter().filter(nobody).count())
    };
    assert_eq!(active(), (3, 0));
    // The disk answers again.
    for (file, text) in [(&listed, &*list(&nobody)), (&signers, "none\n")] {
        fs::remove_file(file).expect("the link");
        fs::write(file, text).expect("the file");
    }
    drop(mount);
    poll::holds("they should be there", || active() == (5, 2));
}
