//! The worked examples of `tests/data/pattern-vectors.json`.

use serde_json::{Value, json};

use super::super::nodes::{Node, Nodes};
use super::super::{Nearness, Patterns, folds};
use super::trees::{text, tree};

const VECTORS: &str = include_str!("../../../tests/data/pattern-vectors.json");

/// In the form of the vectors' `expect`.
fn json(patterns: &Patterns<'_>, nodes: Nodes<'_>) -> Value {
    let node = |node| match node {
        Node::Call(call) => {
            let name = &patterns.recording.code(call.row()).name;
            match json(patterns, call.callees()) {
                Value::Array(callees) if callees.is_empty() => json!(name),
                callees => json!([name, callees]),
            }
        }
        Node::Gap(_) => unreachable!("no example has any"),
        Node::Repeat(repeat) => json!({
            "x": repeat.count().single(),
            "first": repeat.first_call(),
            "last": repeat.last_call(),
            "per_iteration": repeat.calls_per_repetition().single(),
            "total": repeat.total_calls(),
            "body": json(patterns, repeat.body()),
        }),
    };
    nodes.map(node).collect()
}

#[test]
fn worked_examples_are_folded_as_they_say() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    for vector in vectors {
        let id = &vector["id"];
        let mut recording = tree(vector["input"].as_str().unwrap());
        let first = vector["first_call_number"].as_u64().unwrap();
        for row in &mut recording.threads[0].calls {
            row.number += first - 1;
        }
        assert_eq!(recording.threads[0].calls.len(), vector["calls"], "{id}");
        let patterns = Patterns::new(&recording, Nearness::Exact);
        assert_eq!(text(&patterns), vector["text"], "{id}");
        assert_eq!(
            json(&patterns, patterns.thread(0)),
            vector["expect"],
            "{id}"
        );
        let top = folds::rows(patterns.folds.list(patterns.roots[0].index()));
        assert_eq!(top, vector["top_rows"], "{id}");
        let nearness = match vector["near_level"].as_u64() {
            Some(1) => Nearness::TripCounts,
            Some(2) => Nearness::Functions,
            _ => continue,
        };
        let patterns = Patterns::new(&recording, nearness);
        assert_eq!(text(&patterns), vector["near_text"], "{id}");
    }
}
