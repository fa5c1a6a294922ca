use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::explore::random::{any_filter, any_recording, recording, row, sane_recording};
use crate::recording::Recording;

const ALL: Fields = Fields {
    names: true,
    files: true,
    values: true,
};

fn any_query() -> impl Strategy<Value = SearchQuery> {
    let text = prop::sample::select(vec![
        "main", "Main", "MAIN", "step", "Step", "17", "trainer", "maße", "ö", "none", "self", "x",
        "json", "nowhere", "",
    ]);
    let fields = any::<[bool; 3]>().prop_map(|[names, files, values]| Fields {
        names,
        files,
        values,
    });
    (text, fields, any_filter()).prop_map(|(text, fields, filter)| SearchQuery {
        text: text.into(),
        fields,
        filter,
    })
}

/// All hits, call by call.
fn naive(recording: &Recording, query: &SearchQuery) -> Vec<Place> {
    let is_exact = query.text.chars().any(char::is_uppercase);
    let has = |text: &str| match (query.text.is_empty(), is_exact) {
        (true, _) => false,
        (_, true) => text.contains(&query.text),
        (_, false) => text.to_lowercase().contains(&query.text),
    };
    let explorer = Explorer::new(recording);
    let mut hits = Vec::new();
    for thread in 0..recording.threads.len() {
        let calls = explorer.calls(thread, &query.filter);
        for position in 0..calls.len() {
            let row = calls.row(position);
            let code = recording.code(row);
            let arguments = recording.arguments(row).into_iter();
            let mut arguments = arguments.flat_map(|arguments| arguments.iter());
            let values = [recording.result(row), recording.message(row)];
            let fields = query.fields;
            let found = (fields.names && has(&code.name))
                || (fields.files && has(&code.file))
                || (fields.values
                    && (arguments.any(|(name, value)| has(name) || has(value))
                        || values.into_iter().flatten().any(has)));
            if found {
                let row = calls.index(position);
                hits.push(Place { thread, row });
            }
        }
    }
    hits
}

fn places(hits: &[Hit<'_>]) -> Vec<Place> {
    let places = hits.iter().map(|hit| Place {
        thread: hit.thread,
        row: hit.row,
    });
    places.collect()
}

/// All hits of a search that is stopped again and again, from a place on.
fn walk(
    explorer: &Explorer<'_>,
    query: &SearchQuery,
    from: Option<Place>,
    direction: Direction,
    limit: usize,
) -> Vec<Place> {
    let mut found = Vec::new();
    let mut after = from;
    loop {
        let answer = explorer.search(query, after, direction, limit, &|| false);
        assert!(answer.hits.len() <= limit);
        found.extend(places(&answer.hits));
        if answer.done {
            return found;
        }
        assert_ne!(answer.at, after, "it goes on");
        after = answer.at;
    }
}

proptest! {
    #[test]
    fn each_hit_is_found_once_in_either_direction(
        recording in any_recording(),
        query in any_query(),
        limit in 1usize..5,
        from: prop::sample::Index,
    ) {
        let explorer = Explorer::new(&recording);
        let mut expected = naive(&recording, &query);
        // The second time from what the first one found out.
        for _ in 0..2 {
            prop_assert_eq!(walk(&explorer, &query, None, Direction::Next, limit), expected.clone());
            expected.reverse();
            prop_assert_eq!(walk(&explorer, &query, None, Direction::Previous, limit), expected.clone());
            expected.reverse();
        }
        let Some(thread) = recording.threads.len().checked_sub(1) else { return Ok(()) };
        let from = Place { thread: from.index(thread + 1), row: from.index(500) };
        let behind: Vec<_> = expected.iter().copied().filter(|&hit| hit > from).collect();
        prop_assert_eq!(walk(&explorer, &query, Some(from), Direction::Next, 1), behind);
        let before: Vec<_> = expected.iter().copied().rev().filter(|&hit| hit < from).collect();
        prop_assert_eq!(walk(&explorer, &query, Some(from), Direction::Previous, 1), before);
    }

    #[test]
    fn a_count_may_be_taken_in_parts(recording in any_recording(), query in any_query(), mark: prop::sample::Index) {
        let explorer = Explorer::new(&recording);
        let expected = naive(&recording, &query);
        let mark = Place { thread: mark.index(4), row: mark.index(500) };
        let before = expected.iter().filter(|&&hit| hit <= mark).count();
        let whole = explorer.count_hits(&query, None, Some(mark), &|| true);
        prop_assert_eq!((whole.count, whole.before, whole.done), (expected.len(), before, true));
        let (mut after, mut count, mut counted_before) = (None, 0, 0);
        loop {
            let part = explorer.count_hits(&query, after, Some(mark), &|| false);
            count += part.count;
            counted_before += part.before;
            after = part.at;
            if part.done {
                break;
            }
        }
        prop_assert_eq!((count, counted_before), (expected.len(), before));
    }

    #[test]
    fn a_hit_shows_what_was_found(recording in sane_recording(), query in any_query()) {
        let answer = Explorer::new(&recording).search(&query, None, Direction::Next, 200, &|| true);
        for hit in answer.hits {
            let shown = hit.text.to_lowercase();
            prop_assert!(shown.contains(&query.text.to_lowercase()), "{shown}");
        }
    }

    #[test]
    fn an_excerpt_has_the_hit(before in "\\PC{0,200}", hit in "\\PC{1,20}", behind in "\\PC{0,200}") {
        let text = format!("{before}{hit}{behind}");
        let shown = excerpt(&text, before.len()..before.len() + hit.len());
        prop_assert!(shown.contains(&hit));
        prop_assert!(shown.chars().count() <= EXCERPT + 2);
    }
}

#[test]
fn a_search_goes_on_until_it_is_told_not_to() {
    let rows: Vec<_> = (0..10 * BLOCK as u64).map(|at| row(0, at, 1)).collect();
    let mut rows = rows;
    rows[5 * BLOCK + 7].code = 1;
    let recording = recording([rows]);
    let explorer = Explorer::new(&recording);
    let query = SearchQuery {
        text: "step".into(),
        fields: ALL,
        filter: Filter::default(),
    };
    let blocks = Cell::new(3);
    let go_on = || {
        blocks.set(blocks.get() - 1);
        blocks.get() > 0
    };
    let stopped = explorer.search(&query, None, Direction::Next, 1, &go_on);
    assert_eq!((stopped.scanned, stopped.done), (3 * BLOCK, false));
    let found = explorer.search(&query, stopped.at, Direction::Next, 1, &|| true);
    assert_eq!((found.scanned, found.hits.len()), (2 * BLOCK + 8, 1));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["at"], format!("0.{}", 5 * BLOCK + 7));
    assert_eq!(json["hits"][0]["where"], "name");
    assert_eq!(Place::from_word("0.5127"), found.at);
    assert_eq!(
        ["", "1", "1.", ".1", "a.b", "-1.2"].map(Place::from_word),
        [None; 6]
    );
}

#[test]
fn an_argument_is_shown_with_its_name() {
    let text = "self\t<Trainer>\nx\t[1, 2]\n";
    let at = text.find("2]").unwrap();
    assert_eq!(argument(text, at..at + 2), "x=[1, 2]");
    let at = text.find("self").unwrap();
    assert_eq!(argument(text, at..at + 4), "self=<Trainer>");
}
