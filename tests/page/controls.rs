//! Threads, filters, details.

use crate::look::{Page, look_at};
use crate::trace::{Call, STEPS, Trace, call, training};

#[test]
fn the_header_tells_what_was_recorded() {
    look_at(&training(), "", async |page| {
        let header = page.text("#header").await;
        for part in [
            "python3 train.py",
            "3.11.2",
            "dispatch",
            "1 process",
            "2 threads",
            // 4 + 6 × 13 + 3, and 2 of the logger.
            "87",
            "85 internal",
            "1 external",
            "1 import",
            "exit 0",
        ] {
            assert!(header.contains(part), "no {part} in {header}");
        }
        page.until(
            "it tells how many rows are left",
            "return document.getElementById('fact-folded').textContent.includes('→')",
        )
        .await;
        assert!(!header.contains("lost"), "{header}");
    });
}

#[test]
fn losses_are_told_in_red() {
    let mut trace = training();
    trace.say("lost", 1234.into());
    let lost = serde_json::json!([{"pid": 100, "tid": 101, "count": 1234, "near_call": 2}]);
    trace.say("lost_by_thread", lost);
    look_at(&trace, "", async |page| {
        let note = page.text("#header .note.bad").await;
        for part in ["lost", "thread 101", "call 2"] {
            assert!(note.contains(part), "no {part} in {note}");
        }
        let colour = page
            .run("return getComputedStyle(document.querySelector('#header .note.bad')).color.match(/\\d+/g).map(Number)")
            .await;
        let [red, green, blue] = [0, 1, 2].map(|at| colour[at].as_u64().expect("a number"));
        assert!(red > green + 40 && red > blue + 40, "{colour}");
    });
}

#[test]
fn what_may_be_missing_is_told() {
    let mut trace = training();
    trace.say("incomplete", serde_json::json!({"unheld": 1, "cut": 2}));
    look_at(&trace, "", async |page| {
        let header = page.text("#header").await;
        for part in [
            "Not whole: the first calls of 1 process may be missing.",
            "Not whole: 2 stacks were too deep",
        ] {
            assert!(header.contains(part), "no {part} in {header}");
        }
    });
}

async fn has(page: &Page, name: &str) -> bool {
    let rows = page.rows().await;
    rows.iter().any(|row| row.trim_start_matches('.') == name)
}

#[test]
fn imports_and_external_calls_can_be_hidden() {
    look_at(&training(), "#hide=&open=all", async |page| {
        assert!(has(page, "_find_and_load").await && has(page, "dumps").await);
        page.click("#hide-imports").await;
        assert!(!has(page, "_find_and_load").await && has(page, "dumps").await);
        page.click("#hide-external").await;
        assert!(!has(page, "_find_and_load").await && !has(page, "dumps").await);
        page.click("#clear-filters").await;
        assert!(has(page, "_find_and_load").await && has(page, "dumps").await);
    });
}

#[test]
fn only_exceptions_leaves_them_and_their_callers() {
    look_at(&training(), "#hide=&open=all", async |page| {
        page.click("#only-exceptions").await;
        let left = ["<module>", ".main", "..save", "...write_file"];
        assert_eq!(page.rows().await, left);
    });
}

#[test]
fn short_calls_can_be_left_out() {
    look_at(&training(), "#hide=&open=all", async |page| {
        page.click("#min-duration").await;
        // The slow repetition's layers and what is above them.
        page.press("40us\u{e007}").await;
        let rows = page.rows().await;
        assert!(!rows.iter().any(|row| row.contains("load")), "{rows:?}");
        assert!(rows.iter().any(|row| row.contains("layer")), "{rows:?}");
        let address = page.run("return location.hash").await;
        page.until(
            "the address has it",
            "return location.hash.includes('min=40000')",
        )
        .await;
        assert!(address.is_string());
    });
}

#[test]
fn patterns_can_be_off_exact_or_similar() {
    // Every other one has one call more.
    let mut trace = Trace::new();
    trace.within(call("main"), |trace| {
        for round in 0..4 {
            trace.within(call("work"), |trace| {
                for _ in 0..2 + round % 2 {
                    trace.leaf(call("item"));
                }
            });
        }
    });
    look_at(&trace, "#open=all", async |page| {
        assert_eq!(page.rows().await, ["main", ".4× work", "..2× item"]);
        page.click("label:has(#grouping-none)").await;
        page.click("#expand-all").await;
        // 1 + 4 + 2 + 3 + 2 + 3
        assert_eq!(page.rows().await.len(), 15);
        page.click("label:has(#grouping-exact)").await;
        page.click("#expand-all").await;
        let rows = page.rows().await;
        assert!(
            rows.len() < 15 && !rows.contains(&".4× work".into()),
            "{rows:?}"
        );
        page.click("label:has(#grouping-near)").await;
        page.click("#expand-all").await;
        assert_eq!(page.rows().await, ["main", ".4× work", "..2× item"]);
    });
}

#[test]
fn another_thread_is_picked_by_typing() {
    look_at(&training(), "#hide=&open=all", async |page| {
        page.click("#thread-picker").await;
        page.press("logg\u{e007}").await;
        page.click("#expand-all").await;
        assert_eq!(page.rows().await, ["log_forever", ".emit"]);
    });
}

#[test]
fn details_show_all_of_a_call_and_its_source() {
    look_at(&training(), "#hide=&open=all", async |page| {
        page.click_in_row("step", ".name").await;
        page.until(
            "its source is there",
            "return document.querySelector('#details .source [aria-current]') !== null",
        )
        .await;
        let details = page.text("#details").await;
        assert!(details.contains("list[8] of batch 0"), "{details}");
        assert!(
            details.contains("<module>") && details.contains("main"),
            "{details}"
        );
        assert_eq!(
            page.text("#details .source [aria-current]").await,
            "def step(batch):"
        );
        for batch in 1..STEPS {
            page.click("#next-same").await;
            let details = page.text("#details").await;
            assert!(details.contains(&format!("of batch {batch}")), "{details}");
        }
        let is_last = "return document.querySelector('#next-same').disabled";
        assert_eq!(page.run(is_last).await, true);
        page.click("#previous-same").await;
        assert!(page.text("#details").await.contains("of batch 4"));
        page.click("#details-close").await;
        assert_eq!(
            page.run("return document.querySelector('#details').hidden")
                .await,
            true
        );
    });
}

#[test]
fn source_that_cannot_be_read_says_why() {
    let mut trace = Trace::new();
    trace.leaf(Call {
        file: "gone.py",
        ..call("vanished")
    });
    look_at(&trace, "", async |page| {
        page.click_in_row("vanished", ".name").await;
        let reason = page.text("#details-source").await;
        assert!(reason.contains("can't be read"), "{reason}");
        // The browser itself reports an answer of 404.
        let said = page.browser.console().expect("a console");
        assert!(said.iter().all(|line| line.contains("404")), "{said:?}");
    });
}
