//! Events that were lost: where, and the way from one gap to the next. `PYTRACE_SCREENSHOTS=DIR` keeps
//! how it looks.

use serde_json::json;

use crate::edges::keep;
use crate::look::{Page, look_at, look_at_file};
use crate::looks::POOR;
use crate::report::{check_silence, export, open};
use crate::trace::{Trace, call};
use crate::views::{click_at, pixels};

const FIRST: &str = "⚠ 2,464 events lost here";
const SECOND: &str = "⚠ 7 events lost here, in 2 gaps";
const THIRD: &str = "⚠ 1 event lost here";

/// A hundred rounds of a loop, with a gap behind forty; in the last call of them, a gap of two parts.
/// Another thread has lost all it did.
fn losing() -> Trace {
    let mut trace = Trace::new();
    let round = |trace: &mut Trace| trace.within(call("step"), |trace| trace.leaf(call("load")));
    trace.within(call("main"), |trace| {
        for _ in 0..40 {
            round(trace);
        }
        trace.lose(1234, 1230, 60_000);
        for _ in 0..59 {
            round(trace);
        }
        trace.within(call("step"), |trace| {
            trace.leaf(call("load"));
            trace.lose(2, 2, 3_000);
            trace.lose(2, 1, 20_000);
        });
    });
    trace.thread(100, 101, "logger");
    trace.lose(1, 0, 5_000);
    trace
}

/// Whether the selected line is a gap's of this text, and the details tell of it.
async fn is_at(page: &Page, text: &str) {
    assert_eq!(page.selected().await.as_deref(), Some(text));
    assert_eq!(page.text("#details h2").await, text);
}

#[test]
fn gaps_part_the_folds_around_them() {
    look_at(&losing(), "#hide=&open=all", async |page| {
        let rows = page.rows().await;
        let expected = [
            "main",
            ".40× step",
            "..load",
            &format!(".{FIRST}"),
            ".59× step",
            "..load",
            ".step",
            "..load",
            &format!("..{SECOND}"),
        ];
        assert_eq!(rows, expected);
        page.click_in_row(FIRST, ".heading").await;
        is_at(page, FIRST).await;
        let details = page.text("#details").await;
        for part in ["1,234", "1,230", "60.0 µs", "main", "#81"] {
            assert!(details.contains(part), "no {part} in {details}");
        }
        page.click("#behind-gap").await;
        assert_eq!(page.text("#details h2").await, "step");
    });
}

#[test]
fn keys_and_the_header_lead_from_gap_to_gap() {
    look_at(&losing(), "#hide=&open=none", async |page| {
        let note = page.text("#header .note.bad").await;
        assert!(note.contains("2,472 events lost in 4 gaps"), "{note}");
        page.click("#first-gap").await;
        is_at(page, FIRST).await;
        for (key, text) in [
            ("g", SECOND),
            ("g", THIRD),
            // From the beginning.
            ("g", FIRST),
            ("G", THIRD),
            ("G", SECOND),
        ] {
            page.press(key).await;
            is_at(page, text).await;
        }
        page.click("#previous-gap").await;
        is_at(page, FIRST).await;
        // From a call, and by a link.
        page.click("#before-gap").await;
        page.press("g").await;
        is_at(page, FIRST).await;
        let hash = page.run("return location.hash").await;
        page.go(hash.as_str().expect("a text")).await;
        is_at(page, FIRST).await;
    });
}

#[test]
fn filters_keep_gaps() {
    look_at(&losing(), "#hide=&open=all&min=100000", async |page| {
        let rows = page.rows().await;
        // What they stood in is too short: both are below main, with no call between.
        let expected = ["main", ".⚠ 2,471 events lost here, in 3 gaps"];
        assert_eq!(rows, expected);
    });
}

#[test]
fn the_timeline_marks_gaps() {
    look_at(&losing(), "#hide=&view=timeline", async |page| {
        assert!(pixels(page, "danger-ground").await > 200);
        // Of 292 µs, it takes those from 82 to 142.
        click_at(page, 0.4, 2).await;
        assert_eq!(page.text("#details h2").await, FIRST);
        page.press("f").await;
        assert!(pixels(page, "danger-ground").await > 2_000);
    });
}

#[test]
fn figures_say_that_they_are_lower_bounds() {
    look_at(&losing(), "#hide=&view=functions", async |page| {
        let tools = page.text("#panel-functions .tools").await;
        assert!(tools.contains("2,472 events lost"), "{tools}");
        assert!(tools.contains("lower bounds"), "{tools}");
    });
}

#[test]
fn a_report_has_gaps_as_well() {
    let trace = losing();
    let file = trace.save();
    look_at_file(&file, "#hide=&open=all", async |page| {
        let rows = page.rows().await;
        page.check_silence();
        let report = export(&file, &[]);
        open(page, &format!("{report}#hide=&open=all")).await;
        assert_eq!(page.rows().await, rows);
        page.click("#collapse-all").await;
        for text in [FIRST, SECOND, THIRD] {
            page.press("g").await;
            is_at(page, text).await;
        }
        open(page, &format!("{report}#hide=&view=timeline")).await;
        assert!(pixels(page, "danger-ground").await > 200);
        check_silence(page, &report);
    });
}

#[test]
fn gaps_can_be_read_in_both_themes() {
    look_at(&losing(), "#hide=&open=all", async |page| {
        for scheme in ["light", "dark"] {
            page.browser.prefer(scheme).expect("an emulated preference");
            for width in [1280, 400] {
                page.browser.resize(width, 800).expect("another size");
                page.go("#hide=&open=all").await;
                page.click_in_row(FIRST, ".heading").await;
                assert_eq!(page.run(POOR).await, json!([]), "{scheme}, {width}");
                keep(page, &format!("gaps-{scheme}-{width}")).await;
                page.click("#tab-timeline").await;
                keep(page, &format!("gaps-timeline-{scheme}-{width}")).await;
            }
        }
    });
}
