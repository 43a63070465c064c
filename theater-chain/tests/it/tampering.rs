//! Nothing stored can be changed unseen.

use std::borrow::Cow;

use theater_chain::testing::Story;
use theater_chain::{ChainEvent, Digest, Payload, StateChain, TheaterId, Verifier};

/// 64 events of several lives.
fn life(id: u8) -> Vec<ChainEvent> {
    let (mut story, mut events) = (Story::new(id), Vec::new());
    while events.len() < 64 {
        story.write_life();
        events.extend(story.commit().events.into_iter().map(|(_, event)| event));
    }
    events.truncate(64);
    events
}

fn fault_at(events: Vec<ChainEvent>) -> Option<u64> {
    StateChain::from_events(events).verify().err().map(|fault| fault.seq)
}

/// The bytes with one bit flipped, for each of their bits.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..8 * bytes.len()).map(move |bit| {
        let mut out = bytes.to_vec();
        out[bit / 8] ^= 1 << (bit % 8);
        out
    })
}

fn digests(digest: Digest) -> impl Iterator<Item = Digest> {
    flips(&digest.0).map(|bytes| Digest::try_from(&bytes[..]).unwrap()).collect::<Vec<_>>().into_iter()
}

/// The event with one bit flipped, for every bit of every field of it.
fn flipped(event: &ChainEvent) -> Vec<ChainEvent> {
    let mut out = Vec::new();
    let mut push = |change: &dyn Fn(&mut ChainEvent)| {
        let mut event = event.clone();
        change(&mut event);
        out.push(event);
    };
    for bit in 0..64 {
        push(&|event| event.seq ^= 1 << bit);
        push(&|event| event.timestamp ^= 1 << bit);
    }
    for digest in digests(event.parent_hash) {
        push(&|event| event.parent_hash = digest);
    }
    for digest in digests(event.hash) {
        push(&|event| event.hash = digest);
    }
    for name in flips(event.event_type.as_bytes()) {
        // As a store reads it: what is no text any more, with replacements.
        push(&|event| event.event_type = Cow::Owned(String::from_utf8_lossy(&name).into_owned()));
    }
    for data in flips(&event.data) {
        push(&|event| event.data = data.clone().into());
    }
    for digest in event.payload_commit.into_iter().flat_map(digests) {
        push(&|event| event.payload_commit = Some(digest));
    }
    push(&|event| event.payload_commit = if event.payload_commit.is_some() { None } else { Some(Digest([1; 32])) });
    if let Some(payload) = &event.payload {
        let (commit, salt, bytes) = (payload.commit(), *payload.salt(), payload.bytes().clone());
        for digest in digests(commit) {
            push(&|event| event.payload = Some(Payload::from_stored(digest, salt, bytes.clone())));
        }
        for salt in flips(&salt) {
            let salt = salt.try_into().unwrap();
            push(&|event| event.payload = Some(Payload::from_stored(commit, salt, bytes.clone())));
        }
        for bytes in flips(&bytes) {
            push(&|event| event.payload = Some(Payload::from_stored(commit, salt, bytes.clone())));
        }
    }
    out
}

#[test]
fn every_flipped_bit_is_found_with_its_seq() {
    let events = life(1);
    assert_eq!(fault_at(events.clone()), None);
    let mut tried = 0;
    let mut before = Verifier::new();
    for (seq, event) in events.iter().enumerate() {
        for changed in flipped(event) {
            let found = before.clone().push(&changed).map_err(|fault| fault.seq);
            assert_eq!(found, Err(seq as u64), "{changed:?}");
            tried += 1;
        }
        before.push(event).unwrap();
    }
    assert!(tried > 80_000, "only {tried} bits");
}

#[test]
fn deleted_repeated_and_reordered_events_are_found() {
    let events = life(1);
    for at in 0..events.len() {
        let mut shorter = events.clone();
        shorter.remove(at);
        let expected = if at == events.len() - 1 { None } else { Some(at as u64) };
        assert_eq!(fault_at(shorter), expected, "without event {at}, where the last one is found by the stored head");
        let mut longer = events.clone();
        longer.insert(at, events[at].clone());
        assert_eq!(fault_at(longer), Some(at as u64 + 1), "event {at} twice");
        if at + 1 < events.len() {
            let mut swapped = events.clone();
            swapped.swap(at, at + 1);
            assert_eq!(fault_at(swapped), Some(at as u64), "events {at} and {} swapped", at + 1);
        }
    }
}

#[test]
fn events_of_another_chain_are_found() {
    let (one, other) = (life(1), life(2));
    for at in 1..one.len() {
        let spliced = [&one[..at], &other[at..]].concat();
        assert_eq!(fault_at(spliced), Some(at as u64));
        // Also with its seq, parent and hash made to fit: the event after does not follow, and the
        // last one is found by the stored head.
        let head = one[at - 1].head();
        let (kind, data) = (other[at].event_type.clone(), other[at].data.clone());
        let forged = ChainEvent::following(Some(&head), kind, other[at].timestamp, data, other[at].payload.clone());
        let same = forged == one[at];
        let mut events = one.clone();
        events[at] = forged;
        let expected = if same || at == one.len() - 1 { None } else { Some(at as u64 + 1) };
        assert_eq!(fault_at(events), expected);
    }
}

#[test]
fn an_erased_payload_still_verifies() {
    let mut events = life(1);
    for event in &mut events {
        event.payload = None;
    }
    assert_eq!(fault_at(events), None);
}

#[test]
fn ids_and_digests_are_read_as_they_are_written() {
    let id = TheaterId::from_bytes([0xa0; 16]);
    assert_eq!(id.to_string().parse(), Ok(id));
    for wrong in ["", "a0", &"A0".repeat(16), &"a0".repeat(17), &"g0".repeat(16)] {
        wrong.parse::<TheaterId>().unwrap_err();
    }
    let digest = Digest([0xa0; 32]);
    assert_eq!(digest.to_string().parse(), Ok(digest));
}

/// Any part of one chain in the place of any part of another.
#[test]
fn every_splice_of_two_chains_is_found() {
    let (one, other) = (life(1), life(2));
    for from in 0..one.len() {
        for to in from + 1..=one.len() {
            let spliced = [&one[..from], &other[from..to], &one[to..]].concat();
            let expected = if to - from == one.len() { None } else { Some(if from == 0 { to } else { from } as u64) };
            assert_eq!(fault_at(spliced), expected, "{from} to {to}, where a whole chain is found by its start");
        }
    }
}
