//! Lines of logs: access logs, and those that are kept without their secrets.

/// Reads lines as those of an access log, and masks their text.
///
/// # Panics
/// If what is told of them is no page, or a masked line still has what was masked.
pub fn log(bytes: &[u8]) {
    // Whatever it is, it is told of somehow.
    let _ = exporter::api::is_request(bytes);
    exporter::api::any_lines(bytes);
    exporter::logs::any(bytes);
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let _ = exporter::logs::masked(line);
    }
    // However it begins, what follows a name of a secret is masked.
    let first = text.lines().next().unwrap_or_default();
    let masked = exporter::logs::masked(&format!("{first}\npassword=hunter2"));
    assert!(!masked.contains("password=hunter2"), "{first} {masked}");
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        r#"{"logger":"http.log.access","request":{"method":"GET","host":"a:1","uri":"/b?c"},"duration":0.1,"size":2,"status":200}"#,
        r#"{"host":"a","request":"POST /x HTTP/1.1","status":"201","bytes_sent":"12","request_time":"0.250","agent":"\\x22"}"#,
        r#"b:80 ::1 - c d [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326 "-" "\"x" rt="0.1" 5 0.1 [up]"#,
        "login password=hunter2 at postgres://a:hunter3@db/x",
        "{\"Authorization\":[\"Bearer abcdefgh\"],\"token\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc\"}",
        "ERROR\nTraceback (most recent call last):\n  File \"a.py\", line 1\nValueError: x\n\nDuring handling of the above exception, another exception occurred:\n",
        "panic: x\n\ngoroutine 1 [running]:\nmain.f()\n\t/a.go:7\n\u{1b}[31mred\u{1b}[0m\nCaused by: java.io.IOException\n\tat a.b(C.java:1)",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    ])
}
