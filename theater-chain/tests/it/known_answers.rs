//! The formats, written out by hand: what is hashed and what bytes an event's data has.

use sha2::{Digest as _, Sha256};
use theater_chain::data::{ActorTerminated, CallReturned, EventData as _, HostCall, KillCause, ReasonRecord};
use theater_chain::data::{Effect, Outcome};
use theater_chain::{ChainEvent, Digest, Payload, TheaterId};

fn sha(parts: &[&[u8]]) -> Digest {
    Digest(Sha256::digest(parts.concat()).into())
}

#[test]
fn the_first_event_without_a_payload() {
    let event = ChainEvent::following(None, "call", 0x0102_0304, &b"\x80"[..], None);
    let expected = sha(&[
        b"theater/event/1",
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[0; 32],
        &[0, 0, 0, 0, 1, 2, 3, 4],
        &[0, 0, 0, 4],
        b"call",
        &[0, 0, 0, 1],
        &[0x80],
        &[0; 32],
    ]);
    assert_eq!((event.seq, event.parent_hash, event.hash), (0, Digest::ZERO, expected));
    // And from another implementation altogether (Python's hashlib), so that nothing here can drift.
    assert_eq!(event.hash.to_string(), "35b1600f2f43ea3421bd5a7ba814938d4bbd467d46b932961cbfa5a9201b4dc9");
}

#[test]
fn an_event_with_a_payload_after_another() {
    let first = ChainEvent::following(None, "call", 1, &b"\x80"[..], None);
    let salt: [u8; 16] = *b"0123456789abcdef";
    let payload = Payload::new(salt, &b"\x81\xa1x\xc0"[..]);
    let commit = sha(&[b"theater/payload/1", b"0123456789abcdef", b"\x81\xa1x\xc0"]);
    assert_eq!(payload.commit(), commit);
    assert_eq!(commit.to_string(), "ac518bcefb7beb6775f3b516a888bcb1fe061a2d0271a8c17cd7314820beee0d");
    let event = ChainEvent::following(Some(&first.head()), "host_call", 2, &b"\x81\xa1y\x01"[..], Some(payload));
    let expected = sha(&[
        b"theater/event/1",
        &1u64.to_be_bytes(),
        first.hash.as_bytes(),
        &2u64.to_be_bytes(),
        &9u32.to_be_bytes(),
        b"host_call",
        &4u32.to_be_bytes(),
        b"\x81\xa1y\x01",
        commit.as_bytes(),
    ]);
    assert_eq!((event.seq, event.parent_hash, event.hash), (1, first.hash, expected));
}

#[test]
fn states_and_ids() {
    assert_eq!(Digest::of_state(None), Digest([0; 32]));
    assert_eq!(Digest::of_state(Some(b"")), sha(&[]));
    assert_eq!(Digest::of_state(Some(b"{}")), sha(&[b"{}"]));
    let id = |digest: Digest| TheaterId::try_from(&digest.0[..16]).unwrap();
    let begun = Digest([7; 32]);
    assert_eq!(TheaterId::of_spawn(&begun), id(sha(&[b"theater/actor/1", &[7; 32]])));
    let parent = TheaterId::from_bytes([1; 16]);
    assert_eq!(TheaterId::of_spec(&parent, "ledger"), id(sha(&[b"theater/actor/1", &[1; 16], b"ledger"])));
    assert_eq!(TheaterId::from_bytes([0xab; 16]).to_string(), "ab".repeat(16));
}

#[test]
fn data_is_a_map_in_the_order_of_the_table() {
    let returned = CallReturned { ok: true, state_hash: Digest([2; 32]) };
    let expected = [&b"\x82\xa2ok\xc3\xaastate_hash\xc4\x20"[..], &[2; 32]].concat();
    assert_eq!(returned.encode(), expected);

    let id = TheaterId::from_bytes([0x0f; 16]);
    let reason = ReasonRecord::Killed(KillCause::ParentGone);
    let terminated = ActorTerminated { actor_id: id, final_state_hash: Digest::ZERO, reason };
    let expected = [
        &b"\x83\xa8actor_id\xd9\x20"[..],
        b"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
        b"\xb0final_state_hash\xc4\x20",
        &[0; 32],
        b"\xa6reason\x81\xa6killed\xabparent-gone",
    ];
    assert_eq!(terminated.encode(), expected.concat());

    let denied = HostCall {
        ordinal: 300,
        interface: "a:b/c".into(),
        function: "f".into(),
        effect: Effect::WriteIdempotent,
        outcome: Outcome::Denied("max".into()),
    };
    let expected = b"\x85\xa7ordinal\xcd\x01\x2c\xa9interface\xa5a:b/c\xa8function\xa1f\
        \xa6effect\xb0write-idempotent\xa7outcome\x81\xa6denied\xa3max";
    assert_eq!(denied.encode(), expected);
    assert_eq!(HostCall::decode(expected).unwrap(), denied);
}

#[test]
fn data_of_other_fields_or_another_shape_is_refused() {
    let bytes = CallReturned { ok: true, state_hash: Digest::ZERO }.encode();
    CallReturned::decode(&bytes).unwrap();
    // The values without their names.
    let array = [&[0x92, 0xc3, 0xc4, 0x20][..], &[0; 32]].concat();
    CallReturned::decode(&array).unwrap_err();
    // One field more, one less.
    let more = [&[0x83][..], &bytes[1..], b"\xa1x\xc0"].concat();
    CallReturned::decode(&more).unwrap_err();
    CallReturned::decode(b"\x81\xa2ok\xc3").unwrap_err();
    // A digest that is too short.
    CallReturned::decode(b"\x82\xa2ok\xc3\xaastate_hash\xc4\x01\x00").unwrap_err();
}
