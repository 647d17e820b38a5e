//! What runs on the host itself: commands, and the sockets of engines that do
//! every wrong thing.

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use healthchecks::probe::Reason;

use crate::support::{dead_port, look};

#[tokio::test]
async fn each_end_of_a_command_has_its_reason() {
    let root = rustix::process::geteuid().is_root();
    let words = |argv: &str, rest: &str| {
        format!("{{prober: command, timeout: 20s, command: {{argv: {argv}{rest}}}}}")
    };
    let shell = |script: &str, rest: &str| words(&format!("[sh, -c, {script:?}]"), rest);
    let short = |module: String| module.replace("timeout: 20s", "timeout: 700ms");
    for (name, module, code, expected) in [
        ("it ends well", words("['true']", ""), Some(0.0), None),
        (
            "it ends badly",
            shell("exit 3", ""),
            Some(3.0),
            Some(Reason::ExitCode),
        ),
        (
            "another code is good",
            shell("exit 3", ", exit_codes: [0, 3]"),
            Some(3.0),
            None,
        ),
        (
            "a signal ends it",
            shell("kill -9 $$", ""),
            Some(137.0),
            Some(Reason::ExitCode),
        ),
        (
            "it says what it must",
            shell("echo all fine", ", expect: fine"),
            Some(0.0),
            None,
        ),
        (
            "it says otherwise",
            shell("echo degraded", ", expect: fine"),
            Some(0.0),
            Some(Reason::Body),
        ),
        (
            "it hangs",
            short(words("[sleep, '600']", "")),
            None,
            Some(Reason::Timeout),
        ),
        (
            "what it started hangs on its output, out of its group",
            short(shell("x=$(setsid sh -c 'sleep 5 1>&2 &')", "")),
            None,
            Some(Reason::Timeout),
        ),
        (
            "it cannot be hurried",
            short(shell("trap '' TERM INT HUP; while :; do sleep 1; done", "")),
            None,
            Some(Reason::Timeout),
        ),
        (
            "it shouts without end",
            short(words("['yes']", "")),
            None,
            Some(Reason::Timeout),
        ),
        (
            "it says very much, and ends well",
            shell(
                "head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2",
                "",
            ),
            Some(0.0),
            None,
        ),
        (
            "no such program",
            words("[no-such-program]", ""),
            None,
            Some(Reason::Missing),
        ),
        (
            "no program",
            words("[/etc]", ""),
            None,
            Some(Reason::NotPermitted),
        ),
        (
            "no such user",
            words("['true']", ", user: no-such-user"),
            None,
            Some(Reason::NotPermitted),
        ),
        (
            "no shell reads it",
            words("[test, '$(id)', '=', '\\$(id)']", "").replace("\\$", "$"),
            Some(0.0),
            None,
        ),
        (
            "it knows nothing of our environment",
            shell(
                "env | grep -v -E '^(PATH|LANG|LC_ALL|TZ|PWD|SHLVL|_)='",
                ", exit_codes: [1]",
            ),
            Some(1.0),
            None,
        ),
        (
            "it has no input",
            shell("read line", ", exit_codes: [1]"),
            Some(1.0),
            None,
        ),
        (
            "nobody where we are root, who can write nowhere",
            shell(
                "id -u; touch /etc/belfry-was-here",
                ", exit_codes: [1], expect: '^65534'",
            ),
            Some(1.0),
            (!root).then_some(Reason::Body),
        ),
        (
            "root only by name",
            shell("id -u", ", user: root, expect: '^0'"),
            root.then_some(0.0),
            (!root).then_some(Reason::NotPermitted),
        ),
        (
            "another user, without our groups",
            shell(
                "id -un; id -G",
                ", user: nobody, expect: '^nobody\\n65534\\n$'",
            )
            .replace("\\n", "\\\\n"),
            root.then_some(0.0),
            (!root).then_some(Reason::NotPermitted),
        ),
    ] {
        let module = module.replace("\\\\n", "\\n");
        let outcome = look("a name", &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
        let told = outcome.samples.get("belfry_probe_command_exit_code", &[]);
        assert_eq!(told, code, "{name}");
    }
}

#[tokio::test]
async fn all_that_a_command_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever runs it writes there.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let file = folder.path().join("pid");
    for (script, timeout, expected) in [
        (
            "sleep 600 & echo $! >FILE; sleep 600",
            "10s",
            Some(Reason::Timeout),
        ),
        // It leaves another behind that holds nothing of ours.
        ("sleep 600 >/dev/null 2>&1 & echo $! >FILE", "20s", None),
    ] {
        let script = script.replace("FILE", &file.display().to_string());
        let module = format!(
            "{{prober: command, timeout: {timeout}, command: {{argv: [sh, -c, {script:?}], may_write: [{:?}]}}}}",
            folder.path()
        );
        let outcome = look("x", &module).await;
        assert_eq!(outcome.failure.map(|failure| failure.reason), expected);
        let pid = std::fs::read_to_string(&file).unwrap();
        let gone = || {
            let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            status.is_err() || status.is_ok_and(|text| text.contains(") Z "))
        };
        let began = std::time::Instant::now();
        while !gone() {
            assert!(began.elapsed() < Duration::from_secs(120), "{script}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_command_writes_nowhere_but_where_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["open", "shut"] {
        std::fs::create_dir(at(name)).unwrap();
        std::fs::write(at(name).join("there"), "kept").unwrap();
        for path in [at(name), at(name).join("there")] {
            std::fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        }
    }
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::write(at("one"), "").unwrap();
    std::fs::set_permissions(at("one"), Permissions::from_mode(0o666)).unwrap();
    let confined = f64::from(u8::from(has_landlock()));
    let mut users = vec![""];
    if rustix::process::geteuid().is_root() {
        users.push("root");
    }
    let (open, shut, one) = (at("open"), at("shut"), at("one"));
    let (open, shut, one) = (open.display(), shut.display(), one.display());
    for user in users {
        let run = async |script: &str| {
            let module = format!(
                "{{prober: command, timeout: 60s, command: {{argv: [sh, -c, {script:?}], user: '{user}', may_write: ['{open}', '{one}', /no-such]}}}}"
            );
            look("x", &module).await
        };
        let mut scripts = vec![
            format!("echo x >{shut}/new"),
            format!("echo x >>{shut}/there"),
            format!("rm {shut}/there"),
            format!("mkdir {shut}/folder"),
            format!("ln -s /etc {shut}/link"),
            format!("mv {shut}/there {shut}/elsewhere"),
            format!("mv {shut}/there {open}/elsewhere"),
            format!("truncate -s 0 {shut}/there"),
        ];
        if !has_landlock() {
            scripts.clear();
        } else if kernel() >= (6, 12) {
            // Older kernels keep nobody from that.
            scripts.push(format!("kill -0 {}", std::process::id()));
        }
        for script in scripts {
            let outcome = run(&script).await;
            assert!(outcome.failure.is_some(), "{user:?} {script}");
        }
        let there = std::fs::read_to_string(at("shut").join("there")).unwrap();
        assert_eq!(there, "kept");
        let outcome = run(&format!(
            "set -e; cat {shut}/there >{open}/new; mv {open}/new {open}/other; rm {open}/other; echo x >{one}; echo x >/dev/null; grep -q 'NoNewPrivs:.1' /proc/self/status"
        ))
        .await;
        assert!(outcome.failure.is_none(), "{user:?} {:?}", outcome.failure);
        let told = outcome.samples.get("belfry_probe_command_confined", &[]);
        assert_eq!(told, Some(confined));
    }
    // Who may write everywhere is not confined at all.
    let module = format!(
        "{{prober: command, timeout: 60s, command: {{argv: [sh, -c, 'set -e; echo x >{shut}/by-it; grep -q NoNewPrivs:.0 /proc/self/status'], may_write: [/]}}}}"
    );
    let outcome = look("x", &module).await;
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    let told = outcome.samples.get("belfry_probe_command_confined", &[]);
    assert_eq!(told, Some(0.0));
    // We ourselves write as before.
    std::fs::write(at("shut").join("new"), "x").unwrap();
}

/// Whether the kernel says which version of it it has.
#[expect(unsafe_code, reason = "no safe crate of ours wraps Landlock")]
fn has_landlock() -> bool {
    // SAFETY: without a structure the kernel reads and writes nothing of ours.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0_usize,
            1_u32,
        )
    };
    version > 0
}

/// The two first numbers of the kernel's version.
fn kernel() -> (u32, u32) {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map_while(|it| it.parse().ok());
    let mut next = || numbers.next().expect("a number");
    (next(), next())
}

/// An engine of the test's own: what it says to each request, by its path; with
/// nothing to say it is silent.
fn engine(socket: &Path, says: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) {
    let listener = UnixListener::bind(socket).unwrap();
    let says = std::sync::Arc::new(says);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let says = std::sync::Arc::clone(&says);
            std::thread::spawn(move || treat(stream, &*says));
        }
    });
}

fn treat(mut stream: UnixStream, says: &dyn Fn(&str) -> Option<Vec<u8>>) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        let request = String::from_utf8_lossy(&piece[..length]).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default();
        if let Some(answer) = says(path)
            && stream.write_all(&answer).is_err()
        {
            return;
        }
    }
}

fn answer(body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
}

/// What an engine that works says.
fn well(path: &str) -> Option<Vec<u8>> {
    match path {
        "/_ping" => answer("OK"),
        "/version" => answer(r#"{"Version": "29.0.1", "ApiVersion": "1.52"}"#),
        _ => answer(r#"[{"Id": "a"}, {"Id": "b"}]"#),
    }
}

#[tokio::test]
async fn each_fault_of_an_engine_has_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    engine(&at("good"), well);
    engine(&at("silent"), |_| None);
    engine(&at("no-list"), |path| {
        (!path.contains("json")).then(|| well(path))?
    });
    engine(&at("strange"), |_| answer("hello"));
    engine(&at("garbage"), |_| Some(b"SSH-2.0-x\r\n\r\n".to_vec()));
    engine(&at("broken"), |path| match path {
        "/_ping" => well(path),
        _ => answer("{"),
    });
    engine(&at("failing"), |_| {
        Some(b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    engine(&at("endless"), |path| match path {
        "/containers/json" => {
            Some([b"HTTP/1.1 200 OK\r\n\r\n[".to_vec(), vec![b' '; 20 << 20]].concat())
        }
        path => well(path),
    });
    drop(UnixListener::bind(at("dead")).unwrap());
    for (name, rest, expected) in [
        ("good", "", None),
        ("silent", "", Some(Reason::Timeout)),
        ("no-list", "", Some(Reason::Timeout)),
        ("no-list", ", docker: {list: false}", None),
        ("strange", "", Some(Reason::Protocol)),
        ("garbage", "", Some(Reason::Protocol)),
        ("broken", "", Some(Reason::Protocol)),
        ("failing", "", Some(Reason::Status)),
        ("endless", "", Some(Reason::BodyTooLarge)),
        ("dead", "", Some(Reason::Refused)),
        ("absent", "", Some(Reason::Missing)),
    ] {
        let timeout = if expected == Some(Reason::Timeout) {
            "500ms"
        } else {
            "20s"
        };
        let module = format!("{{prober: docker, timeout: {timeout}{rest}}}");
        let target = format!("unix://{}", at(name).display());
        let outcome = look(&target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
        let ready = outcome.samples.get("belfry_probe_docker_ready", &[]);
        assert_eq!(
            ready,
            Some(f64::from(u8::from(expected.is_none()))),
            "{name}"
        );
    }
    let path = at("good").display().to_string();
    let outcome = look(&path, "{prober: docker}").await;
    let value = |name: &str| outcome.samples.get(name, &[]);
    assert_eq!(value("belfry_probe_docker_containers"), Some(2.0));
    let page = outcome.page();
    let line = "belfry_probe_docker_info{api_version=\"1.52\",version=\"29.0.1\"} 1";
    assert!(page.contains(line), "{page}");
    let outcome = look(
        &format!("tcp://127.0.0.1:{}", dead_port()),
        "{prober: docker}",
    )
    .await;
    assert_eq!(outcome.failure.unwrap().reason, Reason::Refused);
}
