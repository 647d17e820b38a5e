//! What nginx serves beside what lies on the disk: renewed, and not reloaded.

use healthchecks::probe::Reason;

use crate::certificates;
use crate::support::look;

#[tokio::test]
async fn a_certificate_that_was_renewed_and_is_not_served_is_told() {
    let (server, authority, ports) = certificates::serve();
    let port = |name: &str| ports.iter().find(|(have, _)| *have == name).unwrap().1;
    let root = authority.root();
    let module = |disk: &str| {
        format!(
            "{{prober: http, http: {{tls_config: {{ca_file: {root:?}, server_name: shop.test, certificate_on_disk: {disk:?}}}}}}}"
        )
    };
    let chain = |name: &str| authority.chain(name).display().to_string();
    let target = |name: &str| format!("https://127.0.0.1:{}/", port(name));
    let compared = async |name: &str, disk: &str| {
        let outcome = look(&target(name), &module(disk)).await;
        let value = |name: &str| outcome.samples.get(name, &[]);
        let told = (
            value("belfry_probe_ssl_disk_found"),
            value("belfry_probe_ssl_disk_same"),
            value("belfry_probe_ssl_not_reloaded"),
        );
        (told, outcome.failure.map(|failure| failure.reason))
    };
    let yes = Some(1.0);
    let no = Some(0.0);
    assert_eq!(
        compared("good", &chain("good")).await,
        ((yes, yes, no), None)
    );
    assert_eq!(
        compared("good", "/no/such/file").await,
        ((no, None, None), None)
    );
    assert_eq!(
        compared("good", &root.replace("root.pem", "log")).await,
        ((no, None, None), None)
    );
    // An older one on the disk is no reload that was forgotten.
    assert_eq!(
        compared("good", &chain("expired")).await,
        ((yes, no, no), None)
    );

    // Both are renewed; nginx goes on with what it read at its start.
    authority.renew("good", 90, "shop.test");
    authority.renew("expired", 90, "shop.test");
    let renewed = (yes, no, yes);
    assert_eq!(compared("good", &chain("good")).await, (renewed, None));
    let reason = Some(Reason::TlsNotReloaded);
    assert_eq!(
        compared("expired", &chain("expired")).await,
        (renewed, reason)
    );
    // Of a whole folder the newest one for the name counts.
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("certificates/acme/shop.test");
    std::fs::create_dir_all(&deep).unwrap();
    for (from, to) in [
        ("wrong-name", "other.crt"),
        ("good", "shop.test.crt"),
        ("expired", "b.crt"),
    ] {
        std::fs::copy(authority.chain(from), deep.join(to)).unwrap();
    }
    std::os::unix::fs::symlink(folder.path(), deep.join("round")).unwrap();
    std::fs::write(
        deep.join("broken.crt"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
    )
    .unwrap();
    let whole = folder.path().display().to_string();
    assert_eq!(compared("good", &whole).await, (renewed, None));
    let expiry = look(&target("good"), &module(&whole)).await.samples;
    let expiry = expiry.get("belfry_probe_ssl_disk_expiry_timestamp_seconds", &[]);
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!(expiry > Some(now + 80.0 * 86400.0), "{expiry:?}");

    server.reload();
    let mut told = None;
    let began = std::time::Instant::now();
    while told != Some(((yes, yes, no), None)) {
        assert!(began.elapsed().as_secs() < 120, "{told:?}");
        told = Some(compared("expired", &chain("expired")).await);
    }
}
