//! What every store must do that keeps a log of changed heads.

use std::sync::Arc;

use super::Story;
use super::conformance::started;
use crate::merkle::Frontier;
use crate::note::HostKey;
use crate::{ChainStore, Commit, LogEnd, LoggedHead, StoreError, TreeUpdate};

/// It is read back, grows by what continues it, and says which heads it lacks.
pub(super) async fn the_log_of_heads_only_grows(store: Arc<dyn ChainStore>) {
    let Some(log) = store.head_log() else { return };
    assert_eq!(log.end().await.unwrap(), LogEnd::default());
    assert_eq!(log.entries(0, 10).await.unwrap(), []);
    let key = HostKey::from_seed(&[3; 32]);
    let mut tree = Frontier::new();
    let mut all = Vec::new();
    let mut stories = [started(&*store, 1).await, started(&*store, 2).await, started(&*store, 3).await];
    let heads = |stories: &[Story]| -> Vec<_> {
        stories.iter().map(|story| LoggedHead { actor: story.id, head: story.head.unwrap() }).collect()
    };
    // Nothing was logged yet.
    assert_eq!(sorted(log.unlogged().await.unwrap()), heads(&stories));
    for round in 0..5 {
        stories[round % 3].call(None);
        stories[round % 3].commit_state(None, &[round as u8]);
        let entries = if round == 0 { heads(&stories) } else { heads(&stories[round % 3..=round % 3]) };
        let update = TreeUpdate::signed(&key, tree, entries.clone());
        tree = update.tree.clone();
        let commit = Commit { tree: Some(update.clone()), ..stories[round % 3].commit() };
        store.commit(commit).await.unwrap();
        all.extend(entries);
        assert_eq!(log.end().await.unwrap(), LogEnd { tree: tree.clone(), heads: vec![update.head.clone()] });
        assert_eq!(log.unlogged().await.unwrap(), []);
        // Twice is once too often, with or without a part of it.
        let again = Commit { tree: Some(update), ..Commit::default() };
        let refused = store.commit(again).await;
        assert!(matches!(refused, Err(StoreError::OtherLog { .. })), "{refused:?}");
    }
    assert_eq!(log.entries(0, 100).await.unwrap(), all);
    assert_eq!(log.entries(2, 3).await.unwrap(), all[2..5]);
    assert_eq!(log.entries(all.len() as u64, 3).await.unwrap(), []);
    assert_eq!(log.entries(u64::MAX, 3).await.unwrap(), []);
    // What came after the newest update, and a key beside the first that signs without entries.
    stories[1].call(None);
    store.commit(stories[1].commit()).await.unwrap();
    assert_eq!(log.unlogged().await.unwrap(), heads(&stories[1..=1]));
    let other = HostKey::from_seed(&[4; 32]);
    let update = TreeUpdate::signed(&other, tree.clone(), Vec::new());
    store.commit(Commit { tree: Some(update), ..Commit::default() }).await.unwrap();
    let end = log.end().await.unwrap();
    assert_eq!((end.tree, end.heads.len()), (tree, 2));
}

fn sorted(mut entries: Vec<LoggedHead>) -> Vec<LoggedHead> {
    entries.sort_by_key(|entry| entry.actor);
    entries
}
