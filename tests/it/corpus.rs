//! The corpus: records that earlier versions wrote. Each must verify in full and do again what it did,
//! with equal hashes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use theater::chain::{ChainStore, Level, MemoryStore, Verification, bundle};
use theater_replay::{Part, Replayer};
use theater_supervision_policy::DecisionAudit;

#[tokio::test]
async fn every_record_of_the_corpus_verifies_and_replays() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let replayer = Replayer::new().unwrap();
    let (mut kinds, mut environmental, mut size) = (BTreeSet::new(), 0, 0);
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        size += fs::metadata(&path).unwrap().len();
        let store = Arc::new(MemoryStore::new());
        bundle::import(&*store, File::open(&path).unwrap()).await.unwrap();
        let verification = Verification::new(Level::Full).audited(&DecisionAudit);
        let report = verification.store(&*store, &mut |_| {}).await.unwrap();
        let faults: Vec<_> = report.actors.iter().filter_map(|actor| actor.fault.as_ref()).collect();
        assert!(report.ok, "{name}: {faults:?}");
        for entry in store.actors(None, usize::MAX).await.unwrap() {
            let replay = replayer.replay(store.clone(), entry.id, Part::whole()).await.unwrap();
            assert!(replay.is_ok(), "{name}, {}: {:#?}", entry.index.name, replay.diverged);
            assert!(replay.unreplayed.is_empty(), "{name}, {}: {:?}", entry.index.name, replay.unreplayed);
            assert_eq!(replay.events, entry.head.seq + 1, "{name}, {}", entry.index.name);
            environmental += replay.environmental;
            let events = store.events(entry.id, 0, usize::MAX).await.unwrap();
            kinds.extend(events.iter().map(|event| event.event_type.to_string()));
        }
    }
    // What the corpus is known to hold; a file that is gone would else pass unnoticed.
    for kind in [
        "actor_error",
        "actor_forked",
        "actor_rolled_back",
        "actor_upgraded",
        "host_call_begun",
        "instance_dropped",
        "message_accepted",
    ] {
        assert!(kinds.contains(kind), "no {kind} in {kinds:?}");
    }
    assert!(environmental > 0);
    assert!(size < 2 << 20, "the corpus has grown to {size} bytes");
}
