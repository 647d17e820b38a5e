//! Serves every example page and mail, to be looked at in a browser:
//! `cargo run -p dashboards --example preview` and open the printed address.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use dashboards::{assets, page};

#[path = "../tests/it/states.rs"]
mod states;

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    let mut out = std::io::stdout();
    for (name, _) in states::all() {
        writeln!(out, "http://{}/{name}", listener.local_addr()?)?;
    }
    out.flush()?;
    for stream in listener.incoming() {
        // A browser that goes away in the middle is its own affair.
        let _ = answer(stream?);
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = String::new();
    BufReader::new(&stream).read_line(&mut request)?;
    let path = request.split(' ').nth(1).unwrap_or("/");
    let mut head = String::new();
    let body = if let Some(asset) = assets::get(path) {
        head += &format!("content-type: {}\r\n", asset.content_type);
        asset.bytes.to_vec()
    } else if let Some((_, now)) = states::all()
        .into_iter()
        .find(|(name, _)| path[1..] == **name)
    {
        for (name, value) in page::headers() {
            head += &format!("{name}: {value}\r\n");
        }
        page::render(&now)
            .unwrap_or_else(|err| err.to_string())
            .into_bytes()
    } else {
        Vec::new()
    };
    let status = if body.is_empty() {
        "404 Not Found"
    } else {
        "200 OK"
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{head}\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}
