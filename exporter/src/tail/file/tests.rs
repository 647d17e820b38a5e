use std::fs::OpenOptions;
use std::io::Write as _;

use super::*;

struct Log {
    folder: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    fn write(&self, text: &str) -> File {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn rename(&self, name: &str) {
        fs::rename(self.path(), self.folder.path().join(name)).unwrap();
    }

    fn follow(&self, places: Option<Vec<Place>>) -> Follower {
        Follower::new(self.path(), places)
    }
}

/// Everything that is new, as text.
fn read(follower: &mut Follower) -> String {
    let mut all = String::new();
    loop {
        let batch = follower.read().unwrap();
        all.push_str(std::str::from_utf8(&batch.text).unwrap());
        if !batch.more {
            return all;
        }
    }
}

/// Followed: a renamed file that `old.log` is, one that fails, and the log itself.
fn follow_with_one_that_fails(log: &Log) -> (File, Follower) {
    // Of a folder the metadata can be had and the bytes cannot.
    let open = |path: &Path| {
        let file = File::open(path).unwrap();
        let there = file.metadata().unwrap();
        Open::at_begin((file, there))
    };
    let writer = log.write("");
    log.rename("old.log");
    log.write("");
    let mut follower = log.follow(None);
    assert_eq!(read(&mut follower), "");
    let folder = log.folder.path();
    follower.old.push(open(&folder.join("old.log")));
    follower.old.push(open(folder));
    (writer, follower)
}

#[test]
fn a_renamed_file_that_fails_is_told_of_even_when_others_have_lines() {
    let log = Log::new();
    let (mut writer, mut follower) = follow_with_one_that_fails(&log);
    writer.write_all(b"before\n").unwrap();
    let lines = follower.read().unwrap();
    assert_eq!(lines.text, b"before\n");
    assert_eq!(lines.position.files.len(), 3);
    log.write("meanwhile\n");
    let fault = follower.read().unwrap_err();
    assert_eq!(fault.kind(), io::ErrorKind::IsADirectory);
    // Told once; the log goes on without it.
    assert_eq!(read(&mut follower), "meanwhile\n");
}

#[test]
fn a_renamed_file_that_fails_does_not_hold_up_the_log_while_another_has_lines() {
    let log = Log::new();
    let (mut writer, mut follower) = follow_with_one_that_fails(&log);
    for round in 0..3 {
        writer
            .write_all(format!("late {round}\n").as_bytes())
            .unwrap();
        log.write(&format!("new {round}\n"));
        let expected = format!("late {round}\nnew {round}\n");
        assert_eq!(read(&mut follower), expected);
    }
}

#[test]
fn only_what_comes_is_read_and_a_torn_line_when_it_is_whole() {
    let log = Log::new();
    log.write("before\nhalf of ");
    let mut follower = log.follow(None);
    assert_eq!(read(&mut follower), "");
    log.write("a line\nb\nto");
    assert_eq!(read(&mut follower), "half of a line\nb\n");
    assert_eq!(read(&mut follower), "");
    log.write("rn\n");
    assert_eq!(read(&mut follower), "torn\n");
}

#[test]
fn a_file_that_comes_later_is_read_from_its_begin() {
    let log = Log::new();
    let mut follower = log.follow(None);
    assert_eq!(follower.read().unwrap_err().kind(), io::ErrorKind::NotFound);
    log.write("a\n");
    assert_eq!(read(&mut follower), "a\n");
}

#[test]
fn a_renamed_file_is_read_until_its_writer_lets_go() {
    let log = Log::new();
    let mut writer = log.write("");
    let mut follower = log.follow(None);
    read(&mut follower);
    log.rename("access.log.1");
    writer.write_all(b"a\n").unwrap();
    assert_eq!(read(&mut follower), "a\n");
    log.write("c\n");
    writer.write_all(b"b\n").unwrap();
    assert_eq!(read(&mut follower), "b\nc\n");
    writer.write_all(b"late\n").unwrap();
    log.write("d\n");
    assert_eq!(read(&mut follower), "late\nd\n");
}

#[test]
fn a_file_that_is_cut_is_read_from_its_begin_also_when_it_has_grown_again() {
    let log = Log::new();
    log.write("0\n");
    let mut follower = log.follow(None);
    read(&mut follower);
    log.write("one\ntwo\n");
    assert_eq!(read(&mut follower), "one\ntwo\n");
    File::create(log.path()).unwrap();
    log.write("x\n");
    assert_eq!(read(&mut follower), "x\n");
    File::create(log.path()).unwrap();
    log.write("longer than it was before\nand on\n");
    let batch = follower.read().unwrap();
    assert_eq!(batch.text, b"longer than it was before\nand on\n");
    assert_eq!(batch.rotations, 1);
}

#[test]
fn another_process_goes_on_where_one_stopped_over_renames_and_cuts() {
    let log = Log::new();
    log.write("a\n");
    let mut follower = log.follow(None);
    read(&mut follower);
    log.write("b\nha");
    assert_eq!(read(&mut follower), "b\n");
    let places = follower.places();
    drop(follower);

    log.write("lf\n");
    let mut follower = log.follow(Some(places.clone()));
    assert_eq!(read(&mut follower), "half\n");

    // Renamed meanwhile, packed beside it, and written to since.
    log.rename("access.log.1");
    log.write("new\n");
    fs::write(log.folder.path().join("access.log.2.gz"), "packed").unwrap();
    let mut follower = log.follow(Some(places.clone()));
    assert_eq!(read(&mut follower), "half\nnew\n");

    // Gone meanwhile: what is there is all new.
    fs::remove_file(log.folder.path().join("access.log.1")).unwrap();
    let mut follower = log.follow(Some(places));
    assert_eq!(read(&mut follower), "new\n");

    // Cut meanwhile.
    let places = follower.places();
    File::create(log.path()).unwrap();
    log.write("cut\n");
    let mut follower = log.follow(Some(places));
    assert_eq!(read(&mut follower), "cut\n");
}

#[test]
fn a_line_without_end_is_counted_and_costs_no_memory() {
    let log = Log::new();
    log.write("a\n");
    let mut follower = log.follow(None);
    read(&mut follower);
    let (mut too_long, mut text) = (0, String::new());
    let mut look = |follower: &mut Follower| {
        let batch = follower.read().unwrap();
        too_long += batch.too_long;
        text.push_str(std::str::from_utf8(&batch.text).unwrap());
        assert!(batch.text.capacity() <= 2 * BATCH);
    };
    for _ in 0..20 {
        log.write(&"x".repeat(LONGEST / 3));
        look(&mut follower);
    }
    log.write("end\nb\n");
    look(&mut follower);
    assert_eq!((too_long, text.as_str()), (1, "b\n"));
}

#[test]
fn the_mark_of_what_was_read_is_that_of_the_file_however_long_its_lines_are() {
    let log = Log::new();
    log.write("");
    let mut follower = log.follow(None);
    read(&mut follower);
    let lengths = [1, 5, 57, 60, 62, 63, 64, 65, 1, 200, 2 * LONGEST + 7, 3];
    for (length, letter) in lengths.into_iter().zip('a'..) {
        log.write(&letter.to_string().repeat(length));
        log.write("\n");
        read(&mut follower);
        let current = follower.current.as_ref().unwrap();
        let size = current.file.metadata().unwrap().len();
        assert_eq!(current.at, size, "{length}");
        assert_eq!(current.mark, current.mark().unwrap(), "{length}");
    }
}

#[test]
fn a_long_way_behind_is_read_in_batches_of_bounded_size() {
    let log = Log::new();
    log.write("a\n");
    let mut follower = log.follow(None);
    read(&mut follower);
    let line = "0123456789\n".repeat(200_000);
    log.write(&line);
    let batch = follower.read().unwrap();
    assert!(batch.more && batch.text.len() <= 2 * BATCH);
    assert_eq!(batch.text.len() + read(&mut follower).len(), line.len());
}

#[test]
fn what_is_no_file_is_refused_without_opening_it() {
    let log = Log::new();
    fs::create_dir(log.path()).unwrap();
    let err = log.follow(None).read().unwrap_err();
    assert_eq!(trouble(&err).text, "it is no ordinary file");
}
