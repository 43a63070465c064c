//! Proofs of single events, and the checker that knows nothing of Theater.

use std::path::Path;
use std::process::Command;

use theater_chain::note::HostKey;
use theater_chain::proof::{EventProof, ProveError};
use theater_chain::testing::Story;
use theater_chain::{ActorEntry, ChainStore as _, Digest, MemoryStore};

fn key() -> HostKey {
    HostKey::from_seed(&[9; 32])
}

async fn life() -> (MemoryStore, ActorEntry) {
    let (store, mut story) = (MemoryStore::new(), Story::new(1));
    story.write_life();
    store.commit(story.commit()).await.unwrap();
    let entry = store.actor(story.id).await.unwrap().unwrap();
    (store, entry)
}

#[tokio::test]
async fn every_event_is_proved_with_and_without_its_payload() {
    let (store, entry) = life().await;
    let key = key();
    for event in store.events(entry.id, 0, 1000).await.unwrap() {
        let proof = EventProof::make(&store, &entry, event.seq, Some(&key)).await.unwrap();
        assert!(proof.holds(Some(key.public())) && proof.holds(None));
        assert!(!proof.holds(Some(HostKey::from_seed(&[1; 32]).public())));
        if let Some(payload) = &event.payload {
            let with = proof.clone().with_payload(payload);
            assert!(with.holds(Some(key.public())));
            let mut other = with;
            other.payload.as_mut().unwrap().bytes[0] ^= 1;
            assert!(!other.holds(None));
        }
        let unsigned = EventProof::make(&store, &entry, event.seq, None).await.unwrap();
        assert!(unsigned.holds(None) && !unsigned.holds(Some(key.public())));
        let mut changed = proof.clone();
        changed.event.timestamp ^= 1;
        assert!(!changed.holds(None));
        changed.event.hash = Digest([1; 32]);
        assert!(!changed.holds(None));
        let mut moved = proof;
        moved.root = Digest([2; 32]);
        assert!(!moved.holds(None));
    }
    let beyond = EventProof::make(&store, &entry, entry.head.seq + 1, None).await.unwrap_err();
    assert!(matches!(beyond, ProveError::Beyond(..)), "{beyond}");
}

/// The checker in Python, on good and on changed proofs; where there is no python3 there is nothing
/// to run.
#[tokio::test]
async fn the_python_checker_says_the_same() {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/check_proof.py");
    let run = |proof: &serde_json::Value, key: &str| -> Option<(bool, String)> {
        let file = std::env::temp_dir().join(format!("theater-proof-{}.json", std::process::id()));
        std::fs::write(&file, proof.to_string()).unwrap();
        let output = Command::new("python3").arg(&checker).arg(&file).arg(key).output();
        std::fs::remove_file(&file).unwrap();
        let output = output.ok()?;
        let text = [output.stdout, output.stderr].concat();
        Some((output.status.success(), String::from_utf8(text).unwrap()))
    };
    let (store, entry) = life().await;
    let (key, hex) = (key(), key().public().hex());
    for seq in [0, 4, entry.head.seq] {
        let event = store.events(entry.id, seq, 1).await.unwrap().pop().unwrap();
        let mut proof = EventProof::make(&store, &entry, seq, Some(&key)).await.unwrap();
        if let Some(payload) = &event.payload {
            proof = proof.with_payload(payload);
        }
        let good = serde_json::to_value(&proof).unwrap();
        let Some((yes, said)) = run(&good, &hex) else { return };
        assert!(yes && said.starts_with(&format!("yes: event {seq}")), "{said}");
        let refused = |change: &dyn Fn(&mut serde_json::Value), key: &str, reason: &str| {
            let mut bad = good.clone();
            change(&mut bad);
            let (yes, said) = run(&bad, key).unwrap();
            assert!(!yes && said.contains(reason), "{reason}: {said}");
        };
        refused(&|_| {}, &"00".repeat(32), "another host signed it");
        refused(&|proof| proof["event"]["timestamp"] = 1.into(), &hex, "does not hash to its hash");
        refused(&|proof| proof["inclusion"][0] = "00".repeat(32).into(), &hex, "not in the tree");
        refused(&|proof| proof["checkpoint"] = serde_json::Value::Null, &hex, "it is not signed");
        let signed = HostKey::from_seed(&[1; 32]).sign_actor(entry.id, &checkpoint(&proof));
        refused(&|proof| proof["checkpoint"] = signed.clone().into(), &hex, "another key");
        // The right name and id, and a signature that another key made.
        let own = proof.checkpoint.clone().unwrap();
        let (text, line) = own.split_once("\n\n").unwrap();
        let flipped = format!("{text}\n\n{}AAA=\n", &line.trim_end()[..line.trim_end().len() - 4]);
        refused(&|proof| proof["checkpoint"] = flipped.clone().into(), &hex, "the signature is not that of the key");
        if proof.payload.is_some() {
            refused(&|proof| proof["payload"]["bytes"] = "AAAA".into(), &hex, "the payload is another one");
        }
    }
}

fn checkpoint(proof: &EventProof) -> theater_chain::note::Checkpoint {
    let note: theater_chain::note::Note = proof.checkpoint.as_ref().unwrap().parse().unwrap();
    note.text().parse().unwrap()
}
