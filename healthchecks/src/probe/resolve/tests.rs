//! Name servers that answer, refuse, lie and are silent.

use super::*;

#[test]
fn the_files_of_the_host_are_read() {
    let hosts = "127.0.0.1 localhost\n::1 localhost ip6 # note shop\n10.0.0.9\tshop.example Shop\nbroken shop\n";
    assert_eq!(in_hosts(hosts, "localhost").len(), 2);
    assert_eq!(
        in_hosts(hosts, "shop"),
        ["10.0.0.9".parse::<IpAddr>().unwrap()]
    );
    let setup = Setup::read(
        "# x\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\nnameserver bad\nsearch a.example b.example.\noptions timeout:1 ndots:2\n",
    );
    assert_eq!(setup.servers.len(), 2);
    assert_eq!(
        setup.candidates("db", false),
        ["db.a.example", "db.b.example", "db"]
    );
    assert_eq!(setup.candidates("x.y.z", false)[0], "x.y.z");
    assert_eq!(setup.candidates("db", true), ["db"]);
    assert_eq!(Setup::read("").servers, ["127.0.0.1:53".parse().unwrap()]);
}

#[tokio::test]
async fn addresses_and_localhost_need_no_server() {
    let deadline = Instant::now() + Duration::from_secs(5);
    for (host, expected) in [
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("x.localhost", "::1"),
    ] {
        assert_eq!(
            resolve(host, deadline).await.unwrap()[0].to_string(),
            expected,
            "{host}"
        );
    }
    assert!(resolve("", deadline).await.is_err());
}

/// A name server that makes something of each question.
async fn server(treat: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if let Some(answer) = treat(&buffer[..length]) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    });
    address
}

/// An answer with this code, and one address of IPv4 if there is one.
fn answer(question: &[u8], rcode: u8, address: Option<[u8; 4]>) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[3] = rcode;
    let kind = answer[answer.len() - 3];
    if let Some(address) = address.filter(|_| kind == 1) {
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address);
    }
    answer
}

#[tokio::test]
async fn each_fault_of_a_name_server_has_its_reason() {
    let good = server(|question| Some(answer(question, 0, Some([192, 0, 2, 1])))).await;
    let empty = server(|question| Some(answer(question, 0, None))).await;
    let coded = async |rcode| server(move |question| Some(answer(question, rcode, None))).await;
    let silent = server(|_| None).await;
    let garbage = server(|_| Some(vec![1, 2, 3])).await;
    let closed = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let closed = closed.local_addr().unwrap();
    for (name, servers, expected) in [
        ("good", vec![good], Ok(1)),
        ("the first is silent", vec![silent, good], Ok(1)),
        ("nobody listens at the first", vec![closed, good], Ok(1)),
        ("no address", vec![empty], Err(Reason::DnsNoAddress)),
        (
            "no such name",
            vec![coded(3).await, good],
            Err(Reason::DnsNxdomain),
        ),
        ("a failure", vec![coded(2).await], Err(Reason::DnsServfail)),
        ("a refusal", vec![coded(5).await], Err(Reason::DnsRefused)),
        (
            "a failure at the first only",
            vec![coded(2).await, good],
            Ok(1),
        ),
        ("silence", vec![silent], Err(Reason::DnsTimeout)),
        ("garbage", vec![garbage], Err(Reason::DnsError)),
        ("no server", vec![], Err(Reason::DnsError)),
    ] {
        let setup = Setup {
            servers,
            search: Vec::new(),
            dots: 1,
        };
        let deadline = Instant::now() + Duration::from_secs(6);
        let found = ask_all(&setup, "shop.test", deadline).await;
        let told = found
            .as_ref()
            .map(Vec::len)
            .map_err(|failure| failure.reason);
        assert_eq!(told, expected, "{name}: {found:?}");
    }
}
