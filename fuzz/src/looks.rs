//! A recording looked at in every way there is: as text, as JSON, as the page and the report ask.

use std::path::Path;

use pytrace::explore::{
    Column, Defaults, Direction, Explorer, Fields, Filter, FlameQuery, FunctionsQuery, Open,
    Origin, PatternOrder, PatternsQuery, SearchQuery, Threads, TimelineQuery,
};
use pytrace::export::write_report;
use pytrace::json::{JsonOptions, write_json};
use pytrace::pattern::{Nearness, Patterns};
use pytrace::recording::{Recording, Selection};
use pytrace::view::{Style, TreeOptions, write_tree};
use serde::Serialize;
use serde_json::Value;

/// Bytes of an answer to the page (`docs/serve-api.md`).
const LARGEST_ANSWER: usize = 1_000_000;
/// Levels of calls whose JSON is read: with repeats in repeats, the parser takes no more for sure.
const LEVELS: u32 = 6;
/// Threads that are looked at one by one.
const THREADS: usize = 8;

/// How things are grouped, drawn and left out, by the bits of a number.
#[derive(Debug, Clone, Copy)]
pub struct Choices(pub u32);

impl Choices {
    fn bit(self, bit: u32) -> bool {
        self.0 >> bit & 1 != 0
    }

    fn grouping(self) -> Option<Nearness> {
        match self.0 & 3 {
            0 => None,
            1 => Some(Nearness::Exact),
            _ => Some(Nearness::default()),
        }
    }

    fn filter(self) -> Filter {
        Filter {
            hide_imports: self.bit(2),
            hide_external: self.bit(3),
            only_exceptions: self.bit(4),
            min_duration: if self.bit(5) { 1000 } else { 0 },
        }
    }

    /// What `pytrace show` leaves out.
    pub fn selection(self) -> Selection {
        Selection {
            depth: self.bit(6).then_some(self.0 >> 24 & 7),
            ..self.filter().selection()
        }
    }
}

/// Prints the tree; panics if it holds anything that a terminal might obey.
pub fn check_tree(recording: &Recording, choices: Choices) {
    let options = TreeOptions {
        style: match choices.bit(7) {
            true => Style::Ascii,
            false => Style::Unicode,
        },
        patterns: choices.grouping(),
        values: !choices.bit(8),
        times: !choices.bit(9),
        number_of_calls: choices.bit(10),
        width: choices.bit(11).then_some((choices.0 >> 16 & 0xff) as usize),
        limit: choices.bit(12).then_some((choices.0 >> 16 & 0x3f) as usize),
        ..TreeOptions::default()
    };
    let mut out = Vec::new();
    write_tree(recording, &options, &mut out).expect("a vector takes all");
    let text = String::from_utf8(out).expect("text");
    check_printable(&text);
}

/// Panics if there is anything in a text besides lines that can be read.
pub fn check_printable(text: &str) {
    let obeyed = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(obeyed), "{text:?}");
}

/// Prints JSON as `pytrace show --json` does, and reads it.
pub fn check_json(recording: &Recording, choices: Choices) {
    let grouping = choices.grouping();
    let patterns = grouping.map(|nearness| Patterns::new(recording, nearness));
    let mut json = Vec::new();
    let options = JsonOptions {
        values: !choices.bit(8),
        ..JsonOptions::default()
    };
    write_json(recording, patterns.as_ref(), options, &mut json).expect("a vector takes all");
    let rows = recording.threads.iter().flat_map(|thread| &thread.calls);
    if rows.map(|row| row.depth).max() < Some(LEVELS) {
        let _: Value = serde_json::from_slice(&json).expect("JSON");
    }
}

/// Asks what the page asks; panics if an answer is no JSON or too large to be sent.
pub fn check_answers(recording: &Recording, choices: Choices) {
    let explorer = Explorer::new(recording);
    let (filter, grouping) = (choices.filter(), choices.grouping());
    let defaults = Defaults {
        grouping,
        hide_imports: filter.hide_imports,
    };
    let overview = explorer.overview(&Origin::of(Path::new("fuzz.json")), defaults);
    answer(&overview);
    let listed: Vec<usize> = overview.listed_threads().take(THREADS).collect();
    let extent = overview.extent();
    let scopes = listed.first().map(|first| Threads::One(*first));
    for threads in [Some(Threads::All), scopes].into_iter().flatten() {
        answer(&explorer.flame(&FlameQuery {
            threads,
            filter,
            at: None,
            min: 0.0,
        }));
        let functions = explorer.function_rows(&FunctionsQuery {
            threads,
            filter,
            text: String::new(),
            column: Column::Own,
            descending: choices.bit(15),
            from: 0,
            count: 100,
        });
        answer(&functions);
        for row in functions.rows.iter().take(THREADS) {
            answer(&explorer.function(row.code, threads, &filter));
        }
        answer(&explorer.pattern_rows(&PatternsQuery {
            threads,
            filter,
            grouping,
            order: PatternOrder::Total,
            from: 0,
            count: 100,
        }));
    }
    for (from, to) in [(extent.start, extent.end), (u64::MAX, 0)] {
        answer(&explorer.timeline(&TimelineQuery {
            threads: listed.clone(),
            filter,
            grouping,
            from,
            to,
            width: 1 + (choices.0 >> 16 & 0xff) as usize,
            depth: choices.0 >> 28,
            levels: 40,
        }));
    }
    let query = SearchQuery {
        text: "e".to_owned(),
        fields: Fields {
            names: true,
            files: true,
            values: true,
        },
        filter,
    };
    answer(&explorer.search(&query, None, Direction::Next, 20, &|| true));
    answer(&explorer.count_hits(&query, None, None, &|| true));
    for thread in listed {
        let view = explorer.view(thread, &filter, grouping);
        for open in ["", "all", "none,c0+,r1.2@2*"] {
            let open = Open::parse(open).expect("a state");
            answer(&view.rows(&open, 0, 100));
            answer(&view.rows(&open, usize::MAX, usize::MAX));
            let last = recording.threads[thread].calls.len().saturating_sub(1);
            answer(&view.reveal(&open, last));
        }
        answer(&explorer.call(thread, (choices.0 >> 16) as usize));
    }
}

fn answer(answer: &impl Serialize) {
    let json = serde_json::to_string(answer).expect("JSON");
    assert!(json.len() <= LARGEST_ANSWER, "{} bytes", json.len());
    let _: Value = serde_json::from_str(&json).expect("JSON");
}

/// Writes what a report holds; panics if it could end the script that it stands in.
pub fn check_report(recording: &Recording, choices: Choices) {
    let mut out = Vec::new();
    let origin = Origin::of(Path::new("<fuzz>.json"));
    let size = 100_000;
    write_report(recording, origin, choices.grouping(), size, &mut out)
        .expect("a vector takes all");
    assert!(!out.contains(&b'<'), "a tag in a report");
    let _: Value = serde_json::from_slice(&out).expect("JSON");
}
