//! Reading a file that a person named: never one that has no end, or that
//! waits for somebody to write.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The text of a regular file of at most `limit` bytes; a byte order mark is left out.
pub fn read_file(path: &Path, limit: u64) -> io::Result<String> {
    // Before opening: to open a device may do something to it.
    regular(std::fs::metadata(path)?.file_type())?;
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(path)?;
    regular(file.metadata()?.file_type())?;
    text(&file, limit)
}

fn regular(kind: std::fs::FileType) -> io::Result<()> {
    let name = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(invalid(format!("it is {name}, not a regular file")))
}

fn text(file: &File, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(invalid(format!("it is larger than {}", crate::Size(limit))));
    }
    let text = String::from_utf8(bytes).map_err(|err| {
        let sound = &err.as_bytes()[..err.utf8_error().valid_up_to()];
        let line = sound.iter().filter(|byte| **byte == b'\n').count() + 1;
        invalid(format!("it is not UTF-8 in line {line}"))
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &Path) -> String {
        read_file(path, 16).map_or_else(|err| err.to_string(), |text| format!("text {text}"))
    }

    #[test]
    fn only_regular_files_of_text_and_of_some_size_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        for (bytes, expected) in [
            (&b"a: 1"[..], "text a: 1"),
            (b"\xef\xbb\xbfa: 1", "text a: 1"),
            (b"", "text "),
            (&[b'a'; 16], "text aaaaaaaaaaaaaaaa"),
            (&[b'a'; 17], "it is larger than 16"),
            (b"a\nb\xff", "it is not UTF-8 in line 2"),
        ] {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(said(&file), expected);
        }
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        assert_eq!(said(&fifo), "it is a FIFO, not a regular file");
        let zero = Path::new("/dev/zero");
        assert_eq!(said(zero), "it is a device, not a regular file");
        assert_eq!(said(dir.path()), "it is a folder, not a regular file");
        assert!(said(&dir.path().join("b")).starts_with("No such file"));
    }
}
