use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::explore::random::{
    any_filter, any_recording, callers, own_times, recording, row, sane_recording,
};

/// Total, self and calls by path of codes.
type ByPath = BTreeMap<Vec<u32>, (u64, u64, u64)>;

fn naive(explorer: &Explorer<'_>, filter: &Filter) -> ByPath {
    let functions = explorer.functions();
    let mut merged = ByPath::new();
    for thread in 0..explorer.recording.threads.len() {
        let calls = explorer.calls(thread, filter);
        let callers = callers(&calls);
        let own = own_times(&calls);
        for (position, own) in own.into_iter().enumerate() {
            let path = std::iter::successors(Some(position), |&call| callers[call]);
            let code = |position| functions.code(functions.of(calls.row(position).code));
            let mut path: Vec<u32> = path.map(code).collect();
            path.reverse();
            let known = merged.entry(path).or_default();
            known.0 = known.0.saturating_add(calls.row(position).duration);
            known.1 = known.1.saturating_add(own);
            known.2 += 1;
        }
    }
    merged
}

fn by_path(flame: &Flame<'_>) -> ByPath {
    let mut paths: Vec<Vec<u32>> = Vec::new();
    let mut merged = ByPath::new();
    for &FlameNode(depth, code, total, own, calls, parent, _) in &flame.nodes {
        let mut path = match usize::try_from(parent) {
            Ok(parent) => paths[parent].clone(),
            Err(_) => Vec::new(),
        };
        assert_eq!(path.len(), depth as usize);
        path.push(code);
        paths.push(path.clone());
        assert_eq!(merged.insert(path, (total, own, calls)), None);
    }
    merged
}

fn whole(filter: Filter) -> FlameQuery {
    FlameQuery {
        threads: Threads::All,
        filter,
        at: None,
        min: 0.0,
    }
}

proptest! {
    #[test]
    fn calls_are_merged_by_their_path(recording in any_recording(), filter in any_filter()) {
        let explorer = Explorer::new(&recording);
        let flame = explorer.flame(&whole(filter)).unwrap();
        let merged = naive(&explorer, &filter);
        prop_assert_eq!(by_path(&flame), merged.clone());
        prop_assert_eq!((flame.left_out, flame.calls_left_out), (0, 0));
        prop_assert_eq!(flame.calls, merged.values().map(|node| node.2).sum::<u64>());
        // Depth first, siblings from the heaviest on.
        let mut last: Vec<u64> = Vec::new();
        for node in &flame.nodes {
            let depth = node.0 as usize;
            prop_assert!(depth <= last.len());
            prop_assert!(last.get(depth).is_none_or(|&before| before >= node.2));
            last.truncate(depth);
            last.push(node.2);
        }
    }

    #[test]
    fn the_total_is_what_the_outermost_calls_took(recording in sane_recording(), filter in any_filter()) {
        let explorer = Explorer::new(&recording);
        let flame = explorer.flame(&whole(filter)).unwrap();
        let mut outermost = 0;
        for thread in 0..recording.threads.len() {
            let calls = explorer.calls(thread, &filter);
            let at_top = (0..calls.len()).filter(|&position| calls.depth(position) == 0);
            outermost += at_top.map(|position| calls.row(position).duration).sum::<u64>();
        }
        prop_assert_eq!(flame.total, outermost);
        prop_assert_eq!(flame.nodes.iter().map(|node| node.3).sum::<u64>(), outermost);
    }

    #[test]
    fn a_node_is_the_whole_of_what_is_below_it(recording in sane_recording(), min in 0.0f64..0.5) {
        let explorer = Explorer::new(&recording);
        let all = explorer.flame(&whole(Filter::default())).unwrap();
        for (index, node) in all.nodes.iter().enumerate().take(20) {
            let query = FlameQuery { at: Some(node.6), min, ..whole(Filter::default()) };
            let below = explorer.flame(&query).unwrap();
            prop_assert_eq!((below.nodes[0].2, below.nodes[0].5, below.nodes[0].6), (node.2, -1, node.6));
            let end = all.nodes[index + 1..].iter().position(|other| other.0 <= node.0);
            let end = end.map_or(all.nodes.len(), |end| index + 1 + end);
            let least = (node.2 as f64 * min).ceil() as u64;
            let shown = all.nodes[index..end].iter().filter(|other| other.2 >= least);
            prop_assert!(shown.map(|node| node.6).eq(below.nodes.iter().map(|node| node.6)));
            prop_assert_eq!(below.left_out, end - index - below.nodes.len());
        }
        let none = FlameQuery { at: Some(u32::MAX), ..whole(Filter::default()) };
        prop_assert!(explorer.flame(&none).is_none());
    }

    #[test]
    fn what_is_one_path_too_many_is_counted(recording in any_recording(), most in 0usize..10) {
        let explorer = Explorer::new(&recording);
        let threads = 0..recording.threads.len();
        let calls = |thread| explorer.calls(thread, &Filter::default());
        let paths = Paths::bounded(most, explorer.functions(), threads.clone(), calls);
        prop_assert!(paths.len() <= most);
        let (_, kept) = paths.below(paths.children(NONE));
        let all: usize = threads.map(|thread| recording.threads[thread].calls.len()).sum();
        prop_assert_eq!(kept + paths.calls_left_out(), all as u64);
    }
}

#[test]
fn a_deep_recursion_is_cut_to_what_an_answer_holds() {
    let depth = 600_000;
    let rows = (0..depth).map(|depth| row(depth, u64::from(depth), 1_000_000));
    let recording = recording([rows.collect::<Vec<_>>()]);
    let flame = Explorer::new(&recording)
        .flame(&whole(Filter::default()))
        .unwrap();
    assert_eq!(flame.nodes.len(), MOST_NODES);
    assert_eq!(flame.nodes.last().unwrap().0 as usize, MOST_NODES - 1);
    assert_eq!(flame.calls + flame.calls_left_out, u64::from(depth));
    assert_eq!(flame.left_out + MOST_NODES, flame.calls as usize);
    assert_eq!(flame.codes.len(), 1);
}
