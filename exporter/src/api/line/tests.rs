use super::*;
use crate::api::config::Unit;

fn request<'a>(
    host: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    seconds: Option<f64>,
    bytes: Option<u64>,
) -> Line<'a> {
    Line::Request(Request {
        host: host.into(),
        method: method.into(),
        path: path.into(),
        status,
        seconds,
        bytes,
    })
}

#[track_caller]
fn reads(line: &str, expected: Line<'_>) {
    assert_eq!(
        read(line.as_bytes(), Format::Auto, &Keys::default()),
        expected,
        "{line}"
    );
}

#[test]
fn caddy_tells_requests_and_much_else() {
    let line = r#"{"level":"info","ts":1700000000.1,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"127.0.0.1","proto":"HTTP/2.0","method":"GET","host":"shop.example:8443","uri":"/a?b=\"c\"","headers":{"User-Agent":["x"]},"tls":{"resumed":false}},"user_id":"","duration":0.000929675,"size":10900,"status":502,"resp_headers":{"Server":["Caddy"]}}"#;
    reads(
        line,
        request(
            "shop.example:8443",
            "GET",
            "/a?b=\"c\"",
            502,
            Some(0.000_929_675),
            Some(10900),
        ),
    );
    // The client had gone.
    reads(
        r#"{"logger":"http.log.access","request":{"method":"GET","host":"a","uri":"/x"},"duration":1.5,"size":0,"status":0}"#,
        request("a", "GET", "/x", 0, Some(1.5), Some(0)),
    );
    for logger in ["http.log.error.log0", "tls.obtain", "admin.api"] {
        let line = format!(
            r#"{{"level":"error","logger":"{logger}","msg":"m","status":502,"duration":1,"request":{{"method":"GET"}}}}"#
        );
        reads(&line, Line::Other);
    }
}

#[test]
fn the_usual_layouts_of_nginx_in_json_are_read() {
    for line in [
        r#"{"time":"t","remote_addr":"::1","host":"a.example","request_method":"POST","request_uri":"/x","status":"201","body_bytes_sent":"12","request_time":"0.250"}"#,
        r#"{"http_host":"a.example","request":"POST /x HTTP/1.1","status":201,"bytes_sent":12,"request_time":0.250,"upstream":{"time":[1,2]}}"#,
        r#"{"server_name":"a.example","method":"POST","uri":"/x","status_code":201,"size":12,"duration_ms":250}"#,
        r#"{"request":{"host":"a.example","method":"POST","uri":"/x"},"response":{"status":201,"size":12,"time":0.25}}"#,
        r#"{"host":"a.example","request":"POST /x HTTP/1.1","status":"201","bytes_sent":"12","request_time":"0.250","user_agent":"\x22"}"#,
    ] {
        reads(
            line,
            request("a.example", "POST", "/x", 201, Some(0.25), Some(12)),
        );
    }
    // Neither a time nor a size: `-` and the empty text are none.
    reads(
        r#"{"host":"","request":"","status":"400","request_time":"-","bytes_sent":""}"#,
        request("", "", "", 400, None, None),
    );
}

#[test]
fn keys_can_be_named() {
    let keys = Keys {
        host: "h".into(),
        method: "m".into(),
        path: "http.p".into(),
        status: "s".into(),
        duration: "took".into(),
        unit: Unit::Milliseconds,
        bytes: "n".into(),
    };
    let line = br#"{"h":"a","m":"PUT","http":{"p":"/q"},"s":204,"status":500,"took":"5","n":7}"#;
    assert_eq!(
        read(line, Format::Json, &keys),
        request("a", "PUT", "/q", 204, Some(0.005), Some(7))
    );
}

#[test]
fn combined_is_read_with_what_stands_in_front_and_behind() {
    let tail = r#"[10/Oct/2000:13:55:36 -0700] "GET /a.gif?x HTTP/1.0" 200 2326 "http://r/ \x22" "Mozilla/5.0 [en] (X; \"y\")""#;
    for (line, host, seconds) in [
        (format!("127.0.0.1 - frank {tail}"), "", None),
        (format!("127.0.0.1 - a b {tail} 0.120"), "", Some(0.12)),
        (
            format!("shop.example:443 ::1 - - {tail} 512 0.120 [up] 0.100"),
            "shop.example:443",
            Some(0.12),
        ),
        (
            format!("::1 - - {tail} \"-\" rt=0.120 uct=\"0.001\" host=b.example"),
            "b.example",
            Some(0.12),
        ),
        (
            format!("::1 - - {tail} \"1.2.3.4\" request_time=\"0.120\""),
            "",
            Some(0.12),
        ),
    ] {
        reads(
            &line,
            request(host, "GET", "/a.gif?x", 200, seconds, Some(2326)),
        );
    }
    reads(
        r#"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01\x02" 400 150 "-" "-""#,
        request("", r"\x16\x03\x01\x02", "", 400, None, Some(150)),
    );
    reads(
        r#"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 000 0 "-" "-""#,
        request("", "GET", "/", 0, None, Some(0)),
    );
    reads(
        r#"1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "-" 408 - "-" "-""#,
        request("", "-", "", 408, None, None),
    );
}

#[test]
fn what_is_no_access_log_is_unreadable_and_an_empty_line_is_nothing() {
    for line in [
        "2024/01/01 00:00:00 [error] 29#29: *1 connect() failed \"x\"",
        "{\"status\":",
        "{\"status\":\"up\",\"host\":\"a\"}",
        "{\"status\":99}",
        "{\"status\":0,\"msg\":\"done\"}",
        "[1,2]",
        "1.2.3.4 - - [t] \"GET / HTTP/1.1\" 2000 1 \"-\" \"-\"",
        "1.2.3.4 - - [t] \"GET / HTTP/1.1",
        "] \"",
    ] {
        reads(line, Line::Unreadable);
    }
    reads("  ", Line::Other);
    reads(
        "/docker-entrypoint.sh: Configuration complete; ready for start up",
        Line::Other,
    );
}

#[test]
fn bytes_that_are_no_text_do_not_hide_a_request() {
    let read = |line: &[u8]| match read(line, Format::Auto, &Keys::default()) {
        Line::Request(request) => (request.status, request.path.into_owned()),
        other => panic!("{other:?}"),
    };
    let line = b"{\"host\":\"a\",\"uri\":\"/\xff\",\"status\":200,\"agent\":\"\xfe\"}";
    assert_eq!(read(line), (200, "/\u{fffd}".to_owned()));
    let line = b"::1 - - [t] \"GET /\xff HTTP/1.1\" 200 1 \"\xfe\" \"-\"";
    assert_eq!(read(line), (200, "/\u{fffd}".to_owned()));
}

proptest::proptest! {
    #[test]
    fn no_line_makes_it_panic(line in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for format in [Format::Auto, Format::Json, Format::Combined] {
            read(&line, format, &Keys::default());
        }
    }

    #[test]
    fn no_changed_line_makes_it_panic(at in 0_usize..140, byte in proptest::num::u8::ANY) {
        for line in [
            r#"{"host":"a","request":"POST /x HTTP/1.1","status":"201","bytes_sent":"12","request_time":"0.250"}"#,
            r#"::1 - - [t] "GET / HTTP/1.1" 200 1 "-" "-" rt="0.1" 5 0.1"#,
        ] {
            let mut line = line.as_bytes().to_vec();
            let at = at % line.len();
            line[at] = byte;
            read(&line, Format::Auto, &Keys::default());
        }
    }
}
