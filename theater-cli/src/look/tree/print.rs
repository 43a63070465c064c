//! A tree as text: a line for each actor, and below it what there is to say of it.

use std::time::Duration;

use theater::ActorStatus;

use super::node::{LastDecision, Node};
use crate::look::render;

/// Longer messages are cut, wherever they are shown.
const MAX_MESSAGE: usize = 200;

/// How many quarantined messages are named.
const NAMED: usize = 3;

/// The lines of a tree; on a terminal none is longer than `width`.
pub(super) fn lines(roots: &[Node], width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for root in roots {
        add(&mut lines, root, "", "");
    }
    match width {
        Some(width) => lines.iter().map(|line| fit(line, width)).collect(),
        None => lines,
    }
}

fn fit(line: &str, width: usize) -> String {
    if line.chars().count() <= width { line.to_owned() } else { render::cut(line, width.saturating_sub(2)) }
}

/// Recursive: a tree is at most as deep as the runtime lets it grow.
fn add(lines: &mut Vec<String>, node: &Node, first: &str, rest: &str) {
    lines.push(format!("{first}{}", head(node)));
    let under = if node.children.is_empty() { "   " } else { "│  " };
    lines.extend(notes(node).into_iter().map(|note| format!("{rest}{under}  {note}")));
    for (at, child) in node.children.iter().enumerate() {
        let (first, more) = if at + 1 == node.children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        add(lines, child, &format!("{rest}{first}"), &format!("{rest}{more}"));
    }
}

/// The actor, how it stands, and how it supervises.
fn head(node: &Node) -> String {
    let name = node.spec_id.as_ref().unwrap_or(&node.name);
    let status = match node.status {
        ActorStatus::Running => "running",
        ActorStatus::Restarting => "restarting",
        ActorStatus::Stopped => "stopped",
        ActorStatus::Failed => "failed",
    };
    let mut line = format!("{} {}  {status}", render::plain_text(name), &node.id.to_string()[..8]);
    if node.parked {
        line.push_str(", parked");
    }
    match node.restarts {
        0 => {}
        1 => line.push_str(", incarnation 2 (1 restart)"),
        many => line.push_str(&format!(", incarnation {} ({many} restarts)", node.incarnation)),
    }
    if let Some(left) = node.backoff_left_ms {
        line.push_str(&format!(", next start in {}", time(left)));
    }
    if let Some(remark) = &node.remark {
        line.push_str(&format!(": {remark}"));
    }
    if let (Some(strategy), Some(budget), true) = (&node.strategy, &node.budget, node.is_policy) {
        line.push_str(&format!("; {strategy}"));
        let within = time(budget.within_ms);
        match budget.max {
            Some(max) if budget.used > max => line.push_str(&format!(", more than {max} restarts within {within}")),
            Some(max) => line.push_str(&format!(", {} of {max} restarts within {within} used", budget.used)),
            None => {}
        }
    }
    line
}

fn notes(node: &Node) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(error) = &node.last_error {
        let message = error.message.lines().next().unwrap_or_default();
        let message = render::cut(&render::plain_text(message), MAX_MESSAGE);
        notes.push(format!("last error: {}: {message}", error.kind));
    }
    if let Some(decision) = &node.last_decision {
        notes.push(format!("last decision: {}", decision_text(decision)));
    }
    if !node.quarantined.is_empty() {
        let ids: Vec<&str> = node.quarantined.iter().take(NAMED).map(|message| message.message_id.as_str()).collect();
        let more = node.quarantined.len() - ids.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("quarantined: {}{more}", ids.join(", ")));
    }
    if node.escalations > 0 {
        notes.push(format!("escalations: {}", node.escalations));
    }
    notes
}

fn decision_text(decision: &LastDecision) -> String {
    let mut text = format!("{}, by the rule `{}`", decision.action, render::plain_text(&decision.rule));
    if decision.attempt > 0 {
        text.push_str(&format!(", attempt {}", decision.attempt));
    }
    if decision.delay_ms > 0 {
        text.push_str(&format!(", after {}", time(decision.delay_ms)));
    }
    text
}

/// Milliseconds, with no more digits than a person reads.
fn time(ms: u64) -> String {
    let shown = if ms >= 10_000 { ms / 1_000 * 1_000 } else { ms };
    humantime::format_duration(Duration::from_millis(shown)).to_string()
}

#[cfg(test)]
mod tests {
    use theater::TheaterId;

    use super::super::facts::{LastError, Quarantined};
    use super::super::node::Budget;
    use super::*;

    fn node(name: &str, children: Vec<Node>) -> Node {
        Node {
            id: TheaterId::from_bytes([0xab; 16]),
            name: name.to_owned(),
            spec_id: None,
            status: ActorStatus::Running,
            parked: false,
            incarnation: 1,
            restarts: 0,
            strategy: None,
            budget: None,
            backoff_left_ms: None,
            quarantined: Vec::new(),
            last_error: None,
            last_decision: None,
            restart_rate_per_min: 0,
            transition_rate_per_min: 0,
            escalations: 0,
            children,
            remark: None,
            is_policy: false,
        }
    }

    fn family() -> Node {
        let mut ledger = node("worker", Vec::new());
        ledger.spec_id = Some("ledger".to_owned());
        ledger.status = ActorStatus::Restarting;
        (ledger.incarnation, ledger.restarts) = (3, 2);
        ledger.backoff_left_ms = Some(1_250);
        ledger.last_error = Some(LastError { kind: "trap".into(), message: "no \u{1b}money\nat all".into() });
        ledger.last_decision = Some(LastDecision {
            action: "restart".into(),
            rule: "permanent".into(),
            class: None,
            attempt: 3,
            window: 2,
            delay_ms: 1_600,
            at_ms: 9,
        });
        ledger.quarantined = vec![Quarantined { message_id: "cli-1/7".into() }];
        let mut audit = node("audit", Vec::new());
        audit.parked = true;
        let mut bank = node("bank", vec![ledger, audit]);
        bank.strategy = Some("one-for-one");
        bank.budget = Some(Budget { used: 2, max: Some(3), within_ms: 5_000 });
        bank.is_policy = true;
        bank
    }

    #[test]
    fn what_applies_is_shown_and_nothing_else() {
        let expected = [
            "bank abababab  running; one-for-one, 2 of 3 restarts within 5s used",
            "├─ ledger abababab  restarting, incarnation 3 (2 restarts), next start in 1s 250ms",
            "│       last error: trap: no \\u{1b}money",
            "│       last decision: restart, by the rule `permanent`, attempt 3, after 1s 600ms",
            "│       quarantined: cli-1/7",
            "└─ audit abababab  running, parked",
        ];
        assert_eq!(lines(&[family()], None), expected);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for line in lines(&[family()], Some(30)) {
            assert!(line.chars().count() <= 30, "{line}");
        }
    }
}
