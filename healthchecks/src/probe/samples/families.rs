//! The families of probes, with what each says.

/// All families, in the order of a page.
pub(super) const FAMILIES: [(&str, &str); 66] = [
    ("probe_success", "Whether the probe succeeded."),
    ("probe_duration_seconds", "How long the whole probe took."),
    ("probe_timeout_seconds", "The time that the probe had."),
    (
        "probe_dns_lookup_time_seconds",
        "How long finding the address took.",
    ),
    (
        "probe_ip_protocol",
        "The version of IP that was used, 4 or 6.",
    ),
    (
        "probe_ip_addr_hash",
        "A hash of the address, to see that it changed.",
    ),
    (
        "probe_http_status_code",
        "The last status; 0 without an answer.",
    ),
    (
        "probe_http_content_length",
        "The length that the server stated, -1 without one.",
    ),
    (
        "probe_http_uncompressed_body_length",
        "The length of the body in bytes.",
    ),
    ("probe_http_redirects", "Redirects that were followed."),
    ("probe_http_ssl", "Whether the last request used TLS."),
    ("probe_http_version", "The version of HTTP."),
    (
        "probe_http_last_modified_timestamp_seconds",
        "When the server says it changed.",
    ),
    (
        "probe_http_duration_seconds",
        "How long each phase took, redirects added up.",
    ),
    (
        "probe_failed_due_to_regex",
        "Whether a pattern decided that it failed.",
    ),
    (
        "probe_failed_due_to_json",
        "Whether the JSON decided that it failed.",
    ),
    (
        "probe_failed_due_to_bytes",
        "Whether bytes that were expected did not come.",
    ),
    (
        "probe_ssl_earliest_cert_expiry",
        "When the first certificate of the presented chain expires.",
    ),
    (
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "When the chain that was verified expires.",
    ),
    ("probe_ssl_last_chain_info", "The server's certificate."),
    ("probe_tls_version_info", "The version of TLS."),
    ("probe_tls_cipher_info", "The cipher suite."),
    (
        "belfry_probe_ssl_valid",
        "Whether the presented chain is trusted, in time, and for this name.",
    ),
    (
        "belfry_probe_ssl_issuer_info",
        "Who issued the server's certificate.",
    ),
    (
        "belfry_probe_ssl_staging",
        "Whether an authority for tests issued it.",
    ),
    ("probe_expect_info", "What was taken from the answer."),
    ("probe_dns_query_succeeded", "Whether an answer came."),
    ("probe_dns_answer_rrs", "Records in the answer."),
    ("probe_dns_authority_rrs", "Records about authority."),
    ("probe_dns_additional_rrs", "Additional records."),
    ("probe_dns_serial", "The serial number of the zone."),
    ("probe_dns_duration_seconds", "How long each phase took."),
    ("probe_icmp_duration_seconds", "How long each phase took."),
    (
        "probe_icmp_reply_hop_limit",
        "The hop limit that the reply came with.",
    ),
    ("probe_grpc_status_code", "The gRPC status."),
    (
        "probe_grpc_healthcheck_response",
        "1 for the status that was told.",
    ),
    ("probe_grpc_ssl", "Whether TLS was used."),
    ("probe_grpc_duration_seconds", "How long each phase took."),
    (
        "probe_websocket_connection_upgraded",
        "Whether the connection became a WebSocket.",
    ),
    ("probe_websocket_status_code", "The status of the upgrade."),
    (
        "probe_websocket_duration_seconds",
        "How long each phase took.",
    ),
    (
        "probe_websocket_failed_due_to_regex",
        "Whether a pattern decided that it failed.",
    ),
    (
        "belfry_probe_postgres_ready",
        "Whether the server takes connections.",
    ),
    (
        "belfry_probe_redis_ready",
        "Whether the server answers PING.",
    ),
    (
        "belfry_probe_smtp_ready",
        "Whether the server greets and takes EHLO.",
    ),
    (
        "belfry_probe_smtp_starttls",
        "Whether the server offers STARTTLS.",
    ),
    (
        "belfry_probe_ssl_disk_found",
        "Whether the certificate that should be served was found on the disk.",
    ),
    (
        "belfry_probe_ssl_disk_same",
        "Whether just that one is served.",
    ),
    (
        "belfry_probe_ssl_disk_expiry_timestamp_seconds",
        "When the one on the disk expires.",
    ),
    (
        "belfry_probe_ssl_not_reloaded",
        "Whether a newer one lies on the disk than is served.",
    ),
    (
        "belfry_probe_domain_resolver_up",
        "Whether the name server answers.",
    ),
    (
        "belfry_probe_domain_addresses",
        "How many addresses the name server says.",
    ),
    (
        "belfry_probe_domain_agree",
        "Whether all name servers answer alike.",
    ),
    (
        "belfry_probe_domain_here",
        "Whether the name leads to this host.",
    ),
    (
        "belfry_probe_celery_ready",
        "Whether a worker took the canary task and ended it.",
    ),
    (
        "belfry_probe_docker_ready",
        "Whether the engine answers all that it was asked.",
    ),
    ("belfry_probe_docker_info", "The versions of the engine."),
    ("belfry_probe_docker_containers", "How many containers run."),
    (
        "belfry_probe_systemd_active",
        "Whether the unit is as it should be.",
    ),
    (
        "belfry_probe_systemd_state_info",
        "The state of the unit, in systemd's words.",
    ),
    (
        "belfry_probe_systemd_restarts",
        "How often systemd started the unit anew.",
    ),
    (
        "belfry_probe_systemd_last_trigger_timestamp_seconds",
        "When the timer went off last.",
    ),
    (
        "belfry_probe_systemd_next_trigger_timestamp_seconds",
        "When the timer goes off next.",
    ),
    (
        "belfry_probe_command_exit_code",
        "The code that the command ended with; 128 and more for a signal.",
    ),
    (
        "belfry_probe_command_confined",
        "Whether the kernel kept the command from writing.",
    ),
    (
        "belfry_probe_steps_seconds",
        "How long each phase took, of probes that blackbox_exporter does not have.",
    ),
];
