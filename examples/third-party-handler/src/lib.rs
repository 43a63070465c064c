//! A clock for actors: `acme:clock/clock`.

use std::time::Duration;

use theater::{Call, Denied, Effect, Handler, HostLinker, NoConfig, NoPermissions, Result, Start};

/// Gives actors the time of day, and lets them wait.
pub struct Clock;

impl Handler for Clock {
    const NAME: &'static str = "acme-clock";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        host.interface("acme:clock/clock@1.0.0")?
            .func("now", Effect::Read, |call: Call<'_, Self>, ()| Ok((call.wall_ms(),)))?
            .func_async("sleep", Effect::Read, sleep)?;
        Ok(())
    }

    async fn start(&self, _: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
        Ok(())
    }

    fn narrow(_held: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

async fn sleep(call: Call<'_, Clock>, (ms,): (u64,)) -> Result<()> {
    call.sleep(Duration::from_millis(ms)).await;
    Ok(())
}
