//! One entry of a tree: what is known of it beside its content.

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name of a file that came before.
    Hardlink,
    /// A named pipe.
    Fifo,
    /// A character device.
    Character,
    /// A block device.
    Block,
}

/// Extended attributes: names and values.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is below the root, without a slash at either end; empty for the root.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner's number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// When its content was last changed: seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Bytes of a file.
    pub size: u64,
    /// Where a link points to; of a hard link, the path of the other name.
    pub link: Vec<u8>,
    /// The device that it stands for: major and minor number.
    pub device: (u32, u32),
    /// Extended attributes, by name.
    pub xattrs: Xattrs,
    /// Where a file with holes has data: offset and length of each part.
    pub parts: Option<Vec<(u64, u64)>>,
}

/// What is known of a file beside what an archive says of it.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// Device and inode number.
    pub inode: (u64, u64),
    /// How many names it has.
    pub names: u64,
    /// Bytes that it takes on its disk.
    pub taken: u64,
}

impl Entry {
    /// An entry of this kind, and nothing else known of it.
    #[must_use]
    pub fn new(path: Vec<u8>, kind: Kind) -> Self {
        Self {
            path,
            kind,
            mode: 0,
            uid: 0,
            gid: 0,
            mtime: (0, 0),
            size: 0,
            link: Vec::new(),
            device: (0, 0),
            xattrs: Vec::new(),
            parts: None,
        }
    }

    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let at = self.path.iter().rposition(|byte| *byte == b'/');
        &self.path[at.map_or(0, |at| at + 1)..]
    }

    /// The path of the folder that it is in.
    #[must_use]
    pub fn parent(&self) -> &[u8] {
        let at = self.path.iter().rposition(|byte| *byte == b'/');
        &self.path[..at.unwrap_or(0)]
    }
}

/// Puts a name behind a path.
#[must_use]
pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() {
        return name.to_vec();
    }
    [folder, b"/", name].concat()
}
