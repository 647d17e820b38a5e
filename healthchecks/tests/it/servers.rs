//! Real servers of Debian: Caddy, sshd, exim, PostgreSQL, Redis.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use healthchecks::probe::Reason;

use crate::certificates::Authority;
use crate::support::{Server, find, free_port, look, reason, run};

fn as_user(user: &str, program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new(find("setpriv", "util-linux"));
    command
        .args(["--reuid", user, "--regid", user, "--clear-groups", "--"])
        .arg(program);
    command
}

#[tokio::test]
async fn caddy_speaks_http_2_with_a_certificate_of_its_own_authority() {
    let (plain, secure, admin) = (free_port(), free_port(), free_port());
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let file = folder.path().join("Caddyfile");
    let text = format!(
        "{{\n admin 127.0.0.1:{admin}\n storage file_system {dir}/store\n skip_install_trust\n auto_https disable_redirects\n http_port {plain}\n https_port {secure}\n}}\n\
         http://127.0.0.1:{plain} {{\n redir /moved https://shop.localhost:{secure}/health\n}}\n\
         https://shop.localhost:{secure} {{\n tls internal\n header X-App shop\n respond /health `{{\"status\": \"ok\"}}` 200\n}}\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(find("caddy", "caddy"));
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&file)
        .env("HOME", &dir);
    let _caddy = Server::start(&mut command, folder, secure);
    let root = format!("{dir}/store/pki/authorities/local/root.crt");
    let rules = "fail_if_not_ssl: true, valid_http_versions: [HTTP/2.0], json: [{path: status, equals: ok}], fail_if_header_not_matches: [{header: X-App, regexp: '^shop$'}]";
    let module = format!("{{prober: http, http: {{{rules}, tls_config: {{ca_file: {root:?}}}}}}}");
    let began = std::time::Instant::now();
    let outcome = loop {
        let outcome = look(&format!("http://127.0.0.1:{plain}/moved"), &module).await;
        match &outcome.failure {
            None => break outcome,
            // It listens before it has made the certificate.
            Some(failure) => assert!(
                began.elapsed().as_secs() < 120
                    && matches!(
                        failure.reason,
                        Reason::TlsError | Reason::Internal | Reason::Refused
                    ),
                "{failure}"
            ),
        }
    };
    let value = |name: &str| outcome.samples.get(name, &[]);
    assert_eq!(
        (
            value("probe_http_version"),
            value("probe_http_redirects"),
            value("probe_http_ssl")
        ),
        (Some(2.0), Some(1.0), Some(1.0))
    );
    let untrusted = "{prober: http}";
    assert_eq!(
        reason(
            &format!("https://shop.localhost:{secure}/health"),
            untrusted
        )
        .await,
        Some(Reason::TlsUnknownAuthority)
    );
}

#[tokio::test]
async fn sshd_shows_its_banner() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    run(Command::new(find("ssh-keygen", "openssh-client"))
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key));
    if rustix::process::geteuid().is_root() {
        // It wants this folder, whoever started it.
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    let mut command = Command::new(find("sshd", "openssh-server"));
    command.args(["-D", "-e", "-f", "/dev/null", "-p", &port.to_string()]);
    command
        .args([
            "-o",
            "ListenAddress=127.0.0.1",
            "-o",
            "PidFile=none",
            "-o",
            "UsePAM=no",
            "-h",
        ])
        .arg(&key);
    let _sshd = Server::start(&mut command, folder, port);
    let target = format!("127.0.0.1:{port}");
    let module = "{prober: tcp, tcp: {query_response: [{expect: '^SSH-2.0-([^ ]+)', send: 'SSH-2.0-belfry', labels: [{name: version, value: '${1}'}]}]}}";
    let outcome = look(&target, module).await;
    assert_eq!(outcome.failure, None);
    let page = outcome.page();
    assert!(
        page.contains("probe_expect_info{version=\"OpenSSH_"),
        "{page}"
    );
    let other = "{prober: tcp, timeout: 4s, tcp: {query_response: [{expect: '^220 '}]}}";
    assert_eq!(reason(&target, other).await, Some(Reason::Body));
}

#[tokio::test]
async fn redis_answers_and_tells_a_wrong_password_apart() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(find("redis-server", "redis-server"));
    command
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--requirepass",
            "word",
            "--dir",
        ])
        .arg(folder.path());
    let _redis = Server::start(&mut command, folder, port);
    let target = format!("127.0.0.1:{port}");
    for (module, expected) in [
        ("{prober: redis, server: {password: word}}", None),
        ("{prober: redis}", Some(Reason::Auth)),
        (
            "{prober: redis, server: {password: wrong}}",
            Some(Reason::Auth),
        ),
        ("{prober: postgres}", Some(Reason::Closed)),
    ] {
        let told = reason(&target, module).await;
        // What a server makes of another protocol is its own affair.
        let fits = told == expected || module.contains("postgres") && told.is_some();
        assert!(fits, "{module}: {told:?}");
    }
}

#[tokio::test]
async fn postgres_takes_connections_with_or_without_a_login() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    if rustix::process::geteuid().is_root() {
        run(Command::new("chown").arg("postgres").arg(folder.path()));
    }
    run(as_user("postgres", &find("initdb", "postgresql-15"))
        .args([
            "--no-sync",
            "--auth=scram-sha-256",
            "--pwfile=/etc/hostname",
            "-D",
        ])
        .arg(&data));
    let mut command = as_user("postgres", &find("postgres", "postgresql-15"));
    command.arg("-D").arg(&data).args([
        "-p",
        &port.to_string(),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
    ]);
    let postgres = Server::start(&mut command, folder, port);
    let target = format!("127.0.0.1:{port}");
    let began = std::time::Instant::now();
    let outcome = loop {
        let outcome = look(&target, "{prober: postgres}").await;
        // Until it is ready it says so.
        match &outcome.failure {
            None => break outcome,
            Some(failure) => assert_eq!(failure.reason, Reason::NotServing, "{failure}"),
        }
        assert!(began.elapsed().as_secs() < 120);
    };
    assert_eq!(
        outcome.samples.get("belfry_probe_postgres_ready", &[]),
        Some(1.0)
    );
    let tls = "{prober: postgres, server: {tls: true}}";
    assert_eq!(
        reason(&format!("127.0.0.1:{port}"), tls).await,
        Some(Reason::SslExpected)
    );
    // From now on it speaks TLS.
    let papers = postgres.folder.path().join("papers");
    std::fs::create_dir(&papers).unwrap();
    let authority = Authority::make(&papers);
    let (chain, key) = (authority.chain("good"), authority.key("good"));
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    if rustix::process::geteuid().is_root() {
        run(Command::new("chown").args(["-R", "postgres"]).arg(&papers));
    }
    let settings = format!(
        "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n",
        chain.display(),
        key.display()
    );
    std::fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
    postgres.reload();
    let trusting = format!(
        "{{prober: postgres, server: {{tls: true, tls_config: {{ca_file: {:?}, server_name: shop.test}}}}}}",
        authority.root()
    );
    let began = std::time::Instant::now();
    while let Some(told) = reason(&target, &trusting).await {
        assert_eq!(told, Reason::SslExpected, "{}", postgres.log());
        assert!(began.elapsed().as_secs() < 120, "{}", postgres.log());
    }
    let stranger = "{prober: postgres, server: {tls: true, tls_config: {server_name: shop.test}}}";
    assert_eq!(
        reason(&target, stranger).await,
        Some(Reason::TlsUnknownAuthority)
    );
}

#[tokio::test]
async fn exim_greets_and_its_certificate_is_checked_behind_starttls() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::make(folder.path());
    let dir = folder.path().display().to_string();
    let user = if rustix::process::geteuid().is_root() {
        run(Command::new("chown")
            .args(["-R", "Debian-exim"])
            .arg(folder.path()));
        "exim_user = Debian-exim\nexim_group = Debian-exim\n"
    } else {
        ""
    };
    let text = format!(
        "primary_hostname = shop.test\n{user}spool_directory = {dir}/spool\nlog_file_path = {dir}/log-%slog\npid_file_path = {dir}/pid\n\
         local_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port}\ntls_advertise_hosts = *\ntls_certificate = {}\ntls_privatekey = {}\n\
         keep_environment =\nhost_lookup =\nrfc1413_query_timeout = 0s\n",
        authority.chain("good").display(),
        authority.key("good").display()
    );
    let file = folder.path().join("exim.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(find("exim4", "exim4-daemon-light"));
    let _exim = Server::start(command.arg("-C").arg(&file).arg("-bdf"), folder, port);
    let target = format!("127.0.0.1:{port}");
    let root = authority.root();
    for (name, module, expected) in [
        ("a greeting", "{prober: smtp}".to_owned(), None),
        (
            "with TLS",
            format!(
                "{{prober: smtp, server: {{starttls: true, tls_config: {{ca_file: {root:?}, server_name: shop.test}}}}}}"
            ),
            None,
        ),
        (
            "nobody is trusted",
            "{prober: smtp, server: {starttls: true, tls_config: {server_name: shop.test}}}"
                .to_owned(),
            Some(Reason::TlsUnknownAuthority),
        ),
        (
            "in the words of blackbox_exporter",
            format!(
                "{{prober: tcp, tcp: {{tls_config: {{ca_file: {root:?}, server_name: shop.test}}, query_response: [{{expect: '^220 '}}, {{send: \"EHLO x\\r\"}}, \
                 {{expect: '^250[- ]STARTTLS'}}, {{send: \"STARTTLS\\r\"}}, {{expect: '^220'}}, {{starttls: true}}, {{send: \"EHLO x\\r\"}}, {{expect: '^250-'}}, {{send: \"QUIT\\r\"}}]}}}}"
            ),
            None,
        ),
    ] {
        let outcome = look(&target, &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {:?}", outcome.failure);
    }
    let outcome = look(&target, "{prober: smtp}").await;
    assert_eq!(
        outcome.samples.get("belfry_probe_smtp_starttls", &[]),
        Some(1.0)
    );
}
