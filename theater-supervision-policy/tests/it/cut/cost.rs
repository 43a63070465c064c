//! How much of long chains is read.

use std::sync::atomic::Ordering;

use theater_chain::{ChainStore, MemoryStore};
use theater_supervision_policy::cut;

use super::chains::{Actor, Ending, Told, keep};
use super::watched::Watched;
use super::{CHANGED, actors, asks};

/// Calls of each actor before the end that matters.
const CALLS: usize = 20_000;

/// How many events are read for the cut of these two, after their long lives.
async fn read_of(a: &mut Actor, b: &mut Actor) -> usize {
    let store = Watched::new(MemoryStore::new(), false);
    keep(&store, &mut [a, b]).await;
    cut::greatest(&store, &[a.id().into(), b.id().into()]).await.unwrap().unwrap();
    store.read.load(Ordering::Relaxed)
}

fn lived() -> [Actor; 2] {
    let mut actors = actors();
    for actor in &mut actors {
        for n in 0..CALLS {
            actor.handles(&format!("cli/{n}"));
        }
    }
    actors
}

#[tokio::test]
async fn a_long_life_with_a_clean_end_costs_a_page() {
    let [mut a, mut b] = lived();
    asks(&mut a, &mut b, "x/1", CHANGED);
    let read = read_of(&mut a, &mut b).await;
    assert!(read <= 2 * 257, "{read} events");
}

#[tokio::test]
async fn what_is_undone_costs_what_lies_behind_it() {
    let [mut a, mut b] = lived();
    asks(&mut a, &mut b, "x/1", Ending::Trap);
    for n in 0..500 {
        b.handles(&format!("y/{n}"));
    }
    let read = read_of(&mut a, &mut b).await;
    assert!((1000..3000).contains(&read), "{read} events");
}

#[tokio::test]
async fn a_message_that_waits_or_is_dead_is_not_looked_for() {
    for waits in [true, false] {
        let [mut a, mut b] = lived();
        a.begin_send("x/1");
        let request = a.request(0, b.id());
        a.told(0, Told::Abandoned);
        a.end(Ending::Trap);
        if waits {
            b.waits(&request)
        } else {
            b.dead_letter(&request)
        }
        let read = read_of(&mut a, &mut b).await;
        assert!(read <= 2 * 257, "{read} events, waits: {waits}");
    }
}

#[tokio::test]
async fn a_message_that_is_nowhere_is_looked_for_in_the_whole_incarnation() {
    let [mut a, mut b] = lived();
    a.begin_send("x/1");
    a.request(0, b.id());
    a.told(0, Told::Abandoned);
    a.end(Ending::Trap);
    let store = Watched::new(MemoryStore::new(), false);
    keep(&store, &mut [&mut a, &mut b]).await;
    let cut = cut::greatest(&store, &[a.id().into(), b.id().into()]).await.unwrap().unwrap();
    assert_eq!(cut.members[1], b.now());
    let events = store.actor(b.id()).await.unwrap().unwrap().head.seq + 1;
    assert!(store.read.load(Ordering::Relaxed) as u64 > events);
}
