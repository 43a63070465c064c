//! Signed notes and checkpoints.

use proptest::prelude::*;
use theater_chain::merkle::{Frontier, leaf};
use theater_chain::note::{Checkpoint, HostKey, KeyError, Note, NoteError, PublicKey};
use theater_chain::{Digest, TheaterId};

/// The example of Go's package sumdb/note.
const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SAYING: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn key() -> HostKey {
    HostKey::from_seed(&[7; 32])
}

fn signed() -> (Checkpoint, String) {
    let mut tree = Frontier::new();
    (0..5u8).for_each(|n| tree.push(leaf(&[&[n]])));
    let checkpoint = Checkpoint::of(key().public(), &tree);
    let note = key().sign(&checkpoint);
    (checkpoint, note)
}

#[test]
fn a_note_of_others_verifies() {
    let key: PublicKey = NEUMANN.parse().unwrap();
    assert_eq!(key.to_string(), NEUMANN);
    let note: Note = SAYING.parse().unwrap();
    assert_eq!(note.to_string(), SAYING);
    assert_eq!(key.verify(&note), Ok(()));
    let changed: Note = SAYING.replace("your problem is", "my problem is").parse().unwrap();
    assert_eq!(key.verify(&changed), Err(NoteError::BadSignature("PeterNeumann".into())));
    let strange = Checkpoint::verified(&note, &key);
    assert!(matches!(strange, Err(NoteError::NoCheckpoint(_))), "{strange:?}");
}

#[test]
fn a_checkpoint_is_written_as_others_write_it() {
    let (checkpoint, text) = signed();
    let lines: Vec<&str> = text.split('\n').collect();
    let name = key().public().name().to_owned();
    assert_eq!(name, format!("theater/{}", Digest::of(key().public().as_bytes())));
    assert_eq!(lines[..2], [&name, "5"]);
    assert_eq!(lines[3], "");
    assert!(lines[4].starts_with(&format!("\u{2014} {name} ")));
    assert_eq!(lines[5..], [""]);
    let note: Note = text.parse().unwrap();
    assert_eq!(note.to_string(), text);
    assert_eq!(Checkpoint::verified(&note, key().public()), Ok(checkpoint));
}

#[test]
fn another_key_another_log_and_another_name_are_refused() {
    let (_, text) = signed();
    let note: Note = text.parse().unwrap();
    let other = HostKey::from_seed(&[8; 32]);
    let refused = Checkpoint::verified(&note, other.public());
    assert!(matches!(refused, Err(NoteError::OtherOrigin(..))), "{refused:?}");
    assert_eq!(other.public().verify(&note), Err(NoteError::NotSigned(other.public().name().into())));
    // The same key signs an actor's chain under another name.
    let actor = TheaterId::from_bytes([1; 16]);
    let of_actor = key().public().of_actor(actor);
    assert_eq!(of_actor.name(), format!("{}/{actor}", key().public().name()));
    assert_ne!(of_actor.id(), key().public().id());
    Checkpoint::verified(&note, &of_actor).unwrap_err();
    let own = key().sign_actor(actor, &Checkpoint::of(&of_actor, &Frontier::new())).parse().unwrap();
    assert_eq!(Checkpoint::verified(&own, &of_actor).map(|checkpoint| checkpoint.size), Ok(0));
    Checkpoint::verified(&own, key().public()).unwrap_err();
}

#[test]
fn signatures_of_others_may_stand_beside() {
    let (checkpoint, text) = signed();
    let other = SAYING.lines().last().unwrap();
    for together in [format!("{text}{other}\n"), text.replace("\n\n", &format!("\n\n{other}\n"))] {
        let note: Note = together.parse().unwrap();
        assert_eq!(note.signatures().len(), 2);
        assert_eq!(Checkpoint::verified(&note, key().public()), Ok(checkpoint.clone()));
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let (_, text) = signed();
    for bit in 0..8 * text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verified = String::from_utf8(bytes).ok().and_then(|text| text.parse::<Note>().ok());
        let verified = verified.and_then(|note| Checkpoint::verified(&note, key().public()).ok());
        assert_eq!(verified, None, "bit {bit}");
    }
}

#[test]
fn malformed_notes_are_refused() {
    let (_, text) = signed();
    let (head, line) = text.split_once("\n\n").unwrap();
    for bad in [
        "".to_owned(),
        "\n\n".to_owned(),
        head.to_owned(),
        format!("{head}\n\n"),
        format!("{head}\n{line}"),
        text.trim_end().to_owned(),
        text.replace('\u{2014}', "-"),
        text.replace("theater/", "theater\t/"),
        format!("{text}\u{2014} a+b AAAAAAAA\n"),
        format!("{text}\u{2014} name AAAA\n"),
        format!("{text}\u{2014} name not-base64!\n"),
        text.clone() + &"\u{2014} n AAAAAAAA\n".repeat(100),
        format!("{}{text}", "long\n".repeat(300_000)),
    ] {
        let parsed = bad.parse::<Note>();
        assert!(matches!(parsed, Err(NoteError::Malformed(_))), "{:?}", &bad[..bad.len().min(300)]);
    }
    for bad in
        ["", "origin\n", "origin\n1\n", "o\n01\nAA==\n", "o\n+1\nAA==\n", "o\n1\nAA==\n", "o\n1\nAA==", "\n1\nAA==\n"]
    {
        bad.parse::<Checkpoint>().unwrap_err();
    }
    let root = head.lines().nth(2).unwrap();
    for good in [format!("o\n0\n{root}\n"), format!("o\n1\n{root}\nmore\n")] {
        good.parse::<Checkpoint>().unwrap();
    }
    format!("o\n1\n{root}\n\nmore\n").parse::<Checkpoint>().unwrap_err();
    format!("o\n18446744073709551616\n{root}\n").parse::<Checkpoint>().unwrap_err();
}

#[test]
fn a_key_is_read_as_it_is_written_and_its_secret_is_not_shown() {
    let key = key();
    for text in [key.public().to_string(), key.public().hex(), format!("{}\n", key.public())] {
        assert_eq!(text.parse::<PublicKey>().as_ref(), Ok(key.public()), "{text}");
    }
    let secret = key.to_text();
    assert_eq!(HostKey::from_text(&secret).unwrap().public(), key.public());
    let encoded = secret.trim().rsplit('+').next().unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains(&key.public().to_string()) && !shown.contains(encoded), "{shown}");
    let of_another = HostKey::from_seed(&[8; 32]).to_text();
    let mixed = secret.replace(encoded, of_another.trim().rsplit('+').next().unwrap());
    assert_eq!(HostKey::from_text(&mixed).unwrap_err(), KeyError::OtherName);
    for bad in ["", "PRIVATE+KEY+", &secret[..secret.len() - 3], &key.public().to_string(), NEUMANN] {
        HostKey::from_text(bad).unwrap_err();
    }
    assert_eq!(NEUMANN.replace("c74f", "c74e").parse::<PublicKey>(), Err(KeyError::OtherId));
    // Not every 32 bytes are a point of the curve.
    assert_eq!("02".repeat(32).parse::<PublicKey>(), Err(KeyError::NoKey));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(any in "\\PC*", lines in prop::collection::vec("[\u{2014} +/A-Za-z0-9=\n]{0,40}", 0..12)) {
        for text in [any, lines.join("\n"), lines.join("\n\n") + "\n"] {
            if let Ok(note) = text.parse::<Note>() {
                prop_assert_eq!(note.to_string().parse::<Note>(), Ok(note.clone()));
                prop_assert!(Checkpoint::verified(&note, key().public()).is_err());
            }
            let _ = text.parse::<Checkpoint>();
            let _ = text.parse::<PublicKey>();
            prop_assert!(HostKey::from_text(&text).is_err());
        }
    }

    #[test]
    fn every_checkpoint_is_read_as_it_is_written(size: u64, root: [u8; 32], seed: [u8; 32]) {
        let key = HostKey::from_seed(&seed);
        let checkpoint = Checkpoint { origin: key.public().name().into(), size, root: Digest(root) };
        let note: Note = key.sign(&checkpoint).parse().unwrap();
        prop_assert_eq!(Checkpoint::verified(&note, key.public()), Ok(checkpoint));
        let key_text = key.public().to_string();
        prop_assert_eq!(&key_text.parse::<PublicKey>().unwrap(), key.public());
    }
}
