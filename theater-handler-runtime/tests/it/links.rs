//! The handler fits its WIT, and a handler that does not is found.

use theater::testing::{assert_links, links};
use theater::{Call, Denied, Effect, Handler, HostLinker, NoConfig, NoPermissions, Result, Start};
use theater_handler_runtime::RuntimeHandler;

#[test]
fn the_handler_fits_the_wit() {
    assert_links(RuntimeHandler::new(), concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"));
}

/// A clock whose `now` has this type.
struct Clock;

impl Handler for Clock {
    const NAME: &'static str = "clock";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        host.interface("acme:clock/clock")?.func("now", Effect::Read, |_: Call<'_, Self>, ()| Ok((1_u64,)))?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
        Ok(())
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

fn check(interface: &str) -> std::result::Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clock.wit");
    std::fs::write(&file, format!("package acme:clock@1.2.0;\n{interface}\n")).unwrap();
    links(Clock, file)
}

#[test]
fn a_handler_that_does_not_fit_is_told_where() {
    assert_eq!(check("interface clock { now: func() -> u64; }"), Ok(()));

    let wrong = check("interface clock { now: func() -> string; }").unwrap_err();
    assert!(wrong.contains("acme:clock/clock@1.2.0") && wrong.contains("other types"), "{wrong}");

    let left_out = check("interface clock { now: func() -> u64; sleep: func(ms: u64); }").unwrap_err();
    assert_eq!(left_out, "the WIT's acme:clock/clock@1.2.0 has the function sleep, which the handler leaves out");

    let renamed = check("interface clock { time: func() -> u64; }").unwrap_err();
    assert_eq!(renamed, "the WIT's acme:clock/clock@1.2.0 has no function now, which the handler names");

    let elsewhere = check("interface watch { now: func() -> u64; }").unwrap_err();
    assert_eq!(elsewhere, "the WIT has no interface acme:clock/clock");

    assert!(check("interface clock { now: func( }").unwrap_err().contains("clock.wit"));
}
