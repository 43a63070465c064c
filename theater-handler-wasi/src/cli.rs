//! `wasi:cli`: environment, exit, standard streams, terminals.

use theater::{Effect, Handle, HostLinker, Result};

use crate::handles::{InputStream, OutputStream, STDERR, STDIN, STDOUT, TerminalInput, TerminalOutput};
use crate::{Wasi, WasiHandler};

pub(crate) fn link(host: &mut HostLinker<'_, WasiHandler>) -> Result<()> {
    host.foreign("wasi:cli/environment@0.2.12")?
        .func("get-environment", Effect::Read, environment)?
        .func("get-arguments", Effect::Read, arguments)?
        .func("initial-cwd", Effect::Read, |_: Wasi<'_>, ()| Ok((None::<String>,)))?;
    // Where a call begins again after a crash, it exits again.
    host.foreign("wasi:cli/exit@0.2.12")?.in_call().func("exit", Effect::Read, exit)?.func(
        "exit-with-code",
        Effect::Read,
        |call: Wasi<'_>, (code,): (u8,)| exit_with(call, code),
    )?;
    host.foreign("wasi:cli/stdin@0.2.12")?
        .func("get-stdin", Effect::Read, |_: Wasi<'_>, ()| Ok((Handle::<InputStream>::new(STDIN),)))?;
    host.foreign("wasi:cli/stdout@0.2.12")?
        .func("get-stdout", Effect::Read, |_: Wasi<'_>, ()| Ok((Handle::<OutputStream>::new(STDOUT),)))?;
    host.foreign("wasi:cli/stderr@0.2.12")?
        .func("get-stderr", Effect::Read, |_: Wasi<'_>, ()| Ok((Handle::<OutputStream>::new(STDERR),)))?;
    host.foreign("wasi:cli/terminal-input@0.2.12")?.absent_resource::<TerminalInput>("terminal-input")?;
    host.foreign("wasi:cli/terminal-output@0.2.12")?.absent_resource::<TerminalOutput>("terminal-output")?;
    host.foreign("wasi:cli/terminal-stdin@0.2.12")?.func("get-terminal-stdin", Effect::Read, no::<TerminalInput>)?;
    host.foreign("wasi:cli/terminal-stdout@0.2.12")?.func("get-terminal-stdout", Effect::Read, no::<TerminalOutput>)?;
    host.foreign("wasi:cli/terminal-stderr@0.2.12")?.func("get-terminal-stderr", Effect::Read, no::<TerminalOutput>)?;
    Ok(())
}

fn environment(mut call: Wasi<'_>, (): ()) -> Result<(Vec<(String, String)>,)> {
    let env = call.state().config.env.iter();
    Ok((env.map(|(name, value)| (name.clone(), value.clone())).collect(),))
}

fn arguments(mut call: Wasi<'_>, (): ()) -> Result<(Vec<String>,)> {
    Ok((call.state().config.args.clone(),))
}

fn exit(call: Wasi<'_>, (status,): (std::result::Result<(), ()>,)) -> Result<()> {
    exit_with(call, u8::from(status.is_err()))
}

fn exit_with(mut call: Wasi<'_>, code: u8) -> Result<()> {
    let failure = (code != 0).then(|| format!("it exited with status {code}"));
    Err(call.exit(failure))
}

/// Nothing is a terminal.
fn no<T: 'static>(_: Wasi<'_>, (): ()) -> Result<(Option<Handle<T>>,)> {
    Ok((None,))
}
