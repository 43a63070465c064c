//! What is signed, and what of it somebody else can check.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::tool::Place;

fn ran() -> Place {
    let place = Place::with(&["counter"]);
    place.write("requests", "inc\n".repeat(5));
    place.yes(&["run", "counter.toml", "--send", "requests"]);
    place
}

#[test]
fn a_run_signs_with_a_key_of_its_own_and_a_pinned_key_finds_another() {
    let place = ran();
    let file = place.path().join(".theater/host.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = place.yes(&["checkpoint", "--public-key"]);
    let hex = place.events(&["counter"])[0]["data"]["host_key"].as_str().unwrap().to_owned();
    place.write("key", &key);
    for key in [key.trim(), &hex, "key", ".theater/host.key"] {
        let report = place.json(&["verify", "--json", "--key", key]);
        assert_eq!(report["log"]["checkpoints"][0]["key"], "given", "{key}: {report}");
    }
    let other = Place::with(&["counter"]);
    other.write("requests", "inc");
    other.yes(&["run", "counter.toml", "--send", "requests"]);
    let foreign = other.yes(&["checkpoint", "--public-key"]);
    let said = place.theater(&["verify", "--key", foreign.trim()]);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.out.contains("FAULT  in what is signed: no checkpoint of theater/"), "{said:?}");
    let said = place.theater(&["verify", "--key", "nonsense"]);
    assert!(said.status == Some(2) && said.err.contains("is neither a public key nor a file with one"), "{said:?}");
    // Without the key the chains' own word is all there is, and that is said.
    fs::remove_file(&file).unwrap();
    let report = place.json(&["verify", "--json"]);
    assert_eq!(report["log"]["checkpoints"][0]["key"], "chains", "{report}");
    assert!(report["unchecked"].to_string().contains("nothing but the chains themselves names it"), "{report}");
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let place = ran();
    let file = place.path().join(".theater/host.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    for args in [&["prove", "counter", "1"][..], &["checkpoint", "counter"], &["checkpoint", "--public-key"]] {
        let said = place.theater(args);
        assert_eq!(said.status, Some(2), "{said:?}");
        assert!(said.err.starts_with("error: others than its owner may read "), "{said:?}");
    }
    place.yes(&["verify"]);
}

/// A copy of the folder of a run, changed.
fn copied(place: &Place, name: &str, sql: &str) -> String {
    let (from, to) = (place.path().join(".theater"), place.path().join(name));
    fs::create_dir(&to).unwrap();
    fs::copy(from.join("theater.db"), to.join("theater.db")).unwrap();
    fs::copy(from.join("host.key"), to.join("host.key")).unwrap();
    rusqlite::Connection::open(to.join("theater.db")).unwrap().execute_batch(sql).unwrap();
    name.to_owned()
}

#[test]
fn what_the_key_did_not_sign_is_not_gone_on_with_unless_that_is_said() {
    let place = ran();
    let newest = "(SELECT max(position) FROM events)";
    for (name, sql, said, verifies) in [
        ("same", String::new(), "", true),
        ("lost", "DELETE FROM tree_heads".into(), "no checkpoint of theater/", true),
        ("other", String::new(), "no checkpoint of theater/", true),
        (
            "empty",
            "DELETE FROM head_log; DELETE FROM tree_heads;
            UPDATE head_log_end SET size = 0, peaks = x'', position = 0"
                .into(),
            "and nothing here is signed",
            true,
        ),
        (
            "cut",
            format!(
                "DELETE FROM events WHERE position = {newest};
                UPDATE actors SET ended = NULL, (head_seq, head_hash, head_position) =
                (SELECT seq, hash, position FROM events WHERE position = {newest})"
            ),
            "as signed",
            false,
        ),
    ] {
        let data = copied(&place, name, &sql);
        if name == "other" {
            fs::remove_file(place.path().join("other/host.key")).unwrap();
        }
        let run = ["run", "counter.toml", "--send", "requests", "--data", &data];
        if !said.is_empty() {
            let refused = place.theater(&run);
            assert_eq!((refused.status, &*refused.out), (Some(2), ""), "{name}: {refused:?}");
            assert!(refused.err.contains("is not the one that this host signed"), "{name}: {refused:?}");
            assert!(refused.err.contains(said) && refused.err.contains("--sign-anew"), "{name}: {refused:?}");
            place.yes(&[&run[..], &["--sign-anew"]].concat());
        }
        place.yes(&run);
        assert_eq!(place.theater(&["verify", "--data", &data]).status, Some(i32::from(!verifies)), "{name}");
    }
}

#[test]
fn a_kept_checkpoint_finds_a_cut_tail() {
    let place = ran();
    let early = place.path().join("early");
    fs::create_dir(&early).unwrap();
    fs::copy(place.path().join(".theater/theater.db"), early.join("theater.db")).unwrap();
    place.yes(&["checkpoint", "-o", "kept"]);
    place.yes(&["checkpoint", "counter", "-o", "kept-of-one"]);
    place.yes(&["verify", "--checkpoint", "kept"]);
    place.yes(&["verify", "--checkpoint", "kept-of-one"]);
    let last = place.events(&["counter"]).pop().unwrap()["seq"].as_u64().unwrap();
    // The tail of everything that is signed goes with the tail of the chain.
    let raw = rusqlite::Connection::open(early.join("theater.db")).unwrap();
    raw.execute_batch("DELETE FROM head_log; DELETE FROM tree_heads; UPDATE head_log_end SET size = 0, peaks = x''")
        .unwrap();
    raw.execute("DELETE FROM events WHERE seq = ?", [last as i64]).unwrap();
    let (hash, at): (Vec<u8>, i64) = raw
        .query_row("SELECT hash, position FROM events ORDER BY position DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let update = "UPDATE actors SET head_seq = head_seq - 1, head_hash = ?, head_position = ?, ended = NULL";
    raw.execute(update, rusqlite::params![hash, at]).unwrap();
    drop(raw);
    let report = place.json(&["verify", "--json", "--data", "early"]);
    assert!(report["unchecked"].to_string().contains("nothing here is signed"), "{report}");
    for kept in ["kept", "kept-of-one"] {
        let said = place.theater(&["verify", "--data", "early", "--checkpoint", kept]);
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(said.out.contains("its end was cut off"), "{said:?}");
    }
    let key = place.yes(&["checkpoint", "--public-key"]);
    let said = place.theater(&["verify", "--data", "early", "--key", key.trim()]);
    assert!(said.status == Some(1) && said.out.contains("nothing here is signed"), "{said:?}");
}

#[test]
fn an_event_is_proved_to_whoever_has_no_theater() {
    let place = ran();
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/check_proof.py");
    let hex = place.events(&["counter"])[0]["data"]["host_key"].as_str().unwrap().to_owned();
    let check = |file: &str| {
        let output = Command::new("python3").arg(&checker).arg(place.path().join(file)).arg(&hex).output();
        output.ok().map(|output| (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    place.yes(&["prove", "counter", "3", "-o", "proof.json"]);
    place.yes(&["prove", "counter", "2", "--payload", "-o", "with.json"]);
    let proof: Value = serde_json::from_slice(&fs::read(place.path().join("proof.json")).unwrap()).unwrap();
    assert_eq!((&proof["format"], &proof["event"]["seq"]), (&json!("theater/proof/1"), &json!(3)));
    assert!(proof.get("payload").is_none(), "what was said is shown on demand alone");
    for file in ["proof.json", "with.json"] {
        if let Some((yes, said)) = check(file) {
            assert!(yes && said.starts_with("yes: event"), "{said}");
        }
    }
    let said = place.theater(&["prove", "counter", "100000"]);
    assert!(said.status == Some(2) && said.err.contains("so there is no event 100000"), "{said:?}");
    // Nothing is signed that does not verify.
    let raw = rusqlite::Connection::open(place.path().join(".theater/theater.db")).unwrap();
    raw.execute("UPDATE events SET timestamp = timestamp + 1 WHERE seq = 1", []).unwrap();
    drop(raw);
    let said = place.theater(&["prove", "counter", "3"]);
    assert!(said.status == Some(1) && said.err.contains("the chain does not verify: event 1"), "{said:?}");
}

#[test]
fn a_record_does_not_steer_the_terminal_that_it_is_verified_on() {
    let place = ran();
    let raw = rusqlite::Connection::open(place.path().join(".theater/theater.db")).unwrap();
    raw.execute("UPDATE actors SET name = 'a' || char(27) || '[2J' || char(10) || 'ok     b'", []).unwrap();
    drop(raw);
    for args in [&["verify"][..], &["tree"], &["prune", "nobody", "--keep-after", "1"]] {
        let said = place.theater(args);
        let lines = said.out.lines().chain(said.err.lines());
        assert!(lines.clone().all(|line| !line.contains('\x1b') && !line.starts_with("ok     b")), "{said:?}");
        assert!(said.status == Some(2) || said.out.contains("a\\u{1b}[2J\\nok     b"), "{said:?}");
    }
}
