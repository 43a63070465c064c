//! A panic's message would be lost in wasm32-unknown-unknown: a hook logs it, with its place, before
//! the trap. On the host, in unit tests, the usual hook stays.

/// Installs the hook, once per instance.
pub(crate) fn report() {
    #[cfg(target_arch = "wasm32")]
    {
        static INSTALLED: std::sync::Once = std::sync::Once::new();
        INSTALLED.call_once(|| std::panic::set_hook(Box::new(log)));
    }
}

#[cfg(target_arch = "wasm32")]
fn log(info: &std::panic::PanicHookInfo<'_>) {
    let message = if let Some(text) = info.payload().downcast_ref::<&str>() {
        text
    } else if let Some(text) = info.payload().downcast_ref::<String>() {
        text.as_str()
    } else {
        "a panic without a message"
    };
    match info.location() {
        Some(place) => crate::error!("panicked at {place}: {message}"),
        None => crate::error!("panicked: {message}"),
    }
}
