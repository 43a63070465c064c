use std::time::UNIX_EPOCH;

use super::*;

const MAX: u64 = 1 << 20;

/// A folder with one file, and a time long after it was written.
fn scene() -> (tempfile::TempDir, PathBuf, u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.wasm");
    std::fs::write(&file, "first").unwrap();
    (folder, PathBuf::from("a.wasm"), long_after(&file))
}

fn changed_ms(file: &Path) -> u64 {
    let modified = std::fs::metadata(file).unwrap().modified().unwrap();
    u64::try_from(modified.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn long_after(file: &Path) -> u64 {
    changed_ms(file) + 3_600_000
}

/// Does something to a file until the file system's clock has gone on with it.
fn until_it_shows(folder: &Path, path: &Path, change: impl Fn()) {
    let before = stamp_below(folder, path);
    while stamp_below(folder, path) == before {
        change();
    }
}

#[test]
fn a_file_that_did_not_change_is_not_read_again() {
    let (folder, path, now) = scene();
    let binaries = Binaries::default();
    assert!(binaries.of_file(folder.path(), &path).is_none());
    let read = binaries.read(folder.path(), &path, MAX, now).unwrap();
    assert_eq!(read.digest, Digest::of(b"first"));
    let known = binaries.of_file(folder.path(), &path).unwrap();
    assert_eq!((known.digest, known.bytes.as_ptr()), (read.digest, read.bytes.as_ptr()), "the same bytes in memory");
}

#[test]
fn a_changed_file_is_noticed() {
    let (folder, path, now) = scene();
    let file = folder.path().join(&path);
    let other = folder.path().join("other");
    let same_length = || std::fs::write(&file, "other").unwrap();
    let renamed_over = || {
        std::fs::write(&other, "third").unwrap();
        std::fs::rename(&other, &file).unwrap();
    };
    // Whoever sets the time back cannot set back that it was set.
    let in_its_old_time = || {
        let modified = std::fs::metadata(&file).unwrap().modified().unwrap();
        std::fs::write(&file, "final").unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    };
    let gone = || drop(std::fs::remove_file(&file));
    let changes: [(&str, &dyn Fn()); 4] =
        [("other", &same_length), ("third", &renamed_over), ("final", &in_its_old_time), ("", &gone)];
    for (content, change) in changes {
        let binaries = Binaries::default();
        binaries.read(folder.path(), &path, MAX, now).unwrap();
        assert!(binaries.of_file(folder.path(), &path).is_some());
        until_it_shows(folder.path(), &path, change);
        assert!(binaries.of_file(folder.path(), &path).is_none(), "{content}");
        if !content.is_empty() {
            let read = binaries.read(folder.path(), &path, MAX, now).unwrap();
            assert_eq!(read.digest, Digest::of(content.as_bytes()));
        }
    }
}

#[test]
fn a_file_that_changed_just_before_it_was_read_is_not_trusted() {
    let (folder, path, _) = scene();
    let changed = changed_ms(&folder.path().join(&path));
    let binaries = Binaries::default();
    // The last: a clock that was set back.
    for now in [changed, changed + 50, 0] {
        binaries.read(folder.path(), &path, MAX, now).unwrap();
        assert!(binaries.of_file(folder.path(), &path).is_none(), "{now} after {changed}");
    }
}

#[test]
fn what_was_not_asked_for_longest_makes_room() {
    let mut recent = Recent::default();
    for n in 0..KEPT {
        recent.insert(n, n, 1);
    }
    recent.get(&0);
    recent.insert(KEPT, KEPT, 1);
    assert_eq!((recent.get(&0), recent.get(&1), recent.known.len()), (Some(0), None, KEPT));
    recent.insert(1, 1, KEPT_BYTES);
    assert_eq!((recent.known.len(), recent.bytes), (1, KEPT_BYTES));
    recent.insert(2, 2, KEPT_BYTES + 1);
    assert_eq!((recent.get(&1), recent.get(&2)), (Some(1), None));
    recent.insert(1, 1, 3);
    assert_eq!(recent.bytes, 3);
}
