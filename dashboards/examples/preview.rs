//! Serves every example page and mail, to be looked at in a browser:
//! `cargo run -p dashboards --example preview` and open the printed address.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use dashboards::{assets, mail, page};

#[path = "../tests/it/mails.rs"]
mod mails;
#[path = "../tests/it/states.rs"]
mod states;
#[path = "../tests/it/trouble.rs"]
mod trouble;

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    let mut out = std::io::stdout();
    for (name, _) in states::all() {
        writeln!(out, "http://{}/{name}", listener.local_addr()?)?;
    }
    for (name, _) in mails::all() {
        writeln!(out, "http://{}/mail-{name}", listener.local_addr()?)?;
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
    } else if let Some(text) = page(path.trim_start_matches('/')) {
        for (name, value) in page::headers() {
            head += &format!("{name}: {value}\r\n");
        }
        text.into_bytes()
    } else if let Some(text) = mail(path.trim_start_matches("/mail-")) {
        head += "content-type: text/html; charset=utf-8\r\n";
        text.into_bytes()
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

fn page(name: &str) -> Option<String> {
    let (_, now) = states::all()
        .into_iter()
        .find(|(other, _)| *other == name)?;
    Some(page::render(&now).unwrap_or_else(|err| err.to_string()))
}

fn mail(name: &str) -> Option<String> {
    let (_, mail) = mails::all().into_iter().find(|(other, _)| *other == name)?;
    let rendered = mail::render(&mail).unwrap_or_else(|_| mail::plain(&mail));
    Some(rendered.html)
}
