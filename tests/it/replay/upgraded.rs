//! Replays over upgrades: `migrate` runs again, and what it makes is compared.

use theater::Upgrade;
use theater::chain::data::{ActorUpgraded, Data, EventData as _};
use theater::{ChainEvent, Digest};
use theater_tests::World;

use super::Recorded;

/// A tally that was upgraded, taken back, and upgraded again.
async fn tally() -> (World, Recorded) {
    let world = World::new(&["tally"]);
    let tally = world.spawn("tally").await;
    let next = std::fs::read(theater_build::testing::component("tally-next")).unwrap();
    let upgrade = || Upgrade::new(next.clone()).version("0.2.0");
    world.ask(&tally, "add 40").await;
    world.runtime.upgrade_actor(tally.id(), upgrade()).await.unwrap();
    world.ask(&tally, "add 2").await;
    world.runtime.roll_back_actor(tally.id()).await.unwrap();
    world.ask(&tally, "add 1").await;
    world.runtime.upgrade_actor(tally.id(), upgrade()).await.unwrap();
    assert_eq!(world.ask(&tally, "add 9").await, "50");
    let recorded = Recorded::of(&world, tally.id()).await;
    (world, recorded)
}

fn change(event: &mut ChainEvent, change: impl FnOnce(&mut ActorUpgraded)) {
    let mut data = ActorUpgraded::decode(&event.data).unwrap();
    change(&mut data);
    event.data = data.encode().into();
}

#[tokio::test]
async fn a_migrate_that_made_another_state_stops_the_replay_at_its_upgrade() {
    let (world, recorded) = tally().await;
    assert!(recorded.replay(recorded.events.clone()).await.is_ok());
    let upgrades = recorded.places(|data| matches!(data, Data::ActorUpgraded(_)));
    assert_eq!(upgrades.len(), 2);
    let lies: [fn(&mut ActorUpgraded); 4] = [
        |data| data.new_state_hash = Digest::of(b"another"),
        |data| data.new_state_hash = data.old_state_hash,
        // It is in the state that `migrate` makes.
        |data| data.old_version = "0.0.9".into(),
        |data| data.migrated = false,
    ];
    for at in upgrades {
        for lie in lies {
            let replay = recorded.replay(recorded.with(at, |event| change(event, lie))).await;
            let diverged = replay.diverged.unwrap_or_else(|| panic!("event {at} was accepted"));
            assert_eq!(diverged.seq, at as u64, "{diverged:?}");
        }
        let other = recorded.with(at, |event| change(event, lies[0]));
        let diverged = recorded.replay(other).await.diverged.unwrap();
        assert_eq!(diverged.function, "theater:simple/migrate#migrate");
        assert!(diverged.actual.contains("0.1.0"), "the state that it makes is shown: {diverged:?}");
    }
    world.close().await;
}
