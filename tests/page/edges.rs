//! Traces that are unlike others. `PYTRACE_SCREENSHOTS=DIR` keeps how each looks.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::look::{Page, look_at};
use crate::trace::{Call, Trace, call};

/// Opens a trace, checks how many calls its header tells of, and looks at it in all views.
fn look_well(name: &str, trace: &Trace, calls: &str, look: impl AsyncFnOnce(&Page)) {
    look_at(trace, "#hide=", async |page| {
        if calls != "0" {
            page.until(
                "rows are there",
                "return document.querySelector('#tree .stage [data-node]') !== null",
            )
            .await;
        }
        let told = page.text("#fact-calls strong").await;
        assert_eq!(told, calls);
        keep(page, name).await;
        look(page).await;
        if calls == "0" {
            // There is nothing to view.
            return;
        }
        for view in ["timeline", "flame", "functions", "patterns"] {
            page.click(&format!("#tab-{view}")).await;
            keep(page, &format!("{name}-{view}")).await;
            let shown = format!("return !document.querySelector('#panel-{view}').hidden");
            assert_eq!(page.run(&shown).await, true);
        }
    });
}

pub(crate) async fn keep(page: &Page, name: &str) {
    if let Some(directory) = std::env::var_os("PYTRACE_SCREENSHOTS") {
        let picture = page.browser.client.screenshot().await.expect("a picture");
        let path = PathBuf::from(directory).join(format!("{name}.png"));
        fs::write(path, picture).expect("a file");
    }
}

#[test]
fn an_empty_trace_says_so() {
    let trace = Trace::new();
    look_well("empty", &trace, "0", async |page| {
        let text = page.text("#main").await;
        assert!(text.to_lowercase().contains("no call"), "{text}");
    });
}

#[test]
fn one_call_is_one_row() {
    let mut trace = Trace::new();
    trace.leaf(call("alone"));
    look_well("one", &trace, "1", async |page| {
        assert_eq!(page.rows().await, ["alone"]);
    });
}

#[test]
fn recursion_100_000_deep_is_walked_to_its_end() {
    let mut trace = Trace::new();
    for _ in 0..100_000 {
        trace.enter(call("recurse"));
    }
    for _ in 0..100_000 {
        trace.leave();
    }
    look_well("deep", &trace, "100,000", async |page| {
        page.click("#expand-all").await;
        page.click("#tree .stage [role=row]").await;
        page.press("\u{e010}").await;
        page.until(
            "the innermost call is selected",
            "return document.querySelector('#tree [aria-selected=true]')?.getAttribute('aria-level') === '100000'",
        )
        .await;
        assert_eq!(page.selected().await.as_deref(), Some("recurse"));
        keep(page, "deep-end").await;
    });
}

#[test]
fn any_of_500_threads_is_found() {
    let mut trace = Trace::new();
    for tid in 1000..1500 {
        trace.thread(100, tid, &format!("worker-{tid}"));
        trace.within(call("work"), |trace| trace.leaf(call("item")));
    }
    look_well("threads", &trace, "1,000", async |page| {
        page.click("#thread-picker").await;
        keep(page, "threads-picker").await;
        page.press("worker-1477\u{e007}").await;
        assert!(page.text("#thread-picker").await.contains("1477"));
    });
}

#[test]
fn any_of_200_processes_is_found() {
    let mut trace = Trace::new();
    for pid in 2000..2200 {
        trace.thread(pid, pid, "python3");
        trace.within(call("work"), |trace| trace.leaf(call("item")));
    }
    look_well("processes", &trace, "400", async |page| {
        assert!(page.text("#fact-threads").await.contains("200 processes"));
        page.click("#thread-picker").await;
        keep(page, "processes-picker").await;
        page.press("2150.py\u{e007}").await;
        assert!(page.text("#thread-picker").await.contains("2150"));
    });
}

#[test]
fn names_of_10_000_characters_are_cut_and_told_in_full() {
    let mut trace = Trace::new();
    let name = "n".repeat(10_000);
    trace.within(call(&name), |trace| {
        trace.leaf(Call {
            arguments: &[(&name, &name)],
            result: Some(&name),
            ..call(&name)
        });
    });
    look_well("long-names", &trace, "2", async |page| {
        let width = page
            .run("return document.documentElement.scrollWidth")
            .await;
        assert_eq!(width, 1280);
        page.click("#tree .stage [role=row] .name").await;
        let title = page.text("#details h2").await;
        assert!(title.len() > 1000, "{}", title.len());
        keep(page, "long-names-details").await;
    });
}

#[test]
fn names_from_right_to_left_and_of_emoji_stand_where_others_do() {
    let mut trace = Trace::new();
    trace.within(call("שלום_עולם"), |trace| {
        trace.leaf(Call {
            arguments: &[("اسم", "'مرحبا'"), ("n", "1")],
            result: Some("'🐍'"),
            ..call("مرحبا")
        });
        trace.leaf(call("🐍👩‍👩‍👧‍👦"));
        trace.leaf(call("latin"));
    });
    look_well("scripts", &trace, "4", async |page| {
        let lefts = "
            return [...document.querySelectorAll('#tree .stage [aria-level=\"2\"] .name')]
                .map((name) => Math.round(name.getBoundingClientRect().left));";
        let lefts = page.run(lefts).await;
        assert_eq!(lefts, json!([lefts[0], lefts[0], lefts[0]]));
    });
}

#[test]
fn a_trace_of_external_calls_only_is_no_empty_page() {
    let mut trace = Trace::new();
    for name in ["dumps", "loads", "dumps"] {
        trace.leaf(Call {
            category: "external",
            ..call(name)
        });
    }
    look_well("external", &trace, "3", async |page| {
        assert_eq!(page.rows().await, ["dumps", "loads", "dumps"]);
        page.click("#hide-external").await;
        // Not a blank: it says what hides them.
        keep(page, "external-hidden").await;
        let text = page.text("#main").await;
        assert!(
            text.to_lowercase().contains("hid") || text.to_lowercase().contains("filter"),
            "{text}"
        );
        page.click("#clear-filters").await;
    });
}

#[test]
fn a_trace_that_lost_everything_says_how_much() {
    let mut trace = Trace::new();
    trace.say("lost", 4321.into());
    let lost = json!([{"pid": 100, "tid": 100, "count": 4321, "near_call": 0}]);
    trace.say("lost_by_thread", lost);
    look_well("lost", &trace, "0", async |page| {
        let note = page.text("#header .note.bad").await;
        assert!(note.contains("4,321"), "{note}");
    });
}

#[test]
fn calls_that_did_not_end_are_told() {
    let mut trace = Trace::new();
    for name in ["a", "b", "c"] {
        trace.enter(Call {
            unfinished: true,
            ..call(name)
        });
    }
    for _ in 0..3 {
        trace.leave();
    }
    look_well("unfinished", &trace, "3", async |page| {
        let badges = "return document.querySelectorAll('#tree .stage .badge.flag').length";
        assert_eq!(page.run(badges).await, 3);
        assert!(page.text("#header").await.contains("3 calls unfinished"));
    });
}
