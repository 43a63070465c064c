//! Chains as results: a host call that answered with events is recorded as the range that they are,
//! and its answer is read from there.

use theater::ChainRange;
use theater::wit::WitChainEvent;
use theater_chain::{ChainEvent, ChainStore, Digest, codec};

use crate::guest::Stop;
use crate::link::Site;
use crate::record::{Halt, damaged};
use crate::shape::Shape;

/// The range that a recorded result stands for. Results are arrays or nil, a range is a map.
pub(crate) fn read(result: &[u8]) -> Option<ChainRange> {
    let is_map = result.first().is_some_and(|first| first & 0xf0 == 0x80);
    is_map.then(|| codec::decode(result).ok()).flatten()
}

/// The encoded results of a function that answered with these events.
pub(crate) async fn events(
    store: &dyn ChainStore,
    range: &ChainRange,
    at: &ChainEvent,
    site: &Site,
) -> Result<Vec<u8>, Stop> {
    let differs = |what: &str| Stop::Halt(Halt::Diverged(Box::new(damaged(at, &format!("{range:?}"), what))));
    let (mut shown, mut next, mut head) = (Vec::new(), range.from, Digest::ZERO);
    while next < range.to {
        let page = store.events(range.actor_id, next, 1_000).await.map_err(Halt::from)?;
        if page.first().is_none_or(|first| first.seq != next) {
            let actor = range.actor_id;
            return Err(Stop::Unreplayable(format!("{site} answered with events of {actor}, which are not kept")));
        }
        for event in page.iter().take_while(|event| event.seq < range.to) {
            if event.is_erased() {
                let (actor, seq) = (range.actor_id, event.seq);
                let reason = format!("{site} answered with event {seq} of {actor}, whose payload was erased");
                return Err(Stop::Unreplayable(reason));
            }
            (next, head) = (event.seq + 1, event.hash);
            shown.push(WitChainEvent::of(event).map_err(|error| differs(&error.to_string()))?);
        }
    }
    if head != range.head {
        return Err(differs(&format!("events up to the hash {head}")));
    }
    let encoded = match &*site.shape.results {
        [Shape::Result(..)] => codec::try_encode(&(Ok::<_, String>(shown),)),
        _ => codec::try_encode(&(shown,)),
    };
    encoded.map_err(|error| differs(&error.to_string()))
}
