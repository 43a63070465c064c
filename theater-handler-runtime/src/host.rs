//! The functions of `theater:simple/runtime`.
#![expect(clippy::needless_pass_by_value, reason = "a host function gets its call by value")]

use theater::chain::document;
use theater::log::{LogLevel, cut, emit};
use theater::wit::WitChainEvent;
use theater::{Call, Digest, Result};

use crate::RuntimeHandler;

/// The rule under which a line that exceeds the limit is recorded.
const RULE: &str = "limits.log";

type Runtime<'a> = Call<'a, RuntimeHandler>;
type WitResult<T> = std::result::Result<T, String>;

pub(crate) fn log(mut call: Runtime<'_>, (level, text): (LogLevel, String)) -> Result<()> {
    let kept = cut(&text);
    if level == LogLevel::Error {
        call.explain_failure(kept);
    }
    if call.is_again() {
        return Ok(()); // it was shown before the process went down
    }
    let (now, rate) = (call.monotonic(), call.limits().log);
    let (actor, name) = (call.actor_id(), call.actor_name().to_owned());
    let log = call.state();
    if log.admit(kept.len(), rate, now) {
        log.tell_dropped();
        emit(level, actor, &name, kept);
        if kept.len() < text.len() {
            call.record_params_as(&(level, kept))?;
        }
    } else {
        log.drop_line(actor, &name);
        call.deny(RULE);
        call.record_params_as(&(level, ""))?;
    }
    Ok(())
}

pub(crate) fn self_id(call: Runtime<'_>, (): ()) -> Result<(String,)> {
    Ok((call.actor_id().to_string(),))
}

pub(crate) fn shutdown(mut call: Runtime<'_>, (data,): (Option<Vec<u8>>,)) -> Result<()> {
    call.shutdown(data);
    Ok(())
}

pub(crate) fn decline_start(mut call: Runtime<'_>, (): ()) -> Result<()> {
    call.decline_start()
}

pub(crate) fn chain_head(call: Runtime<'_>, (): ()) -> Result<(Vec<u8>,)> {
    let head = call.chain().head().map_or(Digest::ZERO, |head| head.hash);
    Ok((head.as_bytes().to_vec(),))
}

pub(crate) async fn get_chain(call: Runtime<'_>, (): ()) -> Result<(WitResult<Vec<WitChainEvent>>,)> {
    range(call, 0, usize::MAX).await
}

pub(crate) async fn get_chain_range(
    call: Runtime<'_>,
    (from, max): (u64, u32),
) -> Result<(WitResult<Vec<WitChainEvent>>,)> {
    range(call, from, usize::try_from(max).unwrap_or(usize::MAX)).await
}

async fn range(mut call: Runtime<'_>, from: u64, max: usize) -> Result<(WitResult<Vec<WitChainEvent>>,)> {
    let limit = call.limits().result;
    let (events, range) = match call.chain().events(from, max, limit).await {
        Ok(read) => read,
        Err(error) => return Ok((Err(error.to_string()),)),
    };
    let shown: std::result::Result<Vec<_>, _> = events.iter().map(WitChainEvent::of).collect();
    Ok((match shown {
        Ok(shown) => {
            call.record_chain_range(&range);
            Ok(shown)
        }
        Err(error) => Err(format!("an event of the chain cannot be read: {error}")),
    },))
}

pub(crate) fn event_json(call: Runtime<'_>, (data,): (Vec<u8>,)) -> Result<(WitResult<String>,)> {
    let limit = call.limits().result;
    let text = document::to_json(&data)
        .map_err(|error| format!("this is not the data of an event: {error}"))
        .map(|json| json.to_string());
    Ok((text.and_then(|text| {
        // Base64 takes more room than what it stands for.
        if text.len() <= limit {
            Ok(text)
        } else {
            Err(format!("the JSON text has {} bytes; the manifest's limit `result` is {limit}", text.len()))
        }
    }),))
}
