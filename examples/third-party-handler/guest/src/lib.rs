//! Sleeps when it starts, and keeps how long that took.

use theater_actor::prelude::*;

wit_bindgen::generate!({ path: "../wit", world: "clock-user" });
use acme::clock::clock;

#[derive(Default, Serialize, Deserialize)]
struct Sleeper {
    slept_ms: u64,
}

impl Actor for Sleeper {
    fn init(_start: &Start) -> Result<Self> {
        let before = clock::now();
        clock::sleep(20);
        Ok(Sleeper { slept_ms: clock::now() - before })
    }
}

theater_actor::export!(Sleeper);
