//! What is found in containers, as a table.

use super::*;

fn place(holds: Holds) -> Place {
    Place {
        id: "1".into(),
        name: "shop-db-1".into(),
        holds,
        addresses: Vec::new(),
    }
}

#[test]
fn an_environment_tells_how_to_log_in_and_nothing_else_is_guessed() {
    let told = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
            .collect()
    };
    let database = |pairs: &[(&str, &str)]| {
        let server = server(&place(Holds::Postgres), "10.0.0.2:5432", &told(pairs));
        let Server::Postgres(server) = server else {
            panic!("{server:?}")
        };
        assert_eq!(server.name, "shop-db-1");
        assert_eq!(server.place().as_deref(), Some("10.0.0.2:5432"));
        (
            server.url.expose().to_owned(),
            server.password.expose().to_owned(),
        )
    };
    let prefix = "host=10.0.0.2 port=5432";
    assert_eq!(
        database(&[]),
        (
            format!("{prefix} user='postgres' dbname='postgres'"),
            "".into()
        )
    );
    assert_eq!(
        database(&[("POSTGRES_USER", "o'b"), ("POSTGRES_PASSWORD", "pw")]),
        (format!("{prefix} user='o\\'b' dbname='o\\'b'"), "pw".into())
    );
    let cache = server(
        &place(Holds::Redis),
        "10.0.0.3:6379",
        &told(&[("REDIS_PASSWORD", "pw")]),
    );
    let Server::Redis(cache) = cache else {
        panic!("{cache:?}")
    };
    assert_eq!(
        (cache.address.as_str(), cache.password.expose()),
        ("10.0.0.3:6379", "pw")
    );
    let broker = |pairs: &[(&str, &str)]| {
        let server = server(&place(Holds::Rabbit), "10.0.0.4:5672", &told(pairs));
        let Server::Rabbit(broker) = server else {
            panic!("{server:?}")
        };
        let password = broker.password.expose().to_owned();
        (broker.address, broker.username, password, broker.vhost)
    };
    let of = |user: &str, password: &str, vhost: &str| {
        let address = "amqp://10.0.0.4:5672".to_owned();
        (
            address,
            user.to_owned(),
            password.to_owned(),
            vhost.to_owned(),
        )
    };
    assert_eq!(broker(&[]), of("", "", "/"));
    let said = [
        (RABBIT_USER, "shop"),
        (RABBIT_PASSWORD, "pw"),
        (RABBIT_VHOST, "orders"),
    ];
    assert_eq!(broker(&said), of("shop", "pw", "orders"));
}

#[test]
fn rabbitmq_is_known_by_its_image() {
    for image in [
        "rabbitmq",
        "rabbitmq:3-management",
        "docker.io/library/rabbitmq@sha256:0",
    ] {
        assert!(is_rabbit(image), "{image}");
    }
    assert!(!is_rabbit("acme/rabbitmq-exporter:1"));
}
