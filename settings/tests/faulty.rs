//! Files with much wrong in them: what is told, what is left out, what is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use settings::{Fault, Reading, Secret};

settings::choice! {
    /// How.
    pub enum Way {
        /// One.
        One = "one",
        /// Two.
        Two = "two",
    }
}

settings::section! {
    /// A part.
    pub struct Mail {
        /// Proof.
        pub password: Secret = Secret::default(),
        /// A wait.
        pub auth_pass_timeout: Duration = Duration::ZERO,
        /// A size.
        pub api_key: settings::Size = settings::Size(0),
        /// A sender.
        pub from: String = String::new(),
        /// Recipients.
        pub to: Vec<String> = vec![],
    }
}

settings::section! {
    /// The whole file.
    pub struct File {
        /// A part.
        pub mail: Mail = Mail::default(),
        /// A wait.
        pub interval: Duration = Duration::from_secs(15),
        /// Yes or no.
        pub on: bool = false,
        /// A number.
        pub count: u16 = 0,
        /// A way.
        pub way: Way = Way::One,
        /// Names.
        pub labels: BTreeMap<String, String> = BTreeMap::new(),
    }
}

const ENVIRONMENT: [(&str, &str); 2] = [
    ("SECRETX", "hunter2-of-the-environment"),
    ("BELFRY_MAIL_API_KEY", "hunter2"),
];

fn read_all(text: &str) -> Reading<File> {
    settings::read_all("f.yml".as_ref(), text, &|name| {
        let found = ENVIRONMENT.iter().find(|(have, _)| *have == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn told(reading: Reading<File>) -> Vec<String> {
    let (_, faults) = reading.end();
    faults.iter().map(Fault::to_string).collect()
}

#[test]
fn no_message_holds_the_value_of_a_secret() {
    for text in [
        "mail:\n  pasword: hunter2\n",
        "mail: {pasword: hunter2, to: 5}\n",
        "mail:\n  password:\n    \"hunter2${\"\n",
        "mail:\n  password: |\n    hunter2${NONE}\n",
        "mail:\n  password: \"ab${hunter2}\"\n",
        "mail:\n  password: [hunter2]\n",
        "mail:\n  password: {hunter2: x}\n",
        "mail:\n  password_file: hunter2\n",
        "mail:\n  password: @hunter2\n",
        "mail:\n  password: \"hunter2\n",
        "mail:\n  password: hunter2: x\n",
        "mail:\n  auth_pass_timeout: hunter2\n",
        "mail:\n  auth_pass: hunter2\n",
        "interval: ${SECRETX}\n",
        "on: ${SECRETX}\n",
        "count: ${SECRETX}\n",
        "way: ${SECRETX}\n",
        "interval: a${SECRETX}b\n",
        "labels: {a: [hunter2]}\n",
    ] {
        let (_, faults) = read_all(text).end();
        // The key that the environment gives is at fault each time.
        assert!(faults.len() >= 2, "{text}");
        for fault in faults {
            let all = format!("{fault}\n{}", fault.explain(text));
            assert!(!all.contains("hunter2"), "{all}");
        }
    }
}

#[test]
fn what_the_environment_filled_in_is_told_as_the_file_says_it() {
    let text = "interval: a${SECRETX}b\nway: $${x}\n";
    let told = told(read_all(text));
    assert!(told[0].starts_with("f.yml:1:11: interval: \"a${SECRETX}b\" is not a duration"));
    assert!(
        told[1].starts_with("f.yml:2:6: way: \"$${x}\" is none of"),
        "{told:?}"
    );
    assert_eq!(
        told[2],
        "environment variable BELFRY_MAIL_API_KEY: mail.api_key: the value is not a size; write 64MiB, 1GB or a number of bytes"
    );
}

#[test]
fn a_line_is_shown_only_for_its_own_key_and_a_plain_value() {
    let shown = |text: &str| {
        let (_, faults) = read_all(text).end();
        faults[0].explain(text).contains(" | ")
    };
    assert!(shown("interval: soon # why\n"));
    assert!(shown("mail:\n  to:  soon\n"));
    for text in [
        "{interval: soon, pasword: hunter2}\n",
        "mail: {\n  to: soon, pasword: hunter2}\n",
        "mail:\n  auth_pass_timeout: hunter2\n",
        "mail:\n  pasword: hunter2\n",
        "interval:\n  hunter2\n",
        "mail: [{pasword: hunter2}]\n",
    ] {
        assert!(!shown(text), "{text}");
    }
    let text = "interval: soon # hunter2\n";
    let explained = read_all(text).end().1[0].explain(text);
    assert!(
        explained.ends_with("\n1 | interval: soon\n  |           ^"),
        "{explained}"
    );
}

#[test]
fn contradictions_are_told_beside_the_faults_that_do_not_explain_them() {
    let text =
        "mail:\n  form: a\n  to: [x, [y], z]\n  password: ${SECRETX}\ninterval: soon\ncount: 7\n";
    let mut reading = read_all(text);
    assert_eq!(reading.value.count, 7);
    assert!(reading.is_broken("interval") && !reading.is_broken("count"));
    for key in [
        "interval",       // could not be read
        "mail.to[1]",     // an entry before it may have been left out
        "mail.from",      // is missing, and a key of its section is misspelt
        "mail.password",  // stands
        "mail.api_key.x", // is below one that could not be read
        "count",
        "count",  // once is enough
        "labels", // is missing, and no key of its section is misspelt
    ] {
        reading.contradict(key, "contradicts \"hunter2-of-the-environment\"");
    }
    let told: Vec<_> = told(reading)
        .into_iter()
        .filter(|fault| fault.contains("contradicts"))
        .collect();
    assert_eq!(
        told,
        [
            "f.yml:1:1: labels: contradicts \"<secret>\"",
            "f.yml:4:13: mail.password: contradicts \"<secret>\"",
            "f.yml:6:8: count: contradicts \"<secret>\"",
        ]
    );

    let mut broken = read_all("a: [\n");
    broken.contradict("count", "contradicts");
    assert_eq!(
        told_count(broken),
        2,
        "nothing is known of a file that is no YAML"
    );
    let mut named = read_all("");
    named.contradict("mail.api_key", "contradicts");
    named.contradict("count", "contradicts");
    assert_eq!(
        told_count(named),
        2,
        "one for the variable, one for the count"
    );
}

fn told_count(reading: Reading<File>) -> usize {
    told(reading).len()
}

#[test]
fn a_hundred_faults_are_told_and_that_there_are_more() {
    let text: String = (0..60_000)
        .map(|at| format!("intervall{at}: 1s\n"))
        .collect();
    assert!(text.len() > 1_000_000);
    let (_, faults) = read_all(&text).end();
    assert_eq!(faults.len(), 101);
    assert_eq!(faults[100].message, "there are more faults than these 100");
    assert!(faults[0].message.contains("did you mean \"interval\"?"));
}

#[test]
fn large_files_of_any_shape_are_read_to_the_end() {
    let long = "x".repeat(1 << 20);
    let numbered = |from: &str, to: &str| (0..50_000).map(|at| format!("{from}{at}{to}")).collect();
    let keys: String = numbered("k", ": 1, ");
    let lines: String = numbered("  k", ": 1\n");
    let anchors: String = numbered("- &a", " x\n");
    let aliases = "- *a0\n".repeat(50_000);
    for (text, expected) in [
        (format!("labels: {{{keys}}}\n"), ""),
        (format!("labels:\n{lines}"), ""),
        (format!("mail:\n to:\n{lines}"), "a list is wanted here"),
        (format!("interval: {long}\n"), "is not a duration"),
        (format!("? {long}\n: 1\n"), "xx…\"; known here: "),
        (
            format!("interval: {}\n", "${".repeat(1 << 19)),
            "without its closing brace",
        ),
        (
            format!("{anchors}{aliases}"),
            "a mapping of keys is wanted here",
        ),
        (
            format!("interval: {}\n", "[".repeat(1 << 20)),
            "recursion limit",
        ),
    ] {
        let reading: Reading<File> = settings::read_all("f.yml".as_ref(), &text, &|_| None);
        let (_, faults) = reading.end();
        assert_eq!(faults.is_empty(), expected.is_empty(), "{:.60}", text);
        for fault in &faults {
            assert!(fault.message.len() < 300, "{}", fault.message.len());
        }
        let told = faults.first().map_or("", |fault| &fault.message);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_secret_file_is_a_regular_file_of_some_size() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("word");
    std::fs::write(&file, vec![b'a'; (64 << 10) + 1]).unwrap();
    for (path, expected) in [
        (file.display().to_string(), "it is larger than 64KiB"),
        ("/dev/zero".to_owned(), "it is a device, not a regular file"),
    ] {
        let reading = read_all(&format!("mail: {{password_file: {path:?}}}"));
        assert!(told(reading)[0].ends_with(expected));
    }
}
