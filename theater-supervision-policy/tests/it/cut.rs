//! Consistent cuts: cases by hand, and random executions against a search over all cuts.

mod chains;
mod cost;
mod model;
mod watched;

use std::collections::BTreeMap;

use theater_chain::data::Effect;
use theater_chain::{MemoryStore, TheaterId};
use theater_supervision_policy::cut::{self, Cut, Member, NoCut};

use self::chains::{Actor, Ending, Told, cut_in, cut_of, keep};
use self::watched::Watched;

const CHANGED: Ending = Ending::State { answer: true };

fn actors<const N: usize>() -> [Actor; N] {
    let mut id = 0;
    [(); N].map(|()| {
        id += 1;
        let mut actor = Actor::new(id);
        actor.resume();
        actor
    })
}

fn stranger() -> TheaterId {
    TheaterId::from_bytes([99; 16])
}

fn of(actor: &Actor, calls: &[u64]) -> BTreeMap<TheaterId, Vec<u64>> {
    BTreeMap::from([(actor.id(), calls.to_vec())])
}

#[track_caller]
fn refused(cut: Result<Cut, NoCut>, member: &Actor, seq: u64, words: &str) {
    let no_cut = cut.unwrap_err();
    assert_eq!((no_cut.member, no_cut.seq), (member.id(), seq), "{no_cut}");
    let sentence = no_cut.to_string();
    assert!(sentence.starts_with("there is no consistent cut: in the chain of actor "), "{sentence}");
    assert!(sentence.contains(&member.id().to_string()) && sentence.contains(&seq.to_string()), "{sentence}");
    assert!(sentence.contains(words), "{sentence}");
}

/// `asker` asks `asked`, which changes its state and answers; then the call of the asker ends so. The
/// seqs of the two calls.
fn asks(asker: &mut Actor, asked: &mut Actor, message: &str, ending: Ending) -> (u64, u64) {
    asker.begin_send(message);
    let request = asker.request(0, asked.id());
    asked.begin_request(&request);
    asked.end(CHANGED);
    asker.told(0, Told::Ok);
    asker.end(ending);
    (asker.call, asked.call)
}

#[tokio::test]
async fn nothing_is_undone_where_all_has_committed() {
    let [mut a, mut b] = actors();
    asks(&mut a, &mut b, "cli/1", CHANGED);
    let (at_a, at_b) = (a.now(), b.now());
    a.stopped();
    b.stopped();
    let cut = cut_of(&mut [&mut a, &mut b]).await.unwrap();
    assert_eq!(cut, Cut { members: vec![at_a, at_b], ..Cut::default() });
}

#[tokio::test]
async fn an_idle_member_is_cut_at_its_start() {
    let [mut a] = actors();
    let mut b = Actor::new(2);
    b.reset();
    b.end(CHANGED);
    let expected = vec![a.now(), b.now()];
    assert_eq!(expected[0].1, 0);
    assert_eq!(cut_of(&mut [&mut a, &mut b]).await.unwrap().members, expected);
}

#[tokio::test]
async fn a_request_of_a_call_that_trapped_was_sent_by_nobody() {
    let [mut a, mut b] = actors();
    a.handles("cli/1");
    b.handles("cli/2");
    let expected = vec![a.now(), b.now()];
    let (trapped, undone) = asks(&mut a, &mut b, "cli/3", Ending::Trap);
    let cut = cut_of(&mut [&mut a, &mut b]).await.unwrap();
    assert_eq!((&cut.members, &cut.undone), (&expected, &of(&b, &[undone])));
    // The call that trapped is to blame, and its request never happened.
    assert!(cut.redeliver.is_empty() && cut.interrupted.is_empty());
    assert!(!cut.is_undone(&format!("{}/{trapped}/0", a.id())));
    assert!(cut.is_undone(&format!("{}/{undone}/0", b.id())));
}

#[tokio::test]
async fn a_request_that_is_still_running_when_the_requester_is_killed() {
    let [mut a, mut b] = actors();
    let at_a = a.now();
    a.begin_send("cli/1");
    let request = a.request(0, b.id());
    a.told(0, Told::Abandoned);
    a.end(Ending::Killed);
    let at_b = b.now();
    b.begin_request(&request);
    let undone = b.call;
    b.end(CHANGED);
    let cut = cut_of(&mut [&mut a, &mut b]).await.unwrap();
    let interrupted = BTreeMap::from([(a.id(), a.call)]);
    assert_eq!(cut, Cut { members: vec![at_a, at_b], undone: of(&b, &[undone]), interrupted, ..Cut::default() });
}

#[tokio::test]
async fn a_chain_of_three_is_undone_to_its_end() {
    let [mut a, mut b, mut c] = actors();
    let expected = vec![a.now(), b.now(), c.now()];
    a.begin_send("cli/1");
    let to_b = a.request(0, b.id());
    b.begin_request(&to_b);
    let to_c = b.send(0, c.id(), Told::Ok);
    b.end(CHANGED);
    let (at_c, _) = c.handles(&to_c);
    let (after, _) = c.handles("cli/2");
    a.end(Ending::Trap);
    let cut = cut_of(&mut [&mut a, &mut b, &mut c]).await.unwrap();
    assert_eq!(cut.members, expected);
    assert_eq!(cut.undone, BTreeMap::from([(b.id(), vec![b.call]), (c.id(), vec![at_c, after])]));
    // What b sent never happened; what came from outside did.
    assert_eq!(cut.redeliver, of(&c, &[after]));
    assert!(cut.is_undone(&to_c) && !cut.is_undone("cli/2"));
}

#[tokio::test]
async fn who_used_the_reply_of_an_undone_call_is_undone_with_it() {
    let [mut a, mut b, mut c] = actors();
    let (at_a, at_b, at_c) = (a.now(), b.now(), c.now());
    // a traps; b has acted on its request, and c on what b said then.
    let (_, first) = asks(&mut a, &mut b, "cli/1", Ending::Trap);
    let (asker, second) = asks(&mut c, &mut b, "cli/2", CHANGED);
    let (last, _) = c.handles("cli/3");
    let cut = cut_of(&mut [&mut a, &mut b, &mut c]).await.unwrap();
    assert_eq!(cut.members, [at_a, at_b, at_c]);
    assert_eq!(cut.undone, BTreeMap::from([(b.id(), vec![first, second]), (c.id(), vec![asker, last])]));
    assert_eq!(cut.redeliver, of(&c, &[asker, last]));
}

#[tokio::test]
async fn a_deadline_is_no_reply() {
    let [mut a, mut b, mut c] = actors();
    let (first_at_a, first_at_c) = (a.now(), c.now());
    b.begin_send("cli/1");
    let to_c = b.request(0, c.id());
    c.begin_request(&to_c);
    c.end(CHANGED);
    // c is asked by a, and answers too late.
    a.begin_send("cli/2");
    let late = a.request(0, c.id());
    a.told(0, Told::Err);
    a.end(CHANGED);
    let at_a = a.now();
    c.begin_request(&late);
    let late_call = c.call;
    c.end(CHANGED);
    b.end(Ending::Trap);
    let cut = cut_of(&mut [&mut a, &mut b, &mut c]).await.unwrap();
    assert_eq!((cut.members[0], cut.members[2]), (at_a, first_at_c));
    assert_ne!(at_a, first_at_a);
    assert_eq!(cut.redeliver, of(&c, &[late_call]));
}

#[tokio::test]
async fn an_err_of_the_guest_is_a_reply() {
    let [mut a, mut b, mut c] = actors();
    let at_a = a.now();
    asks(&mut b, &mut c, "cli/1", Ending::Trap);
    a.begin_send("cli/2");
    let request = a.request(0, c.id());
    c.begin_request(&request);
    c.end(Ending::Refused);
    a.told(0, Told::Err);
    a.end(CHANGED);
    let cut = cut_of(&mut [&mut a, &mut b, &mut c]).await.unwrap();
    assert_eq!(cut.members[0], at_a);
    assert_eq!(cut.redeliver, of(&a, &[a.call]));
}

#[tokio::test]
async fn a_call_that_answered_err_asked_but_sent_nothing() {
    let [mut a, mut b] = actors();
    a.begin_send("cli/1");
    a.send(0, stranger(), Told::Ok);
    let request = a.request(1, b.id());
    b.begin_request(&request);
    b.end(CHANGED);
    a.told(1, Told::Ok);
    a.end(Ending::Refused);
    let kept = vec![a.now(), b.now()];
    let cut = cut_of(&mut [&mut a, &mut b]).await.unwrap();
    assert_eq!(cut, Cut { members: kept, ..Cut::default() });
}

/// `a` traps while `b` has done something for it, in a way that is given.
async fn undoing(what: impl FnOnce(&mut Actor)) -> (Result<Cut, NoCut>, Actor) {
    let [mut a, mut b] = actors();
    a.begin_send("cli/1");
    let request = a.request(0, b.id());
    b.begin_request(&request);
    what(&mut b);
    a.end(Ending::Trap);
    (cut_of(&mut [&mut a, &mut b]).await, b)
}

#[tokio::test]
async fn what_has_left_the_group_cannot_be_undone() {
    let (cut, b) = undoing(|b| {
        b.send(0, stranger(), Told::Ok);
        b.end(CHANGED);
    })
    .await;
    refused(cut, &b, b.call, "its message (host call 0) went to an actor outside of the group");

    let (cut, b) = undoing(|b| {
        b.read(0);
        b.request(1, stranger());
        b.told(1, Told::Ok);
        b.end(CHANGED);
    })
    .await;
    refused(cut, &b, b.call, "its request (host call 1) went to an actor outside of the group");

    for effect in [Effect::Write, Effect::WriteIdempotent] {
        let (cut, b) = undoing(|b| {
            b.write(0, effect, Told::Ok);
            b.end(CHANGED);
        })
        .await;
        refused(cut, &b, b.call, "its acme:mail/mail#post has had an effect outside of the group");
    }

    for sender in ["cli/2".to_owned(), format!("{}/4/0", stranger())] {
        let (cut, b) = undoing(|b| {
            b.end(CHANGED);
            b.begin_request(&sender);
            b.end(CHANGED);
        })
        .await;
        refused(cut, &b, b.call, "it has answered a request");
    }
}

#[tokio::test]
async fn what_only_seems_to_leave_the_group_can_be_undone() {
    let (cut, b) = undoing(|b| {
        b.send(0, stranger(), Told::Err); // refused by the host
        b.write(1, Effect::Write, Told::Denied);
        b.send(2, stranger(), Told::Denied);
        b.request(3, stranger());
        b.told(3, Told::Denied);
        b.read(4);
        b.end(CHANGED);
        b.begin_send("cli/2");
        b.send(0, stranger(), Told::Ok); // dropped with the err
        b.end(Ending::Refused);
        b.begin_callback();
        b.end(CHANGED);
        b.handles(&format!("{}/4/0", stranger()));
    })
    .await;
    let cut = cut.unwrap();
    assert_eq!(cut.members[1].1, 0);
    // Not the callback, which is made again; and not what a sent.
    let calls = &cut.undone[&b.id()];
    assert_eq!(cut.redeliver, of(&b, &[calls[1], calls[3]]));
    assert_eq!(calls.len(), 4);
}

#[tokio::test]
async fn a_message_between_the_parts_is_delivered_again() {
    let [mut a, mut b, mut c] = actors();
    c.begin_send("cli/1");
    let request = c.request(0, b.id());
    b.begin_request(&request);
    b.end(CHANGED);
    a.begin_send("cli/2");
    let sent = [a.send(0, b.id(), Told::Ok), a.send(1, b.id(), Told::Ok), a.send(2, b.id(), Told::Ok)];
    a.end(Ending::Unchanged { answer: false });
    let at_a = a.now();
    let (first, _) = b.handles(&sent[0]);
    let (second, _) = b.handles(&sent[1]);
    b.begin_send(&sent[2]);
    b.end(Ending::Killed);
    c.end(Ending::Trap);
    let cut = cut_of(&mut [&mut a, &mut b, &mut c]).await.unwrap();
    assert_eq!(cut.members[0], at_a);
    assert_eq!(cut.redeliver, of(&b, &[first, second]));
    assert_eq!(cut.interrupted, BTreeMap::from([(b.id(), b.call)]));
}

#[tokio::test]
async fn an_erased_receiver_is_missed_only_where_it_is_needed() {
    for ending in [CHANGED, Ending::Trap] {
        let [mut a, mut b] = actors();
        asks(&mut a, &mut b, "cli/1", CHANGED);
        let store = Watched::new(MemoryStore::new(), true);
        let (asker, _) = asks(&mut a, &mut b, "cli/2", ending);
        let kept = vec![a.now(), b.now()];
        keep(&store, &mut [&mut a, &mut b]).await;
        let cut = cut_in(&store, &[a.id().into(), b.id().into()]).await.unwrap();
        match ending {
            Ending::Trap => refused(cut, &a, asker, "to whom host call 0 went was erased"),
            _ => assert_eq!(cut.unwrap().members, kept),
        }
    }
}

#[tokio::test]
async fn an_init_cannot_be_undone() {
    let (mut a, mut b) = (Actor::new(1), Actor::new(2));
    a.resume();
    b.resume();
    let mut c = Actor::new(3);
    asks(&mut a, &mut b, "cli/1", Ending::Trap);
    c.reset();
    let request = c.request(0, b.id());
    b.begin_request(&request);
    b.end(CHANGED);
    c.told(0, Told::Ok);
    c.end(CHANGED);
    let cut = cut_of(&mut [&mut a, &mut b, &mut c]).await;
    refused(cut, &c, c.call, "it is the init that its incarnation began with");
}

#[tokio::test]
async fn an_init_that_failed_leaves_nothing_to_go_back_to() {
    for ending in [Ending::Trap, Ending::Open] {
        let mut a = Actor::new(1);
        a.reset();
        a.end(ending);
        refused(cut_of(&mut [&mut a]).await, &a, 0, "its init has not committed");
    }
    let nobody = cut::greatest(&MemoryStore::new(), &[stranger().into()]).await.unwrap().unwrap_err();
    assert!(nobody.to_string().ends_with("no incarnation is recorded"), "{nobody}");
}

/// `a` sends to `b`, which handles it and is restarted from there; then the call of `a` is undone
/// since `c`, on which it relied, is.
async fn behind_the_start(mut a: Actor, mut b: Actor) -> (Result<Cut, NoCut>, Actor, u64) {
    let [mut c, mut d] = [Actor::new(7), Actor::new(8)];
    for actor in [&mut a, &mut b, &mut c, &mut d] {
        actor.resume();
    }
    asks(&mut d, &mut c, "cli/1", Ending::Trap);
    a.begin_send("cli/2");
    let request = a.request(0, c.id());
    c.begin_request(&request);
    c.end(CHANGED);
    a.told(0, Told::Ok);
    let sent = a.send(1, b.id(), Told::Ok);
    a.end(CHANGED);
    let (handled, _) = b.handles(&sent);
    b.stopped();
    b.resume();
    b.handles("cli/3");
    let cut = cut_of(&mut [&mut a, &mut b, &mut c, &mut d]).await;
    (cut, b, handled)
}

#[tokio::test]
async fn what_lies_before_a_start_cannot_be_undone() {
    let (cut, b, handled) = behind_the_start(Actor::new(1), Actor::new(2)).await;
    refused(cut, &b, handled, "it lies before the start of its incarnation");
}

#[tokio::test]
async fn a_reply_that_stays_given_does_not_need_the_life_that_got_it() {
    let [mut a, mut b, mut c] = actors();
    asks(&mut a, &mut b, "cli/1", CHANGED);
    a.stopped();
    a.resume();
    let (_, undone) = asks(&mut c, &mut b, "cli/2", Ending::Trap);
    let at_a = a.now();
    let cut = cut_of(&mut [&mut a, &mut b, &mut c]).await.unwrap();
    assert_eq!((cut.members[0], cut.undone), (at_a, of(&b, &[undone])));
}

#[tokio::test]
async fn a_reply_that_an_earlier_life_used_cannot_be_undone() {
    let [mut a, mut b, mut c] = actors();
    asks(&mut c, &mut b, "cli/1", Ending::Trap);
    let (asker, _) = asks(&mut a, &mut b, "cli/2", CHANGED);
    a.stopped();
    a.resume();
    let cut = cut_of(&mut [&mut a, &mut b, &mut c]).await;
    refused(cut, &a, asker, "it lies before the start of its incarnation");
}

#[tokio::test]
async fn after_a_restart_of_all_members_their_earlier_lives_are_over() {
    let (mut a, mut b) = (Actor::child_of(1, 50), Actor::child_of(2, 50));
    a.resume();
    b.resume();
    asks(&mut a, &mut b, "cli/1", Ending::Trap);
    let request = format!("{}/{}/0", a.id(), a.call);
    b.stopped();
    a.resume();
    b.resume();
    let starts = vec![a.now(), b.now()];
    let store = MemoryStore::new();
    keep(&store, &mut [&mut a, &mut b]).await;
    let members: [Member; 2] = [a.id().into(), b.id().into()];
    let cut = cut_in(&store, &members).await.unwrap().unwrap();
    assert_eq!(cut, Cut { members: starts, ..Cut::default() });
    // A request that is delivered again after both restarted: nobody waits for its reply.
    let mut c = Actor::child_of(3, 50);
    c.resume();
    asks(&mut c, &mut b, "cli/2", Ending::Trap);
    b.begin_request(&request);
    let again = b.call;
    b.end(CHANGED);
    keep(&store, &mut [&mut b, &mut c]).await;
    let cut = cut_in(&store, &[members[0], members[1], c.id().into()]).await.unwrap().unwrap();
    assert_eq!((cut.members[0], cut.redeliver), (a.now(), of(&b, &[again])));
}

#[tokio::test]
async fn a_member_that_has_not_started_since_counts_up_to_the_cut_before() {
    let [mut a, mut b] = actors();
    let (_, undone) = asks(&mut a, &mut b, "cli/1", Ending::Trap);
    let store = MemoryStore::new();
    keep(&store, &mut [&mut a, &mut b]).await;
    let members: [Member; 2] = [a.id().into(), b.id().into()];
    let first = cut_in(&store, &members).await.unwrap().unwrap();
    assert_eq!(first.undone, of(&b, &[undone]));
    // a has started again and b has not.
    a.resume();
    keep(&store, &mut [&mut a]).await;
    let limited = [members[0], Member { id: b.id(), until: Some(first.members[1].1 + 1) }];
    let second = cut_in(&store, &limited).await.unwrap().unwrap();
    assert_eq!(second, Cut { members: vec![a.now(), first.members[1]], ..Cut::default() });
}

#[tokio::test]
async fn a_store_that_dropped_what_is_needed_is_named() {
    let [mut a, mut b] = actors();
    a.handles("cli/1");
    for n in 2..10 {
        b.handles(&format!("cli/{n}"));
    }
    let store = MemoryStore::bounded(6);
    keep(&store, &mut [&mut a, &mut b]).await;
    let members: [Member; 2] = [a.id().into(), b.id().into()];
    let kept = vec![a.now(), b.now()];
    assert_eq!(cut_in(&store, &members).await.unwrap().unwrap().members, kept);
    a.begin_send("cli/20");
    a.request(0, b.id());
    a.told(0, Told::Abandoned);
    a.end(Ending::Trap);
    keep(&store, &mut [&mut a]).await;
    let first = b.now().1 - 5;
    refused(cut_in(&store, &members).await.unwrap(), &b, first, "is the first one that the store keeps");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named_where_it_is_needed() {
    for needed in [false, true] {
        let [mut a, mut b] = actors();
        let broken = b.story.append_raw("call", b"\x80".to_vec(), &[]).seq;
        b.handles("cli/1");
        b.handles("cli/2");
        a.begin_send("cli/3");
        if needed {
            a.request(0, b.id());
        }
        a.end(Ending::Trap);
        let cut = cut_of(&mut [&mut a, &mut b]).await;
        if needed {
            refused(cut, &b, broken, "is needed and cannot be read");
        } else {
            cut.unwrap();
        }
    }
}
