use std::collections::BTreeMap;

use proptest::prelude::*;

use super::profile::{Edge, NOBODY, Sums};
use super::*;
use crate::explore::random::{
    any_filter, any_recording, callers, own_times, recording, row, sane_recording,
};
use crate::recording::{Calls, Flags};

/// Calls and time of each pair of caller and callee.
type Edges = BTreeMap<(u32, u32), (u64, u64)>;

/// The same by looking at the callers of each call.
fn naive(explorer: &Explorer<'_>, threads: Threads, filter: &Filter) -> (Vec<Sums>, Edges, u64) {
    let functions = explorer.functions();
    let mut durations = vec![Vec::new(); functions.len()];
    let mut sums = vec![Sums::default(); functions.len()];
    let mut edges = Edges::new();
    let mut total = 0u64;
    for thread in threads.indices(explorer.recording) {
        let calls = explorer.calls(thread, filter);
        let callers = callers(&calls);
        let own = own_times(&calls);
        let function = |position| functions.of(Calls::row(&calls, position).code);
        let edge = |position: usize| {
            (
                callers[position].map_or(NOBODY, function),
                function(position),
            )
        };
        for (position, own) in own.into_iter().enumerate() {
            let row = calls.row(position);
            let above = || std::iter::successors(callers[position], |&caller| callers[caller]);
            let of_function = &mut sums[function(position) as usize];
            of_function.calls += 1;
            of_function.sum = of_function.sum.saturating_add(row.duration);
            of_function.own = of_function.own.saturating_add(own);
            of_function.max = of_function.max.max(row.duration);
            of_function.raised += u64::from(row.flags.has(Flags::RAISED));
            if above().all(|caller| function(caller) != function(position)) {
                of_function.total = of_function.total.saturating_add(row.duration);
            }
            durations[function(position) as usize].push(row.duration);
            let known = edges.entry(edge(position)).or_default();
            known.0 += 1;
            if above().all(|caller| edge(caller) != edge(position)) {
                known.1 = known.1.saturating_add(row.duration);
            }
            match callers[position] {
                Some(caller) => sums[function(caller) as usize].made += 1,
                None => total = total.saturating_add(row.duration),
            }
        }
    }
    for (sums, durations) in sums.iter_mut().zip(&mut durations) {
        durations.sort_unstable();
        let at =
            |percent: usize| durations.get((durations.len() * percent).div_ceil(100).max(1) - 1);
        sums.median = at(50).copied().unwrap_or(0);
        sums.p95 = at(95).copied().unwrap_or(0);
    }
    (sums, edges, total)
}

fn query(threads: Threads, filter: Filter) -> FunctionsQuery {
    FunctionsQuery {
        threads,
        filter,
        text: String::new(),
        column: Column::Own,
        descending: true,
        from: 0,
        count: 100,
    }
}

proptest! {
    #[test]
    fn sums_are_those_of_the_calls(recording in any_recording(), filter in any_filter(), one in prop::option::of(0usize..4)) {
        let explorer = Explorer::new(&recording);
        let threads = one.map_or(Threads::All, Threads::One);
        let profile = explorer.profile(threads, &filter);
        let (sums, edges, total) = naive(&explorer, threads, &filter);
        prop_assert_eq!(&profile.functions, &sums);
        prop_assert_eq!(profile.total, total);
        let found = profile.edges.iter();
        let found: Edges = found
            .map(|edge: &Edge| ((edge.caller, edge.callee), (edge.calls, edge.total)))
            .collect();
        prop_assert_eq!(found, edges);
    }

    #[test]
    fn what_functions_took_is_what_the_outermost_calls_took(recording in sane_recording(), filter in any_filter()) {
        let explorer = Explorer::new(&recording);
        let rows = explorer.function_rows(&query(Threads::All, filter)).rows;
        let own: u64 = rows.iter().map(|row| row.own).sum();
        prop_assert_eq!(own, explorer.profile(Threads::All, &filter).total);
        let share: f64 = rows.iter().map(|row| row.share).sum();
        prop_assert!(own == 0 || (share - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_function_is_told_of_by_each_of_its_codes(recording in any_recording(), filter in any_filter(), code in 0u32..7) {
        let explorer = Explorer::new(&recording);
        let Some(detail) = explorer.function(code, Threads::All, &filter) else {
            let rows = explorer.function_rows(&query(Threads::All, filter)).rows;
            let function = explorer.functions().find(code);
            prop_assert!(rows.iter().all(|row| explorer.functions().find(row.code) != function));
            return Ok(());
        };
        let calls = detail.function.row.calls;
        prop_assert_eq!(detail.callers.iter().map(|caller| caller.calls).sum::<u64>(), calls);
        prop_assert_eq!((detail.callers_left_out, detail.callees_left_out), (0, 0));
        prop_assert_eq!(detail.histogram.iter().map(|class| class.2).sum::<u64>(), calls);
        prop_assert_eq!(detail.slowest.duration, detail.function.row.max);
        let same = |place: OtherPlace| {
            let row = &recording.threads[place.thread].calls[place.row];
            (explorer.functions().find(row.code) == explorer.functions().find(code)).then_some(row)
        };
        prop_assert_eq!(same(detail.slowest.place).unwrap().duration, detail.slowest.duration);
        let first = same(detail.first).unwrap().start;
        for thread in 0..recording.threads.len() {
            let left = explorer.calls(thread, &filter);
            for position in 0..left.len() {
                let row = left.row(position);
                prop_assert!(row.start >= first || explorer.functions().of(row.code) != explorer.functions().of(code));
            }
        }
    }
}

#[test]
fn rows_are_in_the_order_that_is_asked_for() {
    let mut rows: Vec<_> = (0..6).map(|at| row(0, at * 10, at)).collect();
    for (row, code) in rows.iter_mut().zip([0, 1, 2, 3, 4, 1]) {
        row.code = code;
    }
    let recording = recording([rows]);
    let explorer = Explorer::new(&recording);
    let names = |column, descending, text: &str, from, count| {
        let rows = explorer.function_rows(&FunctionsQuery {
            column: Column::from_word(column).unwrap(),
            descending,
            text: text.into(),
            from,
            count,
            ..query(Threads::All, Filter::default())
        });
        let names: Vec<_> = rows.rows.iter().map(|row| row.name.to_string()).collect();
        (rows.total, names.join(" "))
    };
    let whole = "Trainer.step größe _find_and_load dumps main";
    assert_eq!(names("self", true, "", 0, 100), (5, whole.into()));
    assert_eq!(
        names("p50", false, "", 1, 2),
        (5, "Trainer.step dumps".into())
    );
    assert_eq!(
        names("name", false, "", 0, 2),
        (5, "Trainer.step _find_and_load".into())
    );
    assert_eq!(names("calls", true, "TRAIN", 0, 9), (0, String::new()));
    // In the name or the path.
    assert_eq!(
        names("calls", true, "train", 0, 9),
        (2, "Trainer.step main".into())
    );
    assert_eq!(names("raised", true, "json", 7, 9), (1, String::new()));
}

#[test]
fn a_function_that_is_in_progress_twice_counts_once() {
    let recording = recording([vec![row(0, 0, 100), row(1, 10, 50), row(2, 20, 10)]]);
    let explorer = Explorer::new(&recording);
    let rows = explorer.function_rows(&query(Threads::One(0), Filter::default()));
    let main = &rows.rows[0];
    assert_eq!(
        (main.calls, main.total, main.own, main.max),
        (3, 100, 100, 100)
    );
    let detail = explorer
        .function(0, Threads::All, &Filter::default())
        .unwrap();
    let callers = detail
        .callers
        .iter()
        .map(|caller| (caller.code, caller.calls, caller.total));
    assert_eq!(
        callers.collect::<Vec<_>>(),
        [(None, 1, 100), (Some(0), 2, 50)]
    );
    let json = serde_json::to_value(&detail).unwrap();
    assert_eq!(
        json["slowest"],
        serde_json::json!({"thread": 0, "row": 0, "duration": 100})
    );
    assert_eq!(json["function"]["path"], "/p/train.py");
    assert_eq!(json["function"]["self"], 100);
}
