//! A parent that asks a child which has just failed.

use std::sync::{Arc, Mutex};

use theater::{
    ActorHandle, Call, ChildExit, Denied, Effect, Handler, HeldMailbox, HostLinker, ManifestConfig, NoConfig,
    NoPermissions, Result, Start, TheaterId, TheaterRuntime,
};
use theater_handler_message_server::MessageServerHandler;
use theater_handler_runtime::RuntimeHandler;
use theater_tests::{HANDLERS, World};

/// In the supervisor's place: starts one child and keeps what it hears of its end.
#[derive(Clone, Default)]
struct Keeper {
    heard: Arc<Mutex<Option<ChildExit>>>,
}

impl Handler for Keeper {
    const NAME: &'static str = "supervisor";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Permissions = NoPermissions;
    type State = ();

    fn setup_host_functions(host: &mut HostLinker<'_, Self>) -> Result<()> {
        let refused = |_: Call<'_, Self>, _: (String, Option<Vec<u8>>)| Ok((Err::<String, _>("not here".to_owned()),));
        host.interface("theater:simple/supervisor@0.1.0")?.func("spawn", Effect::Read, refused)?;
        Ok(())
    }

    async fn start(&self, cx: Start<'_>, _: NoConfig, _: NoPermissions) -> Result<()> {
        let heard = self.heard.clone();
        cx.exits(move |exit| *heard.lock().unwrap() = Some(exit))?;
        let manifest = ManifestConfig::from_file(cx.folder().join("counter.toml"))?;
        cx.starting_tree().spawn_declared("one", manifest).await?;
        Ok(())
    }

    fn narrow(_: &NoPermissions, asked: NoPermissions) -> std::result::Result<NoPermissions, Denied> {
        Ok(asked)
    }
}

/// A parent whose child has failed: its messages are kept, and nobody has decided.
async fn failed() -> (World, ActorHandle, ActorHandle, HeldMailbox) {
    let keeper = Keeper::default();
    let runtime = TheaterRuntime::builder().handler(RuntimeHandler::new()).handler(MessageServerHandler::new());
    let world = World::with(&["courier", "counter"], runtime.handler(keeper.clone()));
    world.manifest("parent", "courier", &format!("{HANDLERS}[[handlers]]\ntype = \"supervisor\"\n"));
    let parent = world.spawn("parent").await;
    let child = world.declared(&parent, "one");
    assert!(world.try_ask(&child, "crash").await.is_err());
    let exit = keeper.heard.lock().unwrap().take().unwrap();
    (world, parent, child, exit.mailbox.unwrap())
}

#[tokio::test]
async fn waits_for_what_is_decided() {
    let (world, parent, child, mailbox) = failed().await;
    let order = format!("request {} get", child.id());
    let (answer, ()) = tokio::join!(world.ask(&parent, &order), async {
        while !is_asked(&world, child.id()).await {
            tokio::task::yield_now().await;
        }
        drop(mailbox);
    });
    assert!(answer.starts_with("error: ") && !answer.contains("cycle"), "{answer}");
    world.close().await;
}

#[tokio::test]
async fn finds_the_cycle_where_its_own_guest_decides() {
    let (world, parent, child, mailbox) = failed().await;
    mailbox.wait_for_guest();
    let answer = world.ask(&parent, &format!("request {} get", child.id())).await;
    assert!(answer.contains("cycle"), "{answer}");
    drop(mailbox);
    world.close().await;
}

async fn is_asked(world: &World, actor: TheaterId) -> bool {
    world.runtime.flush().await.unwrap();
    !world.runtime.store().pending(Some(actor), 1).await.unwrap().is_empty()
}
