//! The bank: money is conserved whatever its workers do.

use theater::ManifestConfig;
use theater_store_sqlite::SqliteStore;
use theater_tests::{World, builder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_conserved_over_crashes() {
    let data = tempfile::tempdir().unwrap();
    let world = World::with(&[], builder().store(SqliteStore::open(data.path()).unwrap()));
    let manifest = theater_build::testing::manifest("bank");
    let lines = std::fs::read_to_string(manifest.with_file_name("transactions.jsonl")).unwrap();
    let bank = world.runtime.spawn_actor(ManifestConfig::from_file(&manifest).unwrap()).await.unwrap();
    let opening = report(&world, &bank).await;
    let mut failed = 0;
    for line in lines.lines() {
        let answer = world.ask(&bank, line).await;
        failed += u64::from(answer.contains("\"failed\""));
    }
    let closing = report(&world, &bank).await;
    let expected = std::fs::read_to_string(manifest.with_file_name("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    assert!(failed > 0);
    assert_eq!(opening["sum"], closing["sum"]);
    assert_eq!(closing["balances"], expected["balances"]);
    assert_eq!(closing["restarts"], expected["restarts"]);
    world.close().await;
}

async fn report(world: &World, bank: &theater::ActorHandle) -> serde_json::Value {
    serde_json::from_str(&world.ask(bank, "report").await).unwrap()
}
