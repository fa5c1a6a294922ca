//! What is lost is counted, to the last call, and where. Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/attach.rs"]
mod attach;

use std::collections::BTreeMap;

use attach::{Recorded, Recording, Target, python};

const CALLS: u64 = 300_000;
const THREADS: usize = 3;

/// Records a program's threads as they make their calls; returns their ids.
fn record(args: &[&str]) -> (Recorded, Vec<u64>) {
    let (calls, threads) = (CALLS.to_string(), THREADS.to_string());
    let mut target = Target::start(python("hot.py", &[&calls, &threads]));
    let recording = Recording::begin(&[&target], args);
    target.tell("go");
    let ids = target.hear();
    let ids = ids.split(' ').map(|id| id.parse().unwrap()).collect();
    let recorded = recording.stop();
    let (status, _) = target.end();
    assert!(status.success(), "{status}");
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    (recorded, ids)
}

#[test]
#[ignore = "needs root and eBPF"]
fn what_is_recorded_and_what_is_lost_make_up_every_call_of_each_thread() {
    let (recorded, ids) = record(&["--ring-size", "1", "--no-external-calls"]);
    let footer = &recorded.trace.footer;
    assert!(
        footer["lost"].as_u64().unwrap() > 0,
        "the ring is too small"
    );
    let mut lost = BTreeMap::new();
    let mut ends = 0;
    for thread in footer["lost_by_thread"].as_array().unwrap() {
        let number = |name: &str| thread[name].as_u64().unwrap();
        let before = lost.insert(number("tid"), number("starts"));
        assert_eq!(before, None, "one entry for each thread");
        assert_eq!(number("starts") + number("ends"), number("count"));
        ends += number("ends");
    }
    assert!(ends > 0);
    for tid in ids {
        let begun = recorded
            .trace
            .calls
            .iter()
            .filter(|call| call.tid == tid && call.name == "step" && !call.already_running);
        let begun = begun.count() as u64;
        let lost = lost.get(&tid).copied().unwrap_or(0);
        assert_eq!(begun + lost, CALLS, "{begun} recorded, {lost} lost");
        // Behind each gap the stack is right again.
        for call in recorded.trace.calls.iter().filter(|call| call.tid == tid) {
            let depth = if call.name == "step" { "run" } else { "" };
            let parent = call.parent.map_or("", |at| &*recorded.trace.calls[at].name);
            assert!(call.name != "step" || parent == depth, "{call:?}");
        }
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn an_attached_process_loses_nothing_on_demand() {
    let (recorded, ids) = record(&["--ring-size", "1", "--lossless"]);
    assert_eq!(recorded.trace.footer["lost"], 0, "{}", recorded.messages);
    for tid in ids {
        let steps = recorded.trace.calls.iter();
        let steps = steps.filter(|call| call.tid == tid && call.name == "step");
        assert_eq!(steps.count() as u64, CALLS);
    }
}
