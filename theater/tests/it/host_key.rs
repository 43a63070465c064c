//! The file with the key of a host.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use theater::host_key::{HostKeyError, read, read_or_make};
use theater::{FileError, read_below};

#[test]
fn a_key_is_made_once_and_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert!(read(dir).unwrap().is_none());
    let keys: Vec<_> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| read_or_make(dir).unwrap())).collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    let public = keys[0].public();
    assert!(keys.iter().all(|key| key.public() == public), "all who make one at once get the same");
    assert_eq!(read(dir).unwrap().unwrap().public(), public);
    let names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["host.key"], "nothing else is left");
    assert_eq!(fs::metadata(dir.join("host.key")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_key_that_others_may_read_is_refused_and_so_is_what_is_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.key");
    let secret = read_or_make(folder.path()).unwrap().to_text();
    // PRIVATE+KEY+name+hash+key; base64 may have a plus, too.
    let encoded = secret.trim().splitn(5, '+').nth(4).unwrap().to_owned();
    assert!(encoded.len() >= 40, "the whole key");
    for mode in [0o640, 0o604, 0o660, 0o610, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = read_or_make(folder.path()).unwrap_err();
        assert!(matches!(error, HostKeyError::Exposed(_)), "{error}");
        assert!(error.to_string().starts_with("others than its owner may read "), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for text in ["", "something else", &secret[..60], &secret.replace("theater/", "theater-")] {
        fs::write(&path, text).unwrap();
        let error = read_or_make(folder.path()).unwrap_err();
        assert!(matches!(error, HostKeyError::Malformed(..)), "{error}");
        assert!(!format!("{error} {error:?}").contains(&encoded), "no error shows the key");
    }
    let error = read_or_make(Path::new("/there/is/no/such/folder")).unwrap_err();
    assert!(matches!(error, HostKeyError::Io(..)), "{error}");
}

/// Also under another name, which somebody may have given a copy.
#[test]
fn no_manifest_can_name_a_key() {
    let folder = tempfile::tempdir().unwrap();
    read_or_make(folder.path()).unwrap();
    fs::copy(folder.path().join("host.key"), folder.path().join("state.json")).unwrap();
    for name in ["host.key", "state.json"] {
        assert_eq!(read_below(folder.path(), Path::new(name), 1 << 20), Err(FileError::HostKey));
    }
}
