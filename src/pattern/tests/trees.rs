//! Trees to fold, and folded trees as text.

use proptest::prelude::*;
use rustc_hash::FxHashMap;

use super::super::nodes::{Node, Nodes};
use super::super::{Nearness, Patterns, Recording};
use super::{code, recording};
use crate::trace::Category;

/// What `(main {4: (step a b)} end)` says: a call with callees in parentheses, copies in braces.
pub(super) fn tree(text: &str) -> Recording {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let spaced = spaced.replace('{', " { ").replace('}', " } ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut calls = Vec::new();
    parse(&mut words.as_slice(), 0, &mut calls);
    let mut names: Vec<&str> = Vec::new();
    let mut known = FxHashMap::default();
    let calls: Vec<(u32, u32)> = calls
        .into_iter()
        .map(|(depth, name)| {
            let code = *known.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() as u32 - 1
            });
            (depth, code)
        })
        .collect();
    let mut recording = recording(calls);
    let codes = names.iter().map(|name| code(name, Category::Internal));
    recording.codes = codes.collect();
    recording
}

fn parse<'t>(words: &mut &[&'t str], depth: u32, calls: &mut Vec<(u32, &'t str)>) {
    while let Some((&word, behind)) = words.split_first() {
        *words = behind;
        match word {
            ")" | "}" => return,
            "(" => {
                calls.push((depth, words[0]));
                *words = &words[1..];
                parse(words, depth + 1, calls);
            }
            "{" => {
                let count: usize = words[0].trim_end_matches(':').parse().unwrap();
                *words = &words[1..];
                let mut copy = Vec::new();
                parse(words, depth, &mut copy);
                calls.extend(copy.repeat(count));
            }
            name => calls.push((depth, name)),
        }
    }
}

/// As in the worked examples: `3~x[x 2..5~xa y]`.
pub(super) fn text(patterns: &Patterns<'_>) -> String {
    list(patterns, patterns.thread(0), true)
}

fn list(patterns: &Patterns<'_>, nodes: Nodes<'_>, callees: bool) -> String {
    let words: Vec<String> = nodes.map(|node| word(patterns, node, callees)).collect();
    words.join(" ")
}

/// `callees`: whether what a call called is shown.
fn word(patterns: &Patterns<'_>, node: Node<'_>, callees: bool) -> String {
    match node {
        Node::Call(call) => {
            let name = &patterns.recording.code(call.row()).name;
            match list(patterns, call.callees(), true) {
                below if below.is_empty() || !callees => name.clone(),
                below => format!("({name} {below})"),
            }
        }
        Node::Gap(_) => "!".to_owned(),
        Node::Repeat(repeat) => {
            let count = repeat.count();
            let count = match count.single() {
                Some(count) => count.to_string(),
                None => format!("{}..{}", count.min, count.max),
            };
            let mark = if repeat.is_exact() { "x" } else { "~x" };
            let callees =
                callees && (repeat.is_exact() || patterns.nearness != Nearness::Functions);
            let body = list(patterns, repeat.body(), callees);
            match repeat.is_of_one_call() {
                true => format!("{count}{mark}{body}"),
                false => format!("{count}{mark}[{body}]"),
            }
        }
    }
}

/// Depth and function of the calls of any tree of few functions.
pub(super) fn any_tree(most: usize) -> impl Strategy<Value = Vec<(u32, u32)>> {
    let call = (0u32..4, 0u32..3);
    prop::collection::vec(call, 0..most).prop_map(|steps| {
        let mut next = 0u32;
        let step = |(up, code): (u32, u32)| {
            let depth = next.saturating_sub(up.saturating_sub(1));
            next = depth + 1;
            (depth, code)
        };
        steps.into_iter().map(step).collect()
    })
}
