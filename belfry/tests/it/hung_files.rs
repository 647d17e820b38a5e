//! Files of targets, of Alertmanagers and of receivers on a disk that does not answer any
//! more, beside others that must not notice.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::support::alone::{Alertmanager, Alone, Page, free_address};
use crate::support::fault::HungMount;
use crate::support::scratch::Scratch;
use crate::support::{alertmanager, http, poll};

const UNREAD: &str = "cannot read the file of the credentials: its disk does not answer";

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
            .filter(|target| target["lastError"] == UNREAD);
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
fn credentials_that_cannot_be_read_at_the_start_cost_nobody_but_their_own_job() {
    let page = Page::serve("good 1\n");
    let scratch = Scratch::new();
    let token = scratch.file("token", "t0k\n");
    let address = &page.address;
    let config = |absent: &str| {
        format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
             - {{job_name: good, static_configs: [{{targets: ['{address}']}}]}}\n\
             - {{job_name: hung, authorization: {{credentials_file: token}}, static_configs: [{{targets: ['{address}']}}]}}\n\
             - {{job_name: absent, basic_auth: {{username: u, password_file: {absent}}}, static_configs: [{{targets: ['{address}']}}]}}\n"
        )
    };
    let mount = HungMount::new();
    hang(&token, &mount);
    let ours = Alone::start(scratch, &config("absent"), &["--web.enable-lifecycle"]);
    let up = |job: &str, up: u8| {
        let expr = format!("up{{job=\"{job}\"}} == {up}");
        poll::holds("the target should be scraped", || {
            ours.value(&expr).is_some()
        });
    };
    up("good", 1);
    up("hung", 0);
    up("absent", 0);
    let targets = ours.data("/api/v1/targets?scrapePool=absent").to_string();
    let told = "cannot read the file of the credentials: No such file or directory";
    assert!(targets.contains(told), "{targets}");
    // The disk answers, and the other file is made.
    fs::remove_file(&token).expect("the link");
    fs::write(&token, "t0k\n").expect("the file");
    drop(mount);
    let absent = ours.scratch.file("absent", "pa55\n");
    up("hung", 1);
    up("absent", 1);
    // Another file of the same text, and the first one goes.
    ours.scratch.file("other", "pa55\n");
    ours.scratch.file("prometheus.yml", &config("other"));
    assert_eq!(ours.post("/-/reload").status, 200);
    fs::remove_file(absent).expect("the file");
    good_goes_on(&ours);
    up("absent", 1);
    let printed = ours.data("/api/v1/status/config").to_string();
    assert!(!printed.contains("pa55"), "{printed}");
    assert!(printed.contains("password: <secret>"), "{printed}");
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

/// Takes every message that is posted: its address, and how many it took.
fn hook() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            thread::spawn(move || take(&stream).map(|()| count.fetch_add(1, Ordering::SeqCst)));
        }
    });
    (address, taken)
}

/// Reads one message and answers it.
fn take(mut stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(answer).ok()
}

#[test]
fn secrets_of_a_receiver_on_a_disk_that_hangs_cost_one_thread_and_no_other_receiver() {
    // Many times more messages than there are threads for short work.
    const MESSAGES: usize = 60;
    let (good, told) = hook();
    let (locked, late) = hook();
    let config = format!(
        "route: {{receiver: good, group_by: [n], group_wait: 0s, group_interval: 1s, repeat_interval: 1h, \
         routes: [{{receiver: locked, continue: true}}, {{receiver: good}}]}}\nreceivers:\n\
         - {{name: good, webhook_configs: [{{url: 'http://{good}/', http_config: {{authorization: {{credentials_file: good}}}}}}]}}\n\
         - {{name: locked, webhook_configs: [{{url: 'http://{locked}/', http_config: {{authorization: {{credentials_file: locked}}}}}}]}}\n"
    );
    let mount = HungMount::new();
    let mut ours = alertmanager::Alone::with(&config, &[]);
    ours.scratch.file("good", "t0k\n");
    let token = ours.scratch.file("locked", "t0k\n");
    ours.launch();
    ours.wait();
    let (address, pid) = (ours.address(), ours.process().pid());
    hang(&token, &mount);
    let alert = |n: usize| json!({"labels": {"alertname": "Disk", "n": n.to_string()}});
    let put = |from: usize, to: usize| {
        let alerts: Vec<_> = (from..to).map(alert).collect();
        let body = json!(alerts).to_string();
        let answer = http::post(&address, "/api/v2/alerts", &body).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    put(0, MESSAGES);
    let all = |count: &AtomicUsize, wanted: usize| {
        poll::holds("all messages should come", || {
            count.load(Ordering::SeqCst) >= wanted
        });
    };
    all(&told, MESSAGES);
    poll::holds("it should be told why the others fail", || {
        let log = ours.process().log();
        log.contains("cannot read a secret's file: its disk does not answer")
    });
    // Nor does it delay who is told later.
    put(MESSAGES, MESSAGES + 5);
    all(&told, MESSAGES + 5);
    poll::holds("it should cost one thread", || {
        threads(pid, "credentials") == 1
    });
    assert_eq!(late.load(Ordering::SeqCst), 0);
    // The disk answers again.
    fs::remove_file(&token).expect("the link");
    fs::write(&token, "t0k\n").expect("the file");
    drop(mount);
    all(&late, MESSAGES + 5);
}
