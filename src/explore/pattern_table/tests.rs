use proptest::prelude::*;

use super::*;
use crate::explore::random::{any_filter, any_recording};
use crate::pattern::{Nearness, Patterns};

proptest! {
    #[test]
    fn the_table_has_the_outermost_repeats_of_all_threads(recording in any_recording(), filter in any_filter()) {
        let explorer = Explorer::new(&recording);
        let grouping = Some(Nearness::TripCounts);
        let threads = 0..recording.threads.len();
        let calls = threads.map(|thread| explorer.calls(thread, &filter)).collect();
        // All at once.
        let patterns = Patterns::of(&recording, calls, grouping);
        let summary = patterns.summary(usize::MAX);
        let query = PatternsQuery {
            threads: Threads::All,
            filter,
            grouping,
            order: PatternOrder::Total,
            from: 0,
            count: PatternsQuery::MOST_ROWS,
        };
        let table = explorer.pattern_rows(&query);
        prop_assert_eq!(table.summary, PatternSummary {
            calls: summary.calls,
            rows: summary.rows,
            patterns: summary.patterns,
            deepest: summary.deepest,
            calls_in_patterns: summary.calls_in_patterns,
        });
        prop_assert_eq!(table.total, summary.top.len());
        for (row, top) in table.rows.iter().zip(&summary.top) {
            prop_assert_eq!(row.total, top.total);
            prop_assert_eq!(row.calls * 2 >= row.calls_per_repetition.min * row.count.min, true);
        }
        type Figure = fn(&PatternRow<'_>) -> f64;
        let orders: [(&str, Figure); 4] = [
            ("total", |row| row.total as f64),
            ("calls", |row| row.calls as f64),
            ("count", |row| row.count.max as f64),
            ("mean", |row| row.mean),
        ];
        for (word, figure) in orders {
            let order = PatternOrder::from_word(word).unwrap();
            let rows = explorer.pattern_rows(&PatternsQuery { order, ..query }).rows;
            prop_assert!(rows.is_sorted_by(|a, b| figure(a) >= figure(b)), "{word}");
            let mut ids: Vec<_> = rows.iter().map(|row| (row.thread, &row.id)).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), rows.len());
            // A part of it is where it was.
            let part = explorer.pattern_rows(&PatternsQuery { order, from: 2, count: 3, ..query }).rows;
            let expected = rows.iter().skip(2).take(3);
            prop_assert!(part.iter().map(|row| &row.id).eq(expected.map(|row| &row.id)));
        }
    }
}
