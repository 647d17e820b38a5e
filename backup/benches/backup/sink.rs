//! A bucket that takes an upload at the least work that a receiver can have: it answers as
//! S3 does, and puts the parts on the disk as they come, or keeps nothing at all. What a run
//! takes with it is about what a bucket elsewhere leaves to this machine.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::net::{RecvFlags, recv};

/// The bytes of each key, which is what somebody asks for at the end.
#[derive(Default)]
struct Taken {
    keys: Mutex<HashMap<String, u64>>,
    all: AtomicU64,
    /// Where bodies are put, each as a file of its own.
    folder: Option<PathBuf>,
    files: AtomicU64,
}

/// It goes on until the program ends.
pub(crate) struct Sink {
    pub(crate) port: u16,
    taken: Arc<Taken>,
}

impl Sink {
    /// One that keeps what it takes in a folder, or nothing.
    pub(crate) fn start(folder: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its port").port();
        let taken = Arc::new(Taken {
            folder,
            ..Taken::default()
        });
        let theirs = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&theirs);
                // One that is closed or broken is of no interest.
                thread::spawn(move || drop(serve(stream, &taken)));
            }
        });
        Self { port, taken }
    }

    /// Takes away what it keeps.
    pub(crate) fn forget(&self) {
        if let Some(folder) = &self.taken.folder {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir(folder).expect("a folder for parts");
        }
    }

    /// What it took, in MiB.
    pub(crate) fn mib(&self) -> f64 {
        self.taken.all.load(Ordering::Relaxed) as f64 / f64::from(1 << 20)
    }
}

fn serve(stream: TcpStream, taken: &Taken) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(8 << 10, stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split(' ');
        let (method, path) = (words.next(), words.next());
        let (method, path) = (method.unwrap_or_default(), path.unwrap_or_default());
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        match &taken.folder {
            Some(folder) if method == "PUT" => {
                let number = taken.files.fetch_add(1, Ordering::Relaxed);
                let mut file = File::create(folder.join(number.to_string()))?;
                keep(&mut reader, length, &mut file)?;
            }
            _ => lose(&mut reader, length)?,
        }
        answer(&stream, method, path, length, taken)?;
    }
}

/// Writes a body down.
fn keep(reader: &mut BufReader<TcpStream>, mut left: u64, file: &mut File) -> io::Result<()> {
    let mut room = vec![0; 256 << 10];
    while left > 0 {
        let most = room.len().min(usize::try_from(left).unwrap_or(room.len()));
        let read = reader.read(&mut room[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_all(&room[..read])?;
        left -= read as u64;
    }
    Ok(())
}

/// Takes a body without looking at it: the kernel need not even copy it.
fn lose(reader: &mut BufReader<TcpStream>, length: u64) -> io::Result<()> {
    let before = reader
        .buffer()
        .len()
        .min(usize::try_from(length).unwrap_or(0));
    reader.consume(before);
    let mut left = length - before as u64;
    let mut room = vec![0; 1 << 20];
    while left > 0 {
        let most = room.len().min(usize::try_from(left).unwrap_or(room.len()));
        let flags = RecvFlags::TRUNC | RecvFlags::WAITALL;
        let (_, took) = recv(reader.get_ref(), &mut room[..most], flags)?;
        if took == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= took as u64;
    }
    Ok(())
}

fn answer(
    mut stream: &TcpStream,
    method: &str,
    path: &str,
    length: u64,
    taken: &Taken,
) -> io::Result<()> {
    let (key, query) = path.split_once('?').unwrap_or((path, ""));
    let mut keys = taken.keys.lock().expect("nobody panics");
    let (mut status, mut body, mut size) = ("200 OK", String::new(), None);
    match method {
        "PUT" => {
            *keys.entry(key.to_owned()).or_default() += length;
            taken.all.fetch_add(length, Ordering::Relaxed);
        }
        "POST" if query == "uploads" || query == "uploads=" => {
            body = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>".to_owned();
        }
        "POST" => {
            body =
                "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>"
                    .to_owned();
        }
        "HEAD" => match keys.get(key) {
            Some(bytes) => size = Some(*bytes),
            None => status = "404 Not Found",
        },
        "DELETE" => status = "204 No Content",
        _ => {
            body =
                "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_owned();
        }
    }
    let length = size.unwrap_or(body.len() as u64);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\netag: \"1\"\r\n\
         last-modified: Mon, 23 Nov 2026 06:00:00 GMT\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes())
}
