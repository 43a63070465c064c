//! Groups whose members restart together from a consistent cut.

use theater_chain::data::{AskedBy, ReasonRecord, RestartStateKind};
use theater_supervision_policy::Step;

use super::found;
use super::scene::{Scene, TRAP};

fn entry(on_no_cut: &str) -> String {
    format!(
        r#"
[handlers.groups.books]
strategy = "one-for-all"
restart_state = "resume"
on_no_cut = "{on_no_cut}"
[[handlers.children]]
id = "one"
manifest = "one.toml"
group = "books"
[[handlers.children]]
id = "two"
manifest = "two.toml"
group = "books"
"#
    )
}

/// Both have worked; `one` fails in a call, and both are stopped for the cut, which is recorded with
/// this change of the seq of `one`.
fn fail(scene: &mut Scene<'_>, at_ms: u64, seq_off_by: u64) {
    scene.work("one");
    scene.work("two");
    let at = |scene: &mut Scene<'_>, name: &str| {
        let story = scene.child(name);
        (story.id, story.head.unwrap().seq, story.index.state)
    };
    let (mut one, two) = (at(scene, "one"), at(scene, "two"));
    one.1 += seq_off_by;
    scene.child("one").call(None);
    let (_, exit) = scene.tell("one", TRAP, AskedBy::Itself, "it broke", at_ms);
    let Step::Link(members) = scene.engine.exited(&exit, at_ms, false) else { panic!("it is linked") };
    assert_eq!(members, [one.0, two.0]);
    scene.tell("two", ReasonRecord::Shutdown, AskedBy::Parent, "", at_ms + 1);
    let decisions = scene.engine.linked(exit.child, Ok(vec![one, two]), at_ms + 2);
    let events: Vec<_> = decisions.iter().map(|decision| scene.decide(decision)).collect();
    for name in ["one", "two"] {
        scene.start_with(name, RestartStateKind::ResumeFrom, None, events.first());
        scene.work(name);
    }
}

#[tokio::test]
async fn the_cut_is_found_again() {
    let mut scene = Scene::new(&entry("escalate"));
    fail(&mut scene, 100, 0);
    fail(&mut scene, 300, 0);
    found(&scene.verify().await, "");
}

#[tokio::test]
async fn another_cut_is_a_fault() {
    let mut scene = Scene::new(&entry("escalate"));
    fail(&mut scene, 100, 1);
    found(&scene.verify().await, "its cut is");
    for lied in [0, 1] {
        let mut scene = Scene::changed(&entry("escalate"), |n, data| {
            if n == lied {
                data.cut.as_mut().unwrap().pop();
            }
        });
        fail(&mut scene, 100, 0);
        fail(&mut scene, 300, 0);
        found(&scene.verify().await, "its cut is");
    }
}

#[tokio::test]
async fn where_there_is_a_cut_none_is_no_answer() {
    for (on_no_cut, reason) in
        [("escalate", "its action is escalate, and restart follows"), ("reset", "its rule is no-cut, and permanent")]
    {
        let mut scene = Scene::new(&entry(on_no_cut));
        scene.work("one");
        scene.work("two");
        let (_, exit) = scene.tell("one", TRAP, AskedBy::Itself, "it broke", 100);
        scene.engine.exited(&exit, 100, false);
        scene.tell("two", ReasonRecord::Shutdown, AskedBy::Parent, "", 101);
        for decision in scene.engine.linked(exit.child, Err("none".into()), 102) {
            scene.decide(&decision);
        }
        found(&scene.verify().await, reason);
    }
}

#[tokio::test]
async fn members_begin_with_the_states_of_the_cut() {
    let mut scene = Scene::new(&entry("escalate"));
    scene.work("one");
    scene.work("two");
    let (_, exit) = scene.tell("one", TRAP, AskedBy::Itself, "it broke", 100);
    scene.engine.exited(&exit, 100, false);
    scene.tell("two", ReasonRecord::Shutdown, AskedBy::Parent, "", 101);
    let (one, two) = (scene.id("one"), scene.id("two"));
    let cut = vec![(one, 2, scene.child("one").index.state), (two, 2, scene.child("two").index.state)];
    let decisions = scene.engine.linked(exit.child, Ok(cut), 102);
    let events: Vec<_> = decisions.iter().map(|decision| scene.decide(decision)).collect();
    scene.start_with("one", RestartStateKind::ResumeFrom, None, events.first());
    scene.start_with("two", RestartStateKind::ResumeFrom, Some(b"0"), events.first());
    found(&scene.verify().await, "is to begin with the state");
}
