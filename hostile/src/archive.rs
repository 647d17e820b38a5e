//! Archives of files and their indexes, as a restore reads them from a bucket.

use std::fs::{self, File};

use backup::files::{Archive, Index, Manner, Options, pack, same_archive, unpack};

/// Reads an archive, unpacks it, and reads the same bytes as an index.
///
/// # Panics
/// If anything appears outside of the folder that it is unpacked into.
pub fn archive(bytes: &[u8]) {
    let Ok(outer) = tempfile::tempdir() else {
        return;
    };
    let inner = outer.path().join("inner");
    let Ok(into) = fs::create_dir(&inner).and_then(|()| File::open(&inner)) else {
        return;
    };
    let _ = unpack(&mut Archive::new(bytes), into, &Manner::default());
    let names = fs::read_dir(outer.path()).into_iter().flatten().count();
    assert_eq!(names, 1, "nothing is written outside");
    let _ = same_archive(&mut Archive::new(bytes), &mut Index::new(bytes));
    let mut index = Index::new(bytes);
    while let Ok(Some(line)) = index.forward() {
        // What is printed is read again.
        let text = line.text();
        let again = Index::new(text.as_bytes()).forward();
        assert_eq!(again.ok().flatten(), Some(line));
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let Ok(folder) = tempfile::tempdir() else {
        return Vec::new();
    };
    let root = folder.path();
    let (mut out, mut index) = (Vec::new(), Vec::new());
    let made = fs::create_dir(root.join("folder"))
        .and_then(|()| fs::write(root.join("folder/file"), "content"))
        .and_then(|()| std::os::unix::fs::symlink("file", root.join("link")))
        .and_then(|()| fs::hard_link(root.join("folder/file"), root.join("other")))
        .and_then(|()| File::create(root.join("x".repeat(150)))?.set_len(1 << 20));
    let packed = pack(root, &Options::default(), &mut out, &mut index);
    assert!(made.is_ok() && packed.is_ok());
    vec![out, index]
}
