//! Random executions of a few actors, and the greatest cut by trying them all.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use theater_chain::data::Effect;
use theater_chain::{Digest, MemoryStore, TheaterId};
use theater_supervision_policy::cut::{Cut, Member};

use super::chains::{Actor, Ending, Told, cut_in, keep};
use super::stranger;

/// Who made a message: an actor's turn, by their numbers, and the host call; or nobody of the group.
type Sender = Option<(usize, usize, u32)>;

/// A message in a mailbox.
#[derive(Debug, Clone)]
struct Mail {
    id: String,
    request: bool,
    sender: Sender,
}

/// What a turn was.
#[derive(Debug)]
struct Turn {
    call: u64,
    /// Its last event and the state after it.
    end: u64,
    state: Digest,
    ending: Ending,
    /// `None`: a callback, or `init`.
    mail: Option<Mail>,
    init: bool,
    /// Requests by their host calls, and whether the guest was told `ok`.
    told_ok: BTreeMap<u32, bool>,
    /// Something of it is outside of the group, should it commit.
    outside: bool,
    /// Something of it is outside of the group, should it change something.
    sent_outside: bool,
}

impl Turn {
    fn committed(&self) -> bool {
        matches!(self.ending, Ending::State { .. } | Ending::Unchanged { .. } | Ending::Refused)
    }

    fn answered(&self) -> bool {
        matches!(self.ending, Ending::State { answer: true } | Ending::Unchanged { answer: true })
    }

    fn left(&self) -> bool {
        let answered_outside = self.mail.as_ref().is_some_and(|mail| mail.request && mail.sender.is_none());
        self.outside || answered_outside || (self.sent_outside && self.ending != Ending::Refused)
    }
}

/// A run of a group, driven by random bytes.
struct Run {
    tape: VecDeque<u8>,
    actors: Vec<Actor>,
    turns: Vec<Vec<Turn>>,
    mail: Vec<VecDeque<Mail>>,
    busy: Vec<bool>,
    dead: Vec<bool>,
    starts: Vec<Option<(u64, Digest)>>,
    outside: u32,
}

impl Run {
    fn new(tape: Vec<u8>, members: usize) -> Self {
        let mut run = Self {
            tape: tape.into(),
            actors: Vec::new(),
            turns: (0..members).map(|_| Vec::new()).collect(),
            mail: vec![VecDeque::new(); members],
            // Until it has started.
            busy: vec![true; members],
            dead: vec![false; members],
            starts: vec![None; members],
            outside: 0,
        };
        for member in 0..members {
            let id = u8::try_from(member).unwrap() + 1;
            let alone = run.draw(2) == 0;
            run.actors.push(if alone { Actor::new(id) } else { Actor::child_of(id, 50) });
            run.earlier_life(member);
        }
        for member in 0..members {
            if run.draw(3) == 0 {
                run.actors[member].reset();
                run.turn(member, None, true);
            } else {
                run.actors[member].resume();
                run.busy[member] = false;
                let (_, seq, state) = run.actors[member].now();
                run.starts[member] = Some((seq, state));
            }
        }
        while !run.tape.is_empty() {
            run.step(members);
        }
        run
    }

    /// The next of `n` choices; the first one when the tape has ended.
    fn draw(&mut self, n: u8) -> u8 {
        self.tape.pop_front().unwrap_or(0) % n
    }

    fn member(&mut self) -> usize {
        usize::from(self.draw(u8::try_from(self.turns.len()).unwrap()))
    }

    /// What has nothing to do with the newest incarnation.
    fn earlier_life(&mut self, member: usize) {
        if self.draw(3) == 0 {
            let actor = &mut self.actors[member];
            actor.resume();
            actor.begin_callback();
            actor.end(Ending::State { answer: false });
            actor.handles(&format!("{}/900/0", TheaterId::from_bytes([1; 16])));
            actor.stopped();
        }
    }

    fn step(&mut self, members: usize) {
        let member = self.member();
        let choice = self.draw(8);
        if self.dead[member] {
            return;
        }
        let (sender, request) = match choice {
            0..=3 => {
                if let Some(mail) = self.mail[member].pop_front() {
                    self.turn(member, Some(mail), false);
                }
                return;
            }
            4 => return self.turn(member, None, false),
            5 => (format!("cli/{}", self.outside), false),
            6 => (format!("{}/{}/0", stranger(), self.outside), false),
            _ => (format!("cli/{}", self.outside), self.draw(8) == 7),
        };
        self.outside += 1;
        let to = (member + usize::from(self.draw(2))) % members;
        self.mail[to].push_back(Mail { id: sender, request, sender: None });
    }

    /// One call of an actor, with the calls of others that it waits for.
    fn turn(&mut self, member: usize, mail: Option<Mail>, init: bool) {
        self.busy[member] = true;
        let actor = &mut self.actors[member];
        match &mail {
            Some(mail) if mail.request => actor.begin_request(&mail.id),
            Some(mail) => actor.begin_send(&mail.id),
            None if init => {}
            None => actor.begin_callback(),
        }
        let number = self.turns[member].len();
        let turn = Turn {
            call: self.actors[member].call,
            end: 0,
            state: Digest::ZERO,
            ending: Ending::Open,
            mail,
            init,
            told_ok: BTreeMap::new(),
            outside: false,
            sent_outside: false,
        };
        self.turns[member].push(turn);
        let (mut outbox, mut forced) = (Vec::new(), None);
        let mut ordinal = 0;
        while forced.is_none() && ordinal < 4 {
            match self.draw(8) {
                0..=2 => break,
                3 => self.sends(member, number, ordinal, &mut outbox),
                4..=6 => forced = self.requests(member, number, ordinal),
                _ => self.touches(member, number, ordinal),
            }
            ordinal += 1;
        }
        let answer = self.draw(4) != 0;
        let ending = forced.unwrap_or_else(|| match self.draw(16) {
            0..=7 => Ending::State { answer },
            8..=10 => Ending::Unchanged { answer },
            11 | 12 if !init => Ending::Refused,
            13 | 14 => Ending::Trap,
            15 => Ending::Killed,
            _ => Ending::State { answer },
        });
        let end = self.actors[member].end(ending);
        let state = self.actors[member].story.index.state;
        let turn = &mut self.turns[member][number];
        (turn.end, turn.state, turn.ending) = (end, state, ending);
        if matches!(ending, Ending::State { .. } | Ending::Unchanged { .. }) {
            for (to, mail) in outbox {
                self.mail[to].push_back(mail);
            }
        }
        self.dead[member] = !self.turns[member][number].committed();
        self.busy[member] = false;
    }

    fn sends(&mut self, member: usize, number: usize, ordinal: u32, outbox: &mut Vec<(usize, Mail)>) {
        let (to, accepted) = (self.member(), self.draw(4) != 0);
        let told = if accepted { Told::Ok } else { Told::Err };
        if self.draw(16) == 7 {
            self.actors[member].send(ordinal, stranger(), told);
            self.turns[member][number].sent_outside |= accepted;
            return;
        }
        let receiver = self.actors[to].id();
        let id = self.actors[member].send(ordinal, receiver, told);
        if accepted {
            outbox.push((to, Mail { id, request: false, sender: Some((member, number, ordinal)) }));
        }
    }

    /// A request, and how it ends the call that made it, if it does.
    fn requests(&mut self, member: usize, number: usize, ordinal: u32) -> Option<Ending> {
        let (to, how) = (self.member(), self.draw(24));
        if how == 11 {
            self.actors[member].request(ordinal, stranger());
            self.actors[member].told(ordinal, Told::Ok);
            self.turns[member][number].outside = true;
            return None;
        }
        let receiver = self.actors[to].id();
        let id = self.actors[member].request(ordinal, receiver);
        let mail = Mail { id, request: true, sender: Some((member, number, ordinal)) };
        let told = match how {
            // Served at once, where it can be.
            0..=6 | 12.. if !self.busy[to] && !self.dead[to] => {
                self.turn(to, Some(mail), false);
                if self.turns[to].last().is_some_and(Turn::answered) { Told::Ok } else { Told::Err }
            }
            // Its deadline comes first.
            7 | 8 => {
                self.mail[to].push_back(mail);
                Told::Err
            }
            // The requester goes first.
            9 | 10 => {
                self.mail[to].push_back(mail);
                if how == 10 {
                    return Some(Ending::Open);
                }
                self.actors[member].told(ordinal, Told::Abandoned);
                return Some(Ending::Killed);
            }
            _ => Told::Err,
        };
        self.actors[member].told(ordinal, told);
        self.turns[member][number].told_ok.insert(ordinal, told == Told::Ok);
        None
    }

    /// A host call without a message.
    fn touches(&mut self, member: usize, number: usize, ordinal: u32) {
        match self.draw(16) {
            0 => {
                self.actors[member].write(ordinal, Effect::Write, Told::Ok);
                self.turns[member][number].outside = true;
            }
            1 => self.actors[member].write(ordinal, Effect::WriteIdempotent, Told::Denied),
            _ => self.actors[member].read(ordinal),
        }
    }

    /// Whether these beginnings of the members' turns are a cut.
    fn consistent(&self, kept: &[usize]) -> bool {
        let parts = self.turns.iter().zip(kept).map(|(turns, kept)| &turns[..*kept]);
        let sent = |turn: &Turn| match turn.mail.as_ref().and_then(|mail| mail.sender) {
            Some((sender, number, _)) => number < kept[sender],
            None => true,
        };
        parts.flatten().all(sent)
            && self.turns.iter().zip(kept).all(|(turns, kept_here)| {
                // No turn outside of the cut gave a reply that was used in it.
                turns[*kept_here..].iter().filter(|turn| turn.committed()).all(|turn| match &turn.mail {
                    Some(Mail { request: true, sender: Some((sender, number, ordinal)), .. }) => {
                        let deadline = !self.turns[*sender][*number].told_ok.get(ordinal).unwrap_or(&false);
                        *number >= kept[*sender] || (deadline && turn.answered())
                    }
                    _ => true,
                })
            })
    }

    /// The greatest cut, by trying all of them.
    fn greatest(&self) -> Option<Vec<usize>> {
        let committed = |turns: &Vec<Turn>| turns.iter().filter(|turn| turn.committed()).count();
        let most: Vec<usize> = self.turns.iter().map(committed).collect();
        let least = |turns: &Vec<Turn>| usize::from(turns.first().is_some_and(|turn| turn.init));
        let least: Vec<usize> = self.turns.iter().map(least).collect();
        let mut cuts = vec![Vec::new()];
        for (least, most) in least.iter().zip(&most) {
            let longer = |cut: &Vec<usize>| {
                (*least..=*most).map(|kept| [&cut[..], &[kept]].concat()).collect::<Vec<Vec<usize>>>()
            };
            cuts = cuts.iter().flat_map(longer).collect();
        }
        cuts.retain(|cut| self.consistent(cut));
        let greatest = cuts.iter().max_by_key(|cut| cut.iter().sum::<usize>())?.clone();
        for cut in &cuts {
            assert!(cut.iter().zip(&greatest).all(|(one, most)| one <= most), "{cut:?} and {greatest:?}");
        }
        let undone = self.turns.iter().zip(&greatest).flat_map(|(turns, kept)| &turns[*kept..]);
        let stays = undone.filter(|turn| turn.committed()).any(Turn::left);
        (!stays).then_some(greatest)
    }

    /// What is to be found.
    fn expected(&self) -> Option<Cut> {
        let kept = self.greatest()?;
        let mut cut = Cut::default();
        for (member, turns) in self.turns.iter().enumerate() {
            let id = self.actors[member].id();
            let last = turns[..kept[member]].last().map(|turn| (turn.end, turn.state));
            let (seq, state) = last.or(self.starts[member])?;
            cut.members.push((id, seq, state));
            for turn in &turns[kept[member]..] {
                let again = turn.mail.as_ref().is_some_and(|mail| match mail.sender {
                    Some((sender, number, _)) => number < kept[sender],
                    None => !mail.request,
                });
                let send = turn.mail.as_ref().is_some_and(|mail| !mail.request);
                if turn.committed() {
                    cut.undone.entry(id).or_default().push(turn.call);
                    if again {
                        cut.redeliver.entry(id).or_default().push(turn.call);
                    }
                } else if again && send && turn.ending != Ending::Trap {
                    cut.interrupted.insert(id, turn.call);
                }
            }
        }
        Some(cut)
    }

    /// The members live on.
    fn live_on(&mut self) {
        for member in 0..self.actors.len() {
            let actor = &mut self.actors[member];
            if !self.dead[member] {
                actor.stopped();
            }
            actor.resume();
            actor.handles("later/1");
        }
    }
}

async fn compare(tape: Vec<u8>, members: usize) -> Option<Cut> {
    let mut run = Run::new(tape, members);
    let expected = run.expected();
    let store = MemoryStore::new();
    for (actor, mail) in run.actors.iter_mut().zip(&run.mail) {
        mail.iter().for_each(|mail| actor.waits(&mail.id));
    }
    let mut actors: Vec<&mut Actor> = run.actors.iter_mut().collect();
    keep(&store, &mut actors).await;
    let members: Vec<Member> = actors.iter().map(|actor| actor.id().into()).collect();
    let until = |actor: &&mut Actor| Member { id: actor.id(), until: Some(actor.now().1 + 1) };
    let until: Vec<Member> = actors.iter().map(until).collect();
    let found = cut_in(&store, &members).await.unwrap();
    assert_eq!(found.clone().ok(), expected, "{found:?}\n{:#?}", run.turns);
    run.live_on();
    keep(&store, &mut run.actors.iter_mut().collect::<Vec<_>>()).await;
    assert_eq!(cut_in(&store, &until).await.unwrap(), found, "found later, after the members went on");
    expected
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_cut_found_is_the_greatest_of_all(tape in prop::collection::vec(any::<u8>(), 0..200), members in 1usize..4) {
        block_on(compare(tape, members));
    }
}

/// The property would say little if nothing were ever undone.
#[test]
fn random_executions_have_cuts_of_every_kind() {
    let (mut none, mut whole, mut undone, mut again, mut interrupted) = (0, 0, 0, 0, 0);
    for seed in 0..300u32 {
        let byte = |n: u32| Digest::of(&[seed.to_be_bytes(), n.to_be_bytes()].concat()).as_bytes()[0];
        match block_on(compare((0..200).map(byte).collect(), 3)) {
            None => none += 1,
            Some(cut) => {
                whole += usize::from(cut.undone.is_empty());
                undone += usize::from(cut.undone.len() > 1);
                again += usize::from(!cut.redeliver.is_empty());
                interrupted += usize::from(!cut.interrupted.is_empty());
            }
        }
    }
    let counts = (none, whole, undone, again, interrupted);
    assert!([none, whole, undone, again, interrupted].iter().all(|count| *count > 10), "{counts:?}");
}
