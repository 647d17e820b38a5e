//! What the exporters' sources answer: engines, brokers, Redis, PostgreSQL, proxies, logs.

/// Reads the bytes as an answer of each.
///
/// # Panics
/// If more is read than there is.
pub fn sources(bytes: &[u8]) {
    exporter::container::any(bytes);
    exporter::redis::any(bytes);
    exporter::celery::any(bytes);
    exporter::postgres::any(bytes);
    exporter::api::any(bytes);
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut samples = crate::texts(&[
        "HTTP/1.0 200 OK\r\nA: b\r\n\r\n[{\"Id\":\"a\",\"Names\":[\"/one\"],\"State\":\"running\",\"Ports\":[{\"PrivatePort\":80,\"Type\":\"tcp\"}]}]",
        "[{\"Id\":\"a\",\"Names\":[\"/one\"],\"State\":\"running\",\"Status\":\"Up (healthy)\",\"Created\":5,\"Mounts\":[{\"Type\":\"bind\"}],\"Labels\":{\"x\":\"y\"}}]",
        "{\"Name\":\"/one\",\"State\":{\"Status\":\"exited\",\"ExitCode\":3,\"FinishedAt\":\"2026-01-01T00:00:00Z\"},\"HostConfig\":{\"Memory\":64},\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"::\",\"HostPort\":\"80\"}]}}}",
        "{\"LayersSize\":1,\"ImageUsage\":{\"TotalSize\":1000,\"Reclaimable\":500},\"Containers\":[{\"SizeRw\":10,\"State\":\"running\"}],\"BuildCache\":[{\"Size\":3}]}",
        "[{\"Name\":\"n\",\"Id\":\"1\",\"Scope\":\"local\",\"Internal\":true,\"Labels\":{\"a\":\"b\"}}]",
        "{\"Volumes\":[{\"Name\":\"v\"}]}",
        "[{\"Id\":\"sha256:0\",\"RepoTags\":[\"docker.io/library/a:1\",\"b\"]}]",
        "{\"Type\":\"container\",\"Action\":\"health_status: healthy\",\"Actor\":{\"ID\":\"a\",\"Attributes\":{\"name\":\"one\",\"exitCode\":\"3\"}},\"timeNano\":5}",
        "{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"n\",\"Attributes\":{\"container\":\"a\"}}}",
        "4:memory:/docker/0123\n2:cpuacct,cpu:/docker/0123/x\n0::/system.slice/docker-0123.scope\n",
        "2 0 0:44 / / rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/var/lib/x/fs,workdir=/w\n",
        "*2\r\n$3\r\nabc\r\n:12\r\n",
        "-ERR unknown\r\n",
        "# Server\r\nredis_version:7.0.15\r\ndb0:keys=1,expires=0,avg_ttl=0\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=5,lag=0\r\ncmdstat_get:calls=2,usec=21\r\n",
        "{\"body\": \"eyJ0eXBlIjogInRhc2stc3VjY2VlZGVkIiwgInV1aWQiOiAiYSJ9\", \"headers\": {\"ticket\": \"me-2\", \"task\": \"a\"}, \"properties\": {\"body_encoding\": \"base64\"}}",
        "{\"type\": \"task-failed\", \"uuid\": \"a\", \"hostname\": \"celery@h\", \"exception\": \"ValueError()\", \"timestamp\": 1796000000.5}",
        "Active connections: 1\nserver accepts handled requests\n 2 2 3\nReading: 0 Writing: 1 Waiting: 0\n",
        "# TYPE caddy_http_requests_total counter\ncaddy_http_requests_total{server=\"a\"} 1\n",
        "{\"__CURSOR\":\"s=1\",\"MESSAGE\":[116,119,255]}\n{\"__CURSOR\":\"s=2\",\"MESSAGE\":\"two\"}\n",
        "2026-01-01T00:00:00.123456789Z a line\n",
        "postgres://watch@db:5433/shop?connect_timeout=5&application_name=x",
        "# services\n[shop]\nhost=/run/postgresql\nport=5433\nuser=watch\n[other]\nhost=b\n",
        "# host:port:database:user:password\ndb:*:shop:watch:hun\\:ter2\n*:5432:*:*:x\n",
        "SELECT $tag$a$tag$, E'it\\'s', 0x1f, 'b' -- 5\nFROM \"t\" /* 'c' */ WHERE id IN (1, 2.5e3)",
        "shared_buffers|16384|8kB||work_mem|4096|kB||fsync|on|||a.b|-1|ms|",
    ]);
    // A method, then a body, of a broker's channel 1.
    samples.push(vec![
        1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 60, 0xce, 3, 0, 1, 0, 0, 0, 1, 7, 0xce,
    ]);
    samples
}
