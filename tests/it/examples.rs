//! The examples of `actors/supervision`, each through the story that their page tells; and what the
//! documents write in TOML.

use std::path::Path;

use serde_json::{Value, json};
use theater::{ActorHandle, ExitReason, ManifestConfig, TheaterId};
use theater_tests::{HANDLERS, World, builder};

/// A world whose only root is this example.
async fn example(name: &str) -> (World, ActorHandle) {
    let world = World::with(&[], builder());
    let manifest = ManifestConfig::from_file(theater_build::testing::manifest(name)).unwrap();
    let root = match world.runtime.spawn_actor(manifest).await {
        Ok(root) => root,
        Err(error) => panic!("{name}: {error}"),
    };
    (world, root)
}

/// Asks one line after the other; `!` stands for an answer that is an error.
async fn tell(world: &World, root: &ActorHandle, story: &[(&str, &str)]) {
    for (line, expected) in story {
        let answer = world.try_ask(root, line).await;
        match *expected {
            "!" => assert!(answer.is_err(), "{line}: {answer:?}"),
            expected => {
                assert_eq!(answer.as_deref().unwrap_or_else(|error| panic!("{line}: {error}")), expected, "{line}")
            }
        }
    }
}

/// What was decided in an actor's chain: action, rule and attempt.
async fn decisions(world: &World, actor: TheaterId) -> Vec<Value> {
    let decided = world.of_type(actor, "supervision_action").await;
    decided.iter().map(|decision| json!([decision["action"], decision["rule"], decision["attempt"]])).collect()
}

/// The states that an actor's incarnations began with.
async fn starts(world: &World, actor: &ActorHandle) -> Vec<Value> {
    world.of_type(actor.id(), "actor_started").await.iter().map(|start| start["restart_state"].clone()).collect()
}

#[tokio::test]
async fn declares_keeps_what_is_to_be_kept() {
    let (world, root) = example("declares").await;
    tell(
        &world,
        &root,
        &[
            ("orders set tea 3", "set"),
            ("cache set tea 3", "set"),
            ("orders set milk", "!"),
            ("orders get tea", "3"),
            ("cache set milk", "!"),
            ("cache get tea", "nothing"),
        ],
    )
    .await;
    let decided = decisions(&world, root.id()).await;
    assert_eq!(decided, [json!(["restart", "permanent", 1]), json!(["restart", "transient", 1])]);
    let of_child = |child| world.declared(&root, child);
    assert_eq!(starts(&world, &of_child("orders")).await[1], "resume");
    assert_eq!(starts(&world, &of_child("cache")).await[1], "reset");
    world.close().await;
}

#[tokio::test]
async fn decides_repairs_a_state() {
    let (world, root) = example("decides").await;
    tell(
        &world,
        &root,
        &[
            ("push 5", "1 waiting"),
            ("push 0", "2 waiting"),
            ("push 4", "3 waiting"),
            ("next", "20"),
            ("next", "!"),
            ("next", "25"),
            ("dropped", "[0]"),
        ],
    )
    .await;
    assert_eq!(decisions(&world, root.id()).await, [json!(["restart", "decide", 1])]);
    let restart = &world.of_type(world.declared(&root, "jobs").id(), "actor_started").await[1];
    let decided = &world.of_type(root.id(), "supervision_action").await[0];
    assert_eq!((&restart["restart_state"], &restart["state_hash"]), (&json!("custom"), &decided["new_state_hash"]));
    world.close().await;
}

#[tokio::test]
async fn mixes_has_rules_answers_and_policy_side_by_side() {
    let (world, root) = example("mixes").await;
    let story: &[(&str, &str)] = &[
        ("lobby say hello", "1"),
        ("lobby say spam", "!"),
        ("lobby say spam", "!"),
        ("lobby read", "hello"),
        ("lobby say spam", "!"),
        ("lobby read", ""),
        ("open chess", "chess is open"),
        ("chess say e4", "1"),
        ("chess say /resign", "!"),
        ("chess read", "e4"),
        ("chess say /resign", "!"),
        ("chess read", ""),
        ("chess say e5", "1"),
        ("chess close", "1"),
    ];
    tell(&world, &root, story).await;
    let expected = [
        json!(["restart", "errors[0]", 1]),
        json!(["restart", "decide", 1]),
        json!(["restart", "transient", 2]),
        json!(["warn", "budget", 2]),
        json!(["stop", "transient", 0]),
    ];
    // The last is about the room that closed.
    world.wait_for(root.id(), "supervision_action", expected.len()).await;
    assert_eq!(decisions(&world, root.id()).await, expected);
    let report = json!({"closed": {"chess": "1 lines"}, "errors": {"chess": 2}}).to_string();
    for _ in 0..10_000 {
        if world.ask(&root, "report").await == report {
            break;
        }
    }
    assert_eq!(world.ask(&root, "report").await, report);
    // The name is free again, the rest is as it was.
    tell(&world, &root, &[("open chess", "chess is open"), ("chess read", "")]).await;
    world.close().await;
}

#[tokio::test]
async fn hierarchy_takes_failures_up_one_level_at_a_time() {
    let (world, root) = example("hierarchy").await;
    let north = world.declared(&root, "north");
    let machine = |name| world.declared(&north, name);
    tell(&world, &root, &[("south lathe 10", "10"), ("north saw 20", "20"), ("north lathe 60", "60")]).await;
    tell(&world, &root, &[("north lathe 500", "!"), ("north lathe 1", "61")]).await;
    // What stands behind the lathe was restarted with it, what stands before was not.
    let lives = |name| world.runtime.actor(machine(name).id()).map(|actor| actor.incarnation);
    assert_eq!((lives("saw"), lives("lathe"), lives("press")), (Some(1), Some(2), Some(2)));
    // The second time is one too many for the line, and the plant's business.
    tell(&world, &root, &[("north lathe 500", "!"), ("north lathe 1", "62"), ("south lathe 1", "11")]).await;
    assert_eq!((lives("saw"), lives("lathe"), lives("press")), (Some(2), Some(3), Some(3)));
    let expected = [json!(["restart", "permanent", 1]), json!(["warn", "budget", 1]), json!(["escalate", "budget", 2])];
    assert_eq!(decisions(&world, north.id()).await, expected);
    assert_eq!(decisions(&world, root.id()).await, [json!(["restart", "permanent", 1])]);
    // Each line that begins anew has a fresh budget; the third that fails is one too many for the plant.
    for _ in 0..4 {
        assert!(world.try_ask(&root, "north lathe 500").await.is_err());
    }
    let ended = root.ended().await.unwrap();
    let ExitReason::Abnormal(error) = ended else { panic!("{ended:?}") };
    assert!(error.message.contains("overheated by 500"), "{error}");
    world.close().await;
}

#[tokio::test]
async fn linked_takes_back_what_was_not_sold() {
    let (world, root) = example("linked").await;
    let story: &[(&str, &str)] = &[
        ("sell tea 2", "2 tea"),
        ("left tea", "18"),
        ("sell tea 12", "!"),
        ("left tea", "18"),
        ("sold", "2"),
        ("sell coffee 3", "3 coffee"),
        ("left coffee", "17"),
    ];
    tell(&world, &root, story).await;
    let (till, stock) = (world.declared(&root, "till"), world.declared(&root, "stock"));
    let decided = world.of_type(root.id(), "supervision_action").await;
    assert_eq!(decided[0]["cut"].as_array().map(Vec::len), Some(2), "{decided:?}");
    for child in [&till, &stock] {
        assert_eq!(starts(&world, child).await[1], "resume-from");
    }
    // The stock had given twelve, and its record says so; then it began again before that.
    let changes = world.of_type(stock.id(), "state_updated").await;
    let restart = &world.of_type(stock.id(), "actor_started").await[1];
    assert_eq!(changes[changes.len() - 2]["old_state_hash"], restart["state_hash"]);
    world.close().await;
}

/// The text between fences of this kind in a document of the repository.
fn fenced(document: &str, kind: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let fence = format!("```{kind}\n");
    text.split(&fence).skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_documented_supervisor_starts() {
    let world = World::with(&["relay", "counter"], builder());
    let manifest = fenced("docs/semantics.md", "toml").into_iter().find(|toml| toml.contains("[[handlers.children]]"));
    std::fs::write(world.path().join("office.toml"), manifest.unwrap()).unwrap();
    std::fs::copy(world.path().join("relay.wasm"), world.path().join("office.wasm")).unwrap();
    for child in ["ledger", "index", "import"] {
        world.manifest(child, "counter", HANDLERS);
    }
    let office = world.spawn("office").await;
    assert_eq!(world.ask(&world.declared(&office, "ledger"), "add 2").await, "2");
    world.close().await;
}

/// What a command of the page sends, and the answers that it shows.
fn shown(example: &str) -> (Vec<String>, Vec<String>) {
    let runs = format!("theater run {example}/{example}.toml");
    let blocks = fenced("actors/supervision/README.md", "console");
    let block = blocks.into_iter().find(|block| block.contains(&runs)).unwrap().replace("\\\n", "");
    let (command, answers) = block.split_once('\n').unwrap();
    let lines = command.split_once("'%s\\n' ").unwrap().1.split_once(" | ").unwrap().0;
    // Every other part is in quotes; the rest is words.
    let parts = lines.split('\'').enumerate();
    let lines = parts.flat_map(|(place, part)| match place % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    let answers = answers.lines().take_while(|line| !line.starts_with('$')).map(str::to_owned);
    (lines.collect(), answers.collect())
}

#[tokio::test]
async fn the_page_shows_what_is_answered() {
    for name in ["declares", "decides", "mixes", "hierarchy", "linked"] {
        let (world, root) = example(name).await;
        let (lines, answers) = shown(name);
        assert_eq!(lines.len(), answers.len(), "{name}: {lines:?}");
        for (line, expected) in lines.iter().zip(answers) {
            assert_eq!(world.try_ask(&root, line).await.unwrap_or_default(), expected, "{name}: {line}");
        }
        world.close().await;
    }
}
