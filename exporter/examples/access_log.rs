//! What following an access log costs: `access_log LINES SECONDS` follows a file
//! to which another process appends so many lines of Caddy's a second, and
//! prints the processor time for a second, and the memory.

use std::fs::File;
use std::io::{self, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use exporter::api::{Api, Config, Log};
use exporter::container::{self, Containers};
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

/// The writer's pieces come so often.
const STEP: Duration = Duration::from_millis(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        let word = words.get(at).and_then(|word| word.parse().ok());
        word.unwrap_or(default)
    };
    if let [_, _, file] = &words[..] {
        return write(
            File::options().append(true).open(file)?,
            number(0, 0),
            number(1, 0),
        );
    }
    let (rate, seconds) = (number(0, 1000), number(1, 10));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("access.log");
    File::create(&file)?;
    let socket = folder.path().join("no-engine.sock");
    let containers = Containers::new(container::Config::default(), &socket);
    let logs = vec![Log {
        file: file.clone(),
        ..Log::default()
    }];
    let config = Config {
        logs,
        ..Config::default()
    };
    let (api, stop) = (Api::new(config, containers), CancellationToken::new());
    let task = tokio::spawn({
        let (api, stop) = (api.clone(), stop.clone());
        async move { api.run(stop).await }
    });
    while api.standing().iter().any(|one| one.age.is_none()) {
        tokio::time::sleep(STEP).await;
    }
    let mut writer = Command::new(std::env::current_exe()?)
        .args([rate.to_string(), seconds.to_string()])
        .arg(&file)
        .spawn()?;
    let before = processor();
    while writer.try_wait()?.is_none() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let took = processor() - before;
    stop.cancel();
    let _ = task.await;
    let page = api.page().await;
    let counted = page
        .lines()
        .filter_map(|line| line.strip_prefix("belfry_http_requests_total{"));
    let counted: f64 = counted
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    let each = took.as_secs_f64() * 1e6 / counted;
    writeln!(
        io::stdout(),
        "{counted} of {} lines, {:.2} ms of processor time a second, {each:.1} us a line; {peak}",
        rate * seconds,
        took.as_secs_f64() * 1e3 / seconds as f64,
    )
}

/// Appends lines, evenly.
fn write(mut file: File, rate: u64, seconds: u64) -> io::Result<()> {
    let (began, mut written) = (Instant::now(), 0);
    while written < rate * seconds {
        std::thread::sleep(STEP);
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        let mut piece = String::new();
        while written < due.min(rate * seconds) {
            piece.push_str(&line(written));
            written += 1;
        }
        file.write_all(piece.as_bytes())?;
    }
    Ok(())
}

/// As Caddy writes one for a browser, of about a kilobyte.
fn line(number: u64) -> String {
    let status = if number.is_multiple_of(50) { 502 } else { 200 };
    format!(
        r#"{{"level":"info","ts":1700000000.123,"logger":"http.log.access.log0","msg":"handled request","request":{{"remote_ip":"203.0.113.7","remote_port":"41342","client_ip":"203.0.113.7","proto":"HTTP/2.0","method":"GET","host":"shop{}.example.org","uri":"/api/orders/{number}?page=2","headers":{{"User-Agent":["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"],"Accept":["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],"Accept-Language":["en-GB,en;q=0.5"],"Accept-Encoding":["gzip, deflate, br"],"Cookie":["REDACTED"]}},"tls":{{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"shop.example.org"}}}},"bytes_read":0,"user_id":"","duration":0.0{},"size":10900,"status":{status},"resp_headers":{{"Server":["Caddy"],"Content-Type":["application/json"],"Date":["Mon, 01 Jan 2024 00:00:00 GMT"]}}}}{}"#,
        number % 5,
        number % 97 + 1,
        "\n"
    )
}

/// What this process has used so far.
fn processor() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        used.tv_sec.unsigned_abs(),
        u32::try_from(used.tv_nsec).unwrap_or_default(),
    )
}
