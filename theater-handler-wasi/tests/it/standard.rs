//! What a language's standard library asks for is answered, and recorded.

use serde_json::json;

use crate::clock::WALL_MS;
use crate::stage::Stage;

#[tokio::test]
async fn the_time_is_the_runtimes() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    assert_eq!(stage.ask(&clerk, "time").await, WALL_MS.to_string());
    let recorded = &stage.host_calls(clerk.id(), "now").await[0];
    assert_eq!(recorded["interface"].as_str().unwrap().split('@').next(), Some("wasi:clocks/wall-clock"));
    assert_eq!(recorded["result"], json!([{ "seconds": WALL_MS / 1_000, "nanoseconds": 123_000_000 }]));
    stage.verify(clerk.id()).await;
}

#[tokio::test]
async fn hash_maps_are_seeded_by_a_recorded_call() {
    let stage = Stage::new();
    let (one, two) = (stage.clerk().await, stage.clerk().await);
    let orders = [stage.ask(&one, "order").await, stage.ask(&two, "order").await];
    assert_ne!(orders[0], orders[1]);
    for clerk in [one, two] {
        let recorded = &stage.host_calls(clerk.id(), "insecure-seed").await[0]["result"][0];
        assert!(recorded.as_array().is_some_and(|seed| seed.len() == 2), "{recorded}");
        stage.verify(clerk.id()).await;
    }
}

#[tokio::test]
async fn the_environment_is_the_manifests_and_nothing_else() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    assert_eq!(stage.ask(&clerk, "env").await, r#"[("DESK", "7")] ["clerk", "--polite"]"#);
    assert_eq!(stage.host_calls(clerk.id(), "get-environment").await[0]["result"], json!([[["DESK", "7"]]]));
    let bare = stage.spawn("clerk", "[[handlers]]\ntype = \"wasi\"\n").await.unwrap();
    assert_eq!(stage.ask(&bare, "env").await, "[] []");
}

#[tokio::test]
async fn standard_input_is_at_its_end() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    assert_eq!(stage.ask(&clerk, "stdin").await, "\"\"");
    stage.verify(clerk.id()).await;
}

#[tokio::test]
async fn a_guest_in_javascript_counts_and_is_told_the_time_anew_each_time() {
    let stage = Stage::new();
    let tally = stage.spawn("tally", "[[handlers]]\ntype = \"wasi\"\n").await.unwrap();
    let mut randoms = Vec::new();
    for n in 1..=3 {
        let answer: serde_json::Value = serde_json::from_str(&stage.ask(&tally, "how many?").await).unwrap();
        assert_eq!((&answer["n"], &answer["asked"], &answer["now"]), (&json!(n), &json!("how many?"), &json!(WALL_MS)));
        randoms.push(answer["random"].to_string());
    }
    randoms.dedup();
    assert_eq!(randoms.len(), 3, "{randoms:?}");
    assert_eq!(stage.host_calls(tally.id(), "now").await.len(), 3);
    assert_eq!(stage.host_calls(tally.id(), "get-random-u64").await.len(), 3);
    stage.verify(tally.id()).await;
}
