//! Where a host may go on signing, and where it may not.

use theater_chain::data::RestartStateKind;
use theater_chain::merkle::Frontier;
use theater_chain::note::HostKey;
use theater_chain::testing::Story;
use theater_chain::{
    ChainStore as _, Commit, HeadLog as _, LoggedHead, MemoryStore, SignedLog, StoreError, TreeUpdate,
};

use crate::signed::{commits, key, rewritten, stored};

/// Why the key may not go on; `None`: it may.
async fn refusal(store: &MemoryStore) -> Option<String> {
    match SignedLog::open(store, key().public()).await {
        Ok(_) => None,
        Err(StoreError::NotSigned(reason)) => Some(reason),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn it_goes_on_where_everything_is_signed_and_from_what_a_crash_left() {
    assert_eq!(refusal(&MemoryStore::new()).await, None);
    for signed in 0..=6 {
        let mut all = commits();
        all[signed..].iter_mut().for_each(|commit| commit.tree = None);
        let store = stored(all).await;
        let mut log = SignedLog::open(&store, key().public()).await.unwrap().unwrap();
        assert_eq!(log.is_due(), signed < 6);
        // What was left is signed with what comes next, and then all is.
        let update = log.sign(&key());
        store.commit(Commit { tree: update, ..Commit::default() }).await.unwrap();
        assert_eq!(store.unlogged().await.unwrap(), []);
        assert_eq!(refusal(&store).await, None);
    }
}

#[tokio::test]
async fn a_history_that_was_written_anew_is_not_signed() {
    // Both in chains whose end is logged and where more came after the newest entry.
    for cut in [6, 5, 4] {
        for from in 0..31 {
            let mut all = commits();
            rewritten(&mut all, Story::new(1).id, from);
            all[cut..].iter_mut().for_each(|commit| commit.tree = None);
            // The newest head of the first chain that is logged.
            let logged = [10, 20, 30][(cut - 1) / 2];
            let refused = refusal(&stored(all).await).await;
            assert_eq!(refused.is_some(), from <= logged, "from {from}, {logged} is logged: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_log_that_was_cut_or_lost_or_signed_by_another_is_not_continued() {
    // The checkpoint is gone, or an older one.
    let mut all = commits();
    let unsigned = all[5].tree.as_mut().unwrap();
    unsigned.head.origin = "theater/other".into();
    let said = refusal(&stored(all).await).await.unwrap();
    assert!(said.ends_with("signed 5 heads of chains, and 6 are logged"), "{said}");
    let mut all = commits();
    all.iter_mut().for_each(|commit| commit.tree.as_mut().unwrap().head.origin = "theater/other".into());
    let store = stored(all).await;
    let said = refusal(&store).await.unwrap();
    assert!(said.starts_with("no checkpoint of theater/"), "{said}");
    // Who answers for it goes on all the same, and from there it is signed.
    let mut log = SignedLog::open_anew(&store).await.unwrap().unwrap();
    assert!(!log.is_due());
    let mut story = Story::new(3);
    story.start(RestartStateKind::Reset, None);
    store.commit(story.commit()).await.unwrap();
    log.changed(story.id, story.head.unwrap());
    store.commit(Commit { tree: log.sign(&key()), ..Commit::default() }).await.unwrap();
    assert_eq!(refusal(&store).await, None);
    // Of another key altogether; and the checkpoint is of another tree.
    let mut tree = Frontier::new();
    let mut all = commits();
    for commit in &mut all {
        let thief = HostKey::from_seed(&[1; 32]);
        let mut update = TreeUpdate::signed(&thief, tree, commit.tree.take().unwrap().entries);
        tree = update.tree.clone();
        update.head.origin = key().public().name().to_owned();
        commit.tree = Some(update);
    }
    let said = refusal(&stored(all).await).await.unwrap();
    assert!(said.starts_with("the end of the log of heads is not the one that theater/"), "{said}");
}

/// A store without a log has no chain that was recorded under the key.
#[tokio::test]
async fn a_log_that_was_removed_is_missed_where_chains_name_the_key() {
    for named in [false, true] {
        let mut story = Story::new(1);
        story.host_key = named.then(|| key().public().hex());
        story.write_life();
        let store = stored(vec![story.commit()]).await;
        let refused = refusal(&store).await;
        assert_eq!(refused.is_some(), named, "{refused:?}");
        if let Some(said) = refused {
            assert!(said.ends_with("and nothing here is signed"), "{said}");
        }
    }
}

/// The events that are signed are gone, and what is there begins later.
#[tokio::test]
async fn a_tail_that_does_not_follow_from_what_is_signed_is_not_signed() {
    let mut all = commits();
    let log = all[0].tree.as_mut().unwrap();
    log.entries.push(LoggedHead { actor: Story::new(9).id, head: log.entries[0].head });
    let update = TreeUpdate::signed(&key(), Frontier::new(), log.entries.clone());
    all.truncate(1);
    all[0].tree = Some(update);
    let said = refusal(&stored(all).await).await.unwrap();
    assert!(said.contains("does not end with its event 10, as signed"), "{said}");
}
