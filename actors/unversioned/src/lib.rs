//! A counter built against interfaces without a version (`theater:simple/runtime`): they link like
//! those with one. Its state is one number, eight bytes, little-endian. `inc` counts, as a request or one way;
//! `get` answers.

#[allow(unsafe_code, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package test:unversioned;
            world unversioned {
                import theater:simple/runtime;
                export theater:simple/actor;
                export theater:simple/message-server-client;
            }
        ",
        generate_all,
    });

    export!(Unversioned);
    use super::Unversioned;
}

use bindings::exports::theater::simple::{actor, message_server_client};
use bindings::theater::simple::runtime::{self, LogLevel};

struct Unversioned;

type State = Option<Vec<u8>>;

/// No state is a count of zero.
fn count(state: &State) -> Result<u64, String> {
    let Some(bytes) = state else { return Ok(0) };
    let number = bytes.as_slice().try_into();
    number.map(u64::from_le_bytes).map_err(|_| format!("a state has 8 bytes, not {}", bytes.len()))
}

fn state(count: u64) -> State {
    Some(count.to_le_bytes().to_vec())
}

impl actor::Guest for Unversioned {
    fn init(init_bytes: State, (id,): (String,)) -> Result<(State,), String> {
        runtime::log(LogLevel::Info, &format!("unversioned counter {id} starts"));
        Ok((state(count(&init_bytes)?),))
    }
}

impl message_server_client::Guest for Unversioned {
    fn handle_send(old: State, (message,): (Vec<u8>,)) -> Result<(State,), String> {
        match message.as_slice() {
            b"inc" => Ok((state(count(&old)? + 1),)),
            _ => Err("unknown message: try inc".to_owned()),
        }
    }

    fn handle_request(old: State, (_id, message): (String, Vec<u8>)) -> Result<(State, Option<Vec<u8>>), String> {
        let next = match message.as_slice() {
            b"inc" => count(&old)? + 1,
            b"get" => count(&old)?,
            _ => return Err("unknown request: try inc or get".to_owned()),
        };
        Ok((state(next), Some(next.to_string().into_bytes())))
    }
}
