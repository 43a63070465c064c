//! Manifests as they are written, and all that can be wrong with them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use theater_chain::data::ErrorType;
use theater_supervision_policy::{
    AnchorMode, AutoShutdown, Backoff, Class, Fault, OnExhausted, OnNoCut, Policy, RestartType, RuleAction, Shutdown,
    StateChoice, Strategy as Restarts, Warning, of_manifest,
};

fn read(entry: &str) -> Result<(Policy, Vec<Warning>), Vec<Fault>> {
    theater_supervision_policy::read(&toml::from_str(entry).unwrap())
}

/// The faults as `key: reason`.
fn faults(entry: &str) -> Vec<String> {
    read(entry).unwrap_err().iter().map(|fault| format!("{}: {}", fault.key.join("."), fault.reason)).collect()
}

fn warnings(entry: &str) -> Vec<String> {
    read(entry).unwrap().1.iter().map(|warning| format!("{}: {}", warning.key.join("."), warning.reason)).collect()
}

const DECLARED: &str = r#"
strategy = "one-for-one"
max_restarts = 3
within = "5s"
auto_shutdown = "any-significant"
backoff = { initial = "100ms", factor = 2.0, max = "400ms", jitter = 0.1, reset_after = "60s" }
on_exhausted = "stop-child"
anchor = "lifecycle"
events = [{ types = ["actor_error", "supervision_action"], children = ["ledger*"], fields = ["actor_id", "error"] }]

[spawned]
restart = "transient"
restart_state = "resume"

[[children]]
id = "ledger"
manifest = "ledger.toml"
restart = "permanent"
restart_state = "resume"
shutdown = "7s"
max_restarts = 2
group = "books"
redeliver = true

[[children]]
id = "clerk"
manifest = "staff/clerk.toml"
restart = "transient"
shutdown = "brutal-kill"
significant = true

[groups.books]
strategy = "one-for-all"
restart_state = "resume"
on_no_cut = "reset"
max_restarts = 3

[[errors]]
match = { error = "insufficient funds*" }
class = "expected"
[[errors]]
match = { error = "*", type = ["trap", "killed"], children = "ledger", times = 3, within = "10s" }
action = "escalate"
"#;

#[test]
fn everything_that_can_be_declared_is_read() {
    let (policy, warnings) = read(DECLARED).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((policy.strategy, policy.auto_shutdown), (Restarts::OneForOne, AutoShutdown::AnySignificant));
    assert_eq!((policy.max_restarts, policy.within_ms), (Some(3), 5_000));
    let backoff = Backoff { initial_ms: 100, factor: 2.0, max_ms: 400, jitter: 0.1, reset_after_ms: 60_000 };
    assert_eq!(policy.backoff, Some(backoff));
    assert_eq!((policy.on_exhausted, policy.anchor), (OnExhausted::StopChild, AnchorMode::Lifecycle));
    assert_eq!(policy.events[0].fields, ["actor_id", "error"]);
    let spawned = policy.spawned.as_ref().unwrap();
    assert_eq!((spawned.restart, &spawned.restart_state), (RestartType::Transient, &StateChoice::Resume));
    let [ledger, clerk] = &policy.children[..] else { panic!("two children") };
    assert_eq!((ledger.id.as_str(), ledger.manifest.as_str()), ("ledger", "ledger.toml"));
    assert_eq!((ledger.shutdown, clerk.shutdown), (Some(Shutdown::WithinMs(7_000)), Some(Shutdown::BrutalKill)));
    assert_eq!((ledger.redeliver, clerk.redeliver, clerk.significant), (true, false, true));
    assert_eq!((ledger.max_restarts, ledger.group.as_deref()), (Some(2), Some("books")));
    let books = &policy.groups["books"];
    assert_eq!((books.strategy, books.on_no_cut, books.max_restarts), (Restarts::OneForAll, OnNoCut::Reset, Some(3)));
    assert_eq!(policy.errors[0].action, RuleAction::Class(Class::Expected));
    let graduated = &policy.errors[1].matches;
    assert_eq!(graduated.types, [ErrorType::Trap, ErrorType::Killed]);
    assert_eq!(
        (graduated.times, graduated.within_ms, &graduated.children[..]),
        (3, 10_000, &["ledger".to_owned()][..])
    );
}

#[test]
fn what_is_not_declared_has_its_default() {
    let (policy, warnings) = read("").unwrap();
    assert_eq!(warnings, []);
    assert_eq!((policy.max_restarts, policy.within_ms, policy.backoff), (Some(3), 5_000, None));
    assert_eq!((policy.strategy, policy.anchor, policy.spawned), (Restarts::OneForOne, AnchorMode::Batched, None));

    let (policy, warnings) =
        read("backoff = {}\nspawned = {}\nchildren = [{ id = \"a\", manifest = \"a.toml\" }]").unwrap();
    assert_eq!(warnings, []);
    assert_eq!((policy.max_restarts, policy.within_ms), (Some(10), 600_000));
    assert_eq!(policy.backoff.unwrap().max_ms, 30_000);
    assert_eq!(policy.spawned.unwrap().restart, RestartType::Permanent);
    let child = &policy.children[0];
    assert_eq!(
        (child.restart, &child.restart_state, child.shutdown),
        (RestartType::Permanent, &StateChoice::Reset, None)
    );
    assert_eq!(read("max_restarts = \"infinity\"").unwrap().0.max_restarts, None);
}

#[test]
fn no_fault_hides_another() {
    let found = faults(
        r#"
        stategy = "one-for-one"
        strategy = "one-for-two"
        max_restarts = -1
        within = "soon"
        auto_shutdown = "any_significant"
        backoff = { initial = "-1s", factor = 0.5, max = 30, jitter = 2, reset = "1s" }
        anchor = "always"
        events = [{ types = ["actor_errors"] }, { children = [] }, 3]
        spawned = { restart = "sometimes", id = "x" }
        groups = { books = { strategy = "dynamic", max_restarts = 1.5 }, empty = {} }

        [[children]]
        id = ""
        manifest = "../ledger.toml"
        restart = "permanently"
        group = "bok"
        [[children]]
        id = "a/b"
        manifest = 7
        shutdown = "whenever"
        significant = "yes"
        group = "books"
        [[children]]
        id = "0123456789abcdef0123456789ABCDEF"
        redeliver = 1
        restart_state = "resume-from"

        [[errors]]
        match = { error = 3, type = "trapped", times = 0, within = 5, unless = "x" }
        class = "expected"
        action = "stop"
        [[errors]]
        match = {}
        [[errors]]
        action = "stopp"
        "#,
    );
    let expected = [
        "strategy: \"one-for-two\" is not known here, there are one-for-one, one-for-all, rest-for-one, dynamic; did you mean \"one-for-all\"?",
        "auto_shutdown: \"any_significant\" is not known here, there are never, any-significant, all-significant; did you mean \"any-significant\"?",
        "backoff.initial: \"-1s\" is not a time of a millisecond or more; write one such as \"500ms\", \"5s\" or \"2m\"",
        "backoff.factor: 0.5 is out of range; write a number from 1",
        "backoff.max: this is a number, and not a time; write one with its unit, such as \"500ms\" or \"5s\"",
        "backoff.jitter: 2 is out of range; write a number from 0 to 1",
        "backoff.reset: unknown key `reset`; known here: initial, factor, max, jitter, reset_after",
        "max_restarts: -1 is out of range; write a number from 0 to 100000 or \"infinity\"",
        "within: \"soon\" is not a time of a millisecond or more; write one such as \"500ms\", \"5s\" or \"2m\"",
        "groups.books.strategy: a group's strategy is not \"dynamic\"; write one-for-one, one-for-all or rest-for-one, and give children of a template a supervisor of their own",
        "groups.books.max_restarts: this is a number, and not a whole number; write one from 0 to 100000 or \"infinity\"",
        "anchor: \"always\" is not known here, there are batched, every, lifecycle; write one of those",
        "events.0.types: \"actor_errors\" is no type of event; did you mean \"actor_error\"?",
        "events.1.types: key `types` is missing; add it, such as types = [\"actor_error\"]",
        "events.1.children: the list is empty, so that nothing would match; remove it, or name something",
        "events.2: this is a number, and not a table; write one such as { key = \"value\" }",
        "spawned.restart: \"sometimes\" is not known here, there are permanent, transient, temporary; write one of those",
        "spawned.id: unknown key `id`; known here: restart, restart_state, shutdown, max_restarts, redeliver",
        "children.0.id: the id is empty; write a name, such as id = \"ledger\"",
        "children.0.manifest: \"../ledger.toml\" leads out of the folder; write a path relative to this manifest's folder",
        "children.0.restart: \"permanently\" is not known here, there are permanent, transient, temporary; did you mean \"permanent\"?",
        "children.0.group: group \"bok\" is not declared; add [handlers.groups.bok], or did you mean \"books\"?",
        "children.1.id: \"a/b\" has a `/`, which separates ids in paths of the tree; write it without",
        "children.1.manifest: this is a number, and not a text; put it in quotes",
        "children.1.shutdown: \"whenever\" is no way to stop a child; write a time such as \"5s\", or \"infinity\", or \"brutal-kill\"",
        "children.1.significant: this is a text, and not true or false; write one of them, without quotes",
        "children.2.id: \"0123456789abcdef0123456789ABCDEF\" looks like the id of an actor; write a name that cannot be one",
        "children.2.manifest: key `manifest` is missing; add it, such as manifest = \"ledger.toml\"",
        "children.2.restart_state: \"resume-from\" is not known here, there are reset, resume; write one of those",
        "children.2.redeliver: this is a number, and not true or false; write one of them, without quotes",
        "errors.0.match.error: this is a number, and not a text; put it in quotes",
        "errors.0.match.type: \"trapped\" is not known here, there are trap, guest-error, init-failed, instantiate-failed, call-timeout, memory-limit, state-limit, host-call-failed, host-call-interrupted, handler-panic, shutdown-timeout, killed; write one of those",
        "errors.0.match.times: 0 is out of range; write a number from 1 to 10000",
        "errors.0.match.within: this is a number, and not a time; write one with its unit, such as \"500ms\" or \"5s\"",
        "errors.0.match.unless: unknown key `unless`; known here: error, type, children, times, within",
        "errors.0: the rule has both `class` and `action`; keep one of them",
        "errors.1: the rule says nothing of what follows; write `class` (temporary, permanent or expected) or `action` (restart, stop, escalate or ignore)",
        "errors.2.match: key `match` is missing; add it, such as match = { error = \"*\" }",
        "errors.2.action: \"stopp\" is not known here, there are restart, stop, escalate, ignore; did you mean \"stop\"?",
        "stategy: unknown key `stategy`; did you mean `strategy`?",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_does_not_go_together_is_a_fault() {
    let child = |keys: &str| format!("[[children]]\nid = \"a\"\nmanifest = \"a.toml\"\n{keys}\n");
    let twice = format!("{}{}", child(""), child(""));
    let significant = child("significant = true\nrestart = \"transient\"");
    for (entry, key, sentence) in [
        (significant.clone(), "children.0.significant", "auto_shutdown = \"never\""),
        (
            format!("auto_shutdown = \"all-significant\"\n{}", child("significant = true")),
            "children.0.significant",
            "a permanent child is always restarted",
        ),
        (
            format!("strategy = \"dynamic\"\nauto_shutdown = \"any-significant\"\n{significant}"),
            "children.0.significant",
            "children of a template cannot be significant",
        ),
        (twice.clone(), "children.1.id", "child 0 has the id \"a\" already"),
        ("strategy = \"dynamic\"".to_owned(), "children", "exactly one child, the template, and there are 0"),
        (format!("strategy = \"dynamic\"\n{twice}"), "children", "and there are 2"),
        (format!("strategy = \"dynamic\"\n{}[groups.g]", child("")), "groups", "has no groups"),
        (format!("strategy = \"dynamic\"\n{}", child("group = \"g\"")), "children.0.group", "have no group"),
        (format!("{}[groups.g]", child("")), "groups.g", "no child is in this group"),
        (child("group = \"g\""), "children.0.group", "add [handlers.groups.g]"),
        ("backoff = { initial = \"2s\", max = \"1s\" }".to_owned(), "backoff.max", "shorter than `initial`"),
        ("within = \"0s\"".to_owned(), "within", "is not a time of a millisecond"),
        ("within = \"500us\"".to_owned(), "within", "is not a time of a millisecond"),
        ("within = \"1000years\"".to_owned(), "within", "too long"),
        ("max_restarts = 100001".to_owned(), "max_restarts", "from 0 to 100000"),
        (
            "max_restarts = 6\nwithin = \"5s\"\nbackoff = { initial = \"1s\", max = \"1s\" }".to_owned(),
            "max_restarts",
            "with the delay before attempt 6, 1s, the delays last 6s, and `within` is 5s; write a larger `within`, shorter \
             delays, or max_restarts = \"infinity\"",
        ),
    ] {
        let found = faults(&entry);
        let expected = found.iter().any(|fault| fault.starts_with(&format!("{key}: ")) && fault.contains(sentence));
        assert!(expected, "{sentence:?} at {key} is not in {found:#?}");
        let others = found.iter().filter(|fault| !fault.contains(sentence));
        assert!(
            others.clone().all(|other| other.contains("exactly one child") || other.contains("already")),
            "{found:#?}"
        );
    }
}

#[test]
fn a_rule_that_never_matches_is_a_fault() {
    let class = |rule: &str| format!("{{ match = {{ {rule} }}, class = \"expected\" }}");
    for (first, second, never) in [
        ("", "error = \"a\"", true),
        ("error = \"a*\"", "error = \"ab*\"", true),
        ("error = \"ab*\"", "error = \"a*\"", false),
        ("type = \"trap\"", "type = [\"trap\"]", true),
        ("type = \"trap\"", "", false),
        ("type = [\"trap\", \"killed\"]", "type = \"killed\", children = \"x\"", true),
        ("children = \"x*\"", "children = [\"xy\", \"xz*\"]", true),
        ("children = \"x*\"", "children = [\"xy\", \"z\"]", false),
        ("children = \"x\"", "", false),
        ("times = 3", "times = 3", true),
        ("times = 3", "times = 2", false),
        ("times = 3, within = \"1s\"", "times = 3, within = \"2s\"", false),
        ("times = 3", "", false),
    ] {
        let entry = format!("errors = [{}, {}]", class(first), class(second));
        let found = read(&entry).err().unwrap_or_default();
        let keys: Vec<String> = found.iter().map(|fault| fault.key.join(".")).collect();
        assert_eq!(keys, if never { vec!["errors.1".to_owned()] } else { vec![] }, "{entry}");
    }
}

#[test]
fn what_is_only_odd_is_a_warning() {
    let child = "[[children]]\nid = \"ledger\"\nmanifest = \"a.toml\"\n";
    for (entry, expected) in [
        (
            format!("{child}max_restarts = 4"),
            vec![
                "children.0.max_restarts: the child's budget is never used up: the supervisor's, 3, is used up before; write at most 3, or a larger one there",
            ],
        ),
        (
            format!(
                "max_restarts = \"infinity\"\nwithin = \"1s\"\nbackoff = {{ initial = \"1s\" }}\n{child}max_restarts = 4"
            ),
            vec![
                "children.0.max_restarts: the child's budget is never used up: with the delay before attempt 2, 2s, the delays last 3s, and `within` is 1s; write a larger `within` or shorter delays",
            ],
        ),
        (
            "max_restarts = 3\nbackoff = { max = \"30s\" }".to_owned(),
            vec![
                "backoff.max: the longest delay of a child that always fails is 400ms, before the budget of 3 is used up; write that as `max`, or a larger max_restarts",
            ],
        ),
        (
            format!("{child}group = \"g\"\n[groups.g]\non_no_cut = \"reset\""),
            vec![
                "groups.g.on_no_cut: a cut is looked for only in a group that resumes together; write restart_state = \"resume\" and a strategy other than one-for-one, or remove `on_no_cut`",
            ],
        ),
        (
            format!("errors = [{{ match = {{ children = \"leger\" }}, class = \"expected\" }}]\n{child}"),
            vec![
                "errors.0.match.children: \"leger\" fits the id of no declared child; write one that does, unless it is meant for names",
            ],
        ),
        (
            format!(
                "errors = [{{ match = {{ children = \"leger\" }}, class = \"expected\" }}]\nspawned = {{}}\n{child}"
            ),
            vec![],
        ),
        (
            "errors = [{ match = { within = \"1s\" }, class = \"expected\" }]".to_owned(),
            vec![
                "errors.0.match.within: each such error matches, so that `within` means nothing; write `times`, or remove `within`",
            ],
        ),
    ] {
        assert_eq!(warnings(&entry), expected, "{entry}");
    }
}

#[test]
fn a_manifest_has_the_policy_of_its_supervisor() {
    let manifest = |entry: &str| format!("name = \"x\"\n[[handlers]]\ntype = \"runtime\"\n[[handlers]]\n{entry}");
    let supervisor = "type = \"supervisor\"\nstrategy = \"one-for-all\"\npermissions = { max_children = 3 }";
    let policy = of_manifest(manifest(supervisor).as_bytes()).unwrap().unwrap();
    assert_eq!(policy.strategy, Restarts::OneForAll);
    assert!(of_manifest(manifest("type = \"http\"").as_bytes()).is_none());
    assert!(of_manifest(b"name =").is_none());
    let faulty = of_manifest(manifest("type = \"supervisor\"\nwithin = 5").as_bytes()).unwrap();
    assert_eq!(
        faulty.unwrap_err()[0].to_string(),
        "`within`: this is a number, and not a time; write one with its unit, such as \"500ms\" or \"5s\""
    );
}

/// Single faults of [`DECLARED`], none of which touches another: what is replaced, by what, and
/// the key of the fault.
const SLIPS: &[(&str, &str, &str)] = &[
    ("strategy = \"one-for-one\"", "strategy = 1", "strategy"),
    ("within = \"5s\"", "within = \"5\"", "within"),
    ("factor = 2.0", "factor = 0.0", "backoff.factor"),
    ("jitter = 0.1", "jitter = nan", "backoff.jitter"),
    ("anchor = \"lifecycle\"", "anchr = \"lifecycle\"", "anchr"),
    ("types = [\"actor_error\",", "types = [3,", "events.0.types.0"),
    ("restart = \"transient\"\nrestart_state", "restart = true\nrestart_state", "spawned.restart"),
    ("id = \"ledger\"", "id = \"led/ger\"", "children.0.id"),
    ("shutdown = \"7s\"", "shutdown = 7", "children.0.shutdown"),
    ("staff/clerk.toml", "/staff/clerk.toml", "children.1.manifest"),
    ("strategy = \"one-for-all\"", "strategy = \"dynamic\"", "groups.books.strategy"),
    ("class = \"expected\"", "class = \"unexpected\"", "errors.0.class"),
    ("times = 3", "times = -3", "errors.1.match.times"),
    ("\"trap\", \"killed\"", "\"trap\", 7", "errors.1.match.type.1"),
];

const TEXTS: &[&str] = &["", "5s", "dynamic", "one-for-all", "resume", "infinity", "*", "a/b", "permanent", "-1s"];
const KEYS: &[&str] = &[
    "id",
    "manifest",
    "match",
    "error",
    "times",
    "within",
    "children",
    "errors",
    "groups",
    "events",
    "spawned",
    "backoff",
    "initial",
    "factor",
    "max",
    "strategy",
    "max_restarts",
    "significant",
    "group",
    "types",
    "x",
];

/// Any value, for any key.
fn value() -> impl Strategy<Value = toml::Value> {
    let leaf = prop_oneof![
        select(TEXTS).prop_map(toml::Value::from),
        any::<i64>().prop_map(toml::Value::from),
        any::<f64>().prop_map(toml::Value::from),
        any::<bool>().prop_map(toml::Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(toml::Value::from),
            proptest::collection::btree_map(select(KEYS), inner, 0..5).prop_map(|table| {
                toml::Value::Table(table.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_slip_is_reported_whatever_the_others_are(slips in subsequence(SLIPS, 0..=SLIPS.len())) {
        let mut entry = DECLARED.to_owned();
        for (written, slip, _) in &slips {
            prop_assert!(entry.contains(written));
            entry = entry.replacen(written, slip, 1);
        }
        let found = read(&entry).map(|_| ()).err().unwrap_or_default();
        let found: BTreeSet<String> = found.iter().map(|fault| fault.key.join(".")).collect();
        let expected: BTreeSet<String> = slips.iter().map(|(_, _, key)| (*key).to_owned()).collect();
        prop_assert_eq!(found, expected);
    }

    /// A fault names a value that is there, or one that is missing in a table that is.
    #[test]
    fn whatever_is_written_is_a_policy_or_has_faults_with_places(
        entry in proptest::collection::btree_map(
            select(&["children", "errors", "groups", "events", "spawned", "backoff", "strategy", "max_restarts", "within"][..]),
            value(),
            0..6,
        ),
    ) {
        let entry: toml::Table = entry.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        if let Err(faults) = theater_supervision_policy::read(&entry) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                let above = &fault.key[..fault.key.len() - 1];
                let mut at = toml::Value::Table(entry.clone());
                for step in above {
                    let next = match &at {
                        toml::Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
                        other => other.get(step),
                    };
                    prop_assert!(next.is_some(), "{} leads nowhere", fault);
                    at = next.unwrap().clone();
                }
            }
        }
    }
}
