//! What signatures prove: histories that were written anew or cut short, and what cannot be told.

use theater_chain::data::RestartStateKind;
use theater_chain::merkle::Frontier;
use theater_chain::note::{Checkpoint, HostKey, Note};
use theater_chain::testing::Story;
use theater_chain::{
    ChainEvent, ChainStore as _, Commit, Head, HeadLog as _, KeyFrom, Level, LoggedHead, MemoryStore, StoreReport,
    TheaterId, TreeUpdate, Trust, Verification,
};

pub(super) fn key() -> HostKey {
    HostKey::from_seed(&[9; 32])
}

/// The commits of two lives, signed after each.
pub(super) fn commits() -> Vec<Commit> {
    let mut tree = Frontier::new();
    let mut commits = Vec::new();
    let mut stories = [Story::new(1), Story::new(2)];
    for round in 0..6u8 {
        let story = &mut stories[usize::from(round % 2)];
        if round < 2 {
            story.start(RestartStateKind::Reset, Some(b"{}"));
        }
        for n in 0..5 {
            story.call(None);
            story.commit_state(None, &[round, n]);
        }
        let entries = vec![LoggedHead { actor: story.id, head: story.head.unwrap() }];
        let update = TreeUpdate::signed(&key(), tree, entries);
        tree = update.tree.clone();
        commits.push(Commit { tree: Some(update), ..story.commit() });
    }
    commits
}

pub(super) async fn stored(commits: Vec<Commit>) -> MemoryStore {
    let store = MemoryStore::new();
    for commit in commits {
        store.commit(commit).await.unwrap();
    }
    store
}

async fn verified(store: &MemoryStore, trust: Trust<'_>) -> StoreReport {
    Verification::new(Level::Full).signed(trust).store(store, &mut |_| ()).await.unwrap()
}

fn given(key: &HostKey) -> Trust<'_> {
    Trust { key: Some(key.public()), kept: None }
}

/// Everything that is wrong.
fn faults(report: &StoreReport) -> Vec<String> {
    let of_actors = report.actors.iter().filter_map(|actor| actor.fault.as_ref());
    let of_log = report.log.iter().filter_map(|log| log.fault.clone());
    let faults: Vec<_> = of_actors.map(|fault| fault.to_string()).chain(of_log).collect();
    assert_eq!(report.ok, faults.is_empty(), "{report:?}");
    faults
}

fn only(report: &StoreReport) -> String {
    let faults = faults(report);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].clone()
}

/// The same commits with other heads logged, or with other events.
fn changed(change: impl Fn(usize, &mut Commit)) -> Vec<Commit> {
    let mut commits = commits();
    commits.iter_mut().enumerate().for_each(|(n, commit)| change(n, commit));
    commits
}

/// The chain written anew from this event on, each hash made right.
pub(super) fn rewritten(commits: &mut [Commit], actor: TheaterId, from: u64) {
    let mut head: Option<Head> = None;
    for commit in commits {
        for update in &mut commit.actors {
            if update.id == actor {
                update.expected = head;
            }
        }
        for (id, event) in &mut commit.events {
            if *id == actor {
                let later = u64::from(event.seq >= from);
                let (kind, data) = (event.event_type.clone(), event.data.clone());
                let payload = event.payload.clone();
                *event = ChainEvent::following(head.as_ref(), kind, event.timestamp + later, data, payload);
                head = Some(event.head());
            }
        }
    }
}

#[tokio::test]
async fn what_is_signed_verifies_and_says_what_it_does_not_prove() {
    let store = stored(commits()).await;
    let report = verified(&store, given(&key())).await;
    assert_eq!(faults(&report), Vec::<String>::new());
    let log = report.log.clone().unwrap();
    assert_eq!((log.entries, log.checkpoints.len()), (6, 1));
    assert_eq!((log.checkpoints[0].size, log.checkpoints[0].key), (6, KeyFrom::Given));
    for actor in &report.actors {
        assert_eq!(actor.signed, actor.head.map(|head| head.seq));
    }
    let [end] = &report.unchecked[..] else { panic!("{:?}", report.unchecked) };
    assert!(end.contains("nothing proves that this is the end"), "{end}");
    // Without a key there is only what the chains say of it, and these name none.
    let report = verified(&store, Trust::default()).await;
    assert_eq!(faults(&report), Vec::<String>::new());
    assert_eq!(report.log.unwrap().checkpoints[0].key, KeyFrom::Nowhere);
    assert!(report.unchecked.iter().any(|sentence| sentence.contains("its public key is not known")));
}

#[tokio::test]
async fn a_history_that_was_written_anew_without_the_key_is_found() {
    let actor = Story::new(1).id;
    for from in 0..33 {
        let mut commits = commits();
        rewritten(&mut commits, actor, from);
        let store = stored(commits).await;
        // The chain itself is one.
        let plain = Verification::new(Level::Full).store(&store, &mut |_| ()).await.unwrap();
        assert!(plain.ok, "{plain:?}");
        let signed = [10, 20, 30].into_iter().find(|head| *head >= from);
        let report = verified(&store, given(&key())).await;
        match signed {
            Some(head) => assert_eq!(only(&report), format!("event {head}: it is not the event that is signed")),
            None => assert!(report.ok, "nothing was changed"),
        }
    }
}

#[tokio::test]
async fn a_log_that_was_written_anew_is_found() {
    // With the heads of another history, under the checkpoint of the first.
    let mut other = commits();
    rewritten(&mut other, Story::new(1).id, 3);
    let store = stored(changed(|n, commit| {
        let heads: Vec<_> = other[n].events.iter().map(|(_, event)| event.head()).collect();
        *commit = other[n].clone();
        let tree = commit.tree.as_mut().unwrap();
        tree.entries[0].head = *heads.last().unwrap();
    }))
    .await;
    assert_eq!(only(&verified(&store, given(&key())).await), "the log of heads is not the one that its end says");
    // With the tree made right, too.
    let mut tree = Frontier::new();
    let mut forged = other.clone();
    for commit in &mut forged {
        let update = commit.tree.as_mut().unwrap();
        update.entries[0].head = commit.events.last().unwrap().1.head();
        tree.push(update.entries[0].leaf());
        update.tree = tree.clone();
    }
    let store = stored(forged.clone()).await;
    let expected =
        format!("the first 6 entries of the log of heads are not those that {} signed", key().public().name());
    assert_eq!(only(&verified(&store, given(&key())).await), expected);
    assert_eq!(only(&verified(&store, Trust::default()).await), expected, "also without a key");
    // Signed with another key: found by whoever knows the first, else it is said that nobody does.
    let thief = HostKey::from_seed(&[1; 32]);
    let mut tree = Frontier::new();
    for commit in &mut forged {
        let update = TreeUpdate::signed(&thief, tree, commit.tree.take().unwrap().entries);
        tree = update.tree.clone();
        commit.tree = Some(update);
    }
    let store = stored(forged.clone()).await;
    let fault = only(&verified(&store, given(&key())).await);
    assert_eq!(fault, format!("no checkpoint of {} is here", key().public().name()));
    let report = verified(&store, Trust::default()).await;
    assert!(report.ok && report.unchecked.iter().any(|sentence| sentence.contains(thief.public().name())));
    // Under the name of the first key.
    for commit in &mut forged {
        let update = commit.tree.as_mut().unwrap();
        update.head.origin = key().public().name().to_owned();
    }
    let fault = only(&verified(&stored(forged).await, given(&key())).await);
    assert!(fault.contains("it is a checkpoint of"), "{fault}");
    // Without any signature.
    let store = stored(changed(|_, commit| commit.tree = None)).await;
    let fault = only(&verified(&store, given(&key())).await);
    assert!(fault.starts_with("nothing here is signed"), "{fault}");
    let report = verified(&store, Trust::default()).await;
    assert!(report.ok && report.unchecked.iter().any(|sentence| sentence.contains("nothing here is signed")));
}

#[tokio::test]
async fn a_cut_tail_is_found_where_a_later_head_is_known_and_else_said() {
    let note =
        |commits: &[Commit]| -> Note { commits.last().unwrap().tree.as_ref().unwrap().head.note.parse().unwrap() };
    let all = commits();
    for keep in 0..=all.len() {
        // The chains are cut, and the log with its checkpoint is not.
        let mut cut = all.clone();
        let updates: Vec<_> = cut.drain(keep..).filter_map(|commit| commit.tree).collect();
        cut.extend(updates.into_iter().map(|tree| Commit { tree: Some(tree), ..Commit::default() }));
        let report = verified(&stored(cut).await, given(&key())).await;
        assert_eq!(report.ok, keep == all.len(), "{keep}: {report:?}");
        for fault in faults(&report) {
            assert!(fault.contains("is signed"), "{fault}");
        }
        // All is cut alike: that cannot be told here, and is said; who kept a checkpoint finds it.
        let store = stored(all[..keep].to_vec()).await;
        if keep > 0 {
            let report = verified(&store, given(&key())).await;
            assert!(
                report.ok && report.unchecked.iter().any(|said| said.contains("nothing proves that this is the end"))
            );
        }
        for kept in 1..=all.len() {
            let kept_note = note(&all[..kept]);
            let report = verified(&store, Trust { kept: Some(&kept_note), ..Trust::default() }).await;
            assert_eq!(report.ok, kept <= keep, "{kept} kept, {keep} here: {report:?}");
            if !report.ok {
                assert!(only(&report).ends_with("its end was cut off"), "{report:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_kept_checkpoint_finds_another_history() {
    let kept: Note = commits()[3].tree.as_ref().unwrap().head.note.parse().unwrap();
    let mut tree = Frontier::new();
    let mut other = commits();
    rewritten(&mut other, Story::new(1).id, 3);
    for commit in &mut other {
        // By the host itself, or with its key.
        let mut entries = commit.tree.take().unwrap().entries;
        entries[0].head = commit.events.last().unwrap().1.head();
        let update = TreeUpdate::signed(&key(), tree, entries);
        tree = update.tree.clone();
        commit.tree = Some(update);
    }
    let store = stored(other).await;
    assert!(verified(&store, given(&key())).await.ok);
    let with = async |key: &HostKey| verified(&store, Trust { key: Some(key.public()), kept: Some(&kept) }).await;
    let fault = only(&with(&key()).await);
    assert_eq!(fault, "the first 4 entries of the log of heads are not those of the kept checkpoint");
    let fault = only(&with(&HostKey::from_seed(&[1; 32])).await);
    assert!(fault.contains("the kept checkpoint is not right"), "{fault}");
}

#[tokio::test]
async fn a_kept_checkpoint_of_one_chain_finds_its_cut_and_its_changes() {
    let store = stored(commits()).await;
    let actor = Story::new(1).id;
    let key = key();
    let events = store.events(actor, 0, 1000).await.unwrap();
    let of = |count: usize| {
        let mut tree = Frontier::new();
        events[..count].iter().for_each(|event| tree.push(theater_chain::merkle::leaf(&[event.hash.as_bytes()])));
        let note = key.sign_actor(actor, &Checkpoint::of(&key.public().of_actor(actor), &tree));
        note.parse::<Note>().unwrap()
    };
    for count in [0, 1, 7, events.len()] {
        let report = verified(&store, Trust { key: Some(key.public()), kept: Some(&of(count)) }).await;
        assert!(report.ok, "{report:?}");
    }
    let shorter = stored(commits()[..4].to_vec()).await;
    let fault = only(&verified(&shorter, Trust { key: Some(key.public()), kept: Some(&of(events.len())) }).await);
    assert!(fault.contains(&format!("the chain of {actor} has 21: its end was cut off")), "{fault}");
    let mut other = commits();
    rewritten(&mut other, actor, 3);
    let report = verified(&stored(other).await, Trust { key: None, kept: Some(&of(5)) }).await;
    assert!(faults(&report).iter().any(|fault| fault.contains("the first 5 entries")), "{report:?}");
}

#[tokio::test]
async fn an_actor_that_is_not_here_any_more_is_found() {
    let gone = Story::new(2).id;
    let store = stored(changed(|_, commit| {
        commit.actors.retain(|update| update.id != gone);
        commit.events.retain(|(id, _)| *id != gone);
    }))
    .await;
    let fault = only(&verified(&store, given(&key())).await);
    assert_eq!(fault, "event 0: the actor is not here, and its event 30 is signed");
    // Who asks for the other one alone is not told.
    let entry = store.actor(Story::new(1).id).await.unwrap().unwrap();
    let report = Verification::new(Level::Full).signed(given(&key())).actors(&store, &[entry]).await.unwrap();
    assert!(report.ok, "{report:?}");
}

/// What is appended after the newest checkpoint, or by a store that dropped old events.
#[tokio::test]
async fn what_is_not_covered_is_said() {
    let mut all = commits();
    all.last_mut().unwrap().tree = None;
    let report = verified(&stored(all).await, given(&key())).await;
    assert!(report.ok, "{report:?}");
    assert!(report.unchecked.iter().any(|said| said.starts_with("the newest events of 1 chains")), "{report:?}");

    let store = MemoryStore::bounded(12);
    for commit in commits() {
        store.commit(commit).await.unwrap();
    }
    let report = verified(&store, given(&key())).await;
    assert!(report.ok, "{report:?}");
    assert!(report.unchecked.iter().any(|said| said == "signed heads of events that were not kept"), "{report:?}");
    assert_eq!(store.end().await.unwrap().tree.size(), 6);
}
