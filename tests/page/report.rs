//! A report: the page in a file, without a server.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::hostile::hostile;
use crate::look::{PYTRACE, Page, look_at_file};
use crate::trace::{Trace, call, training};

pub(crate) fn export(trace: &Path, options: &[&str]) -> String {
    let report = trace.with_extension("html");
    let exported = Command::new(PYTRACE)
        .arg("export")
        .args([trace, Path::new("-o"), &report])
        .args(options)
        .output()
        .expect("pytrace runs");
    let said = String::from_utf8_lossy(&exported.stderr);
    assert!(exported.status.success(), "{said}");
    assert_eq!(said, "");
    format!("file://{}", report.display())
}

pub(crate) async fn open(page: &Page, address: &str) {
    let client = &page.browser.client;
    client.goto("about:blank").await.expect("a blank page");
    client.goto(address).await.expect("the report");
    page.settle().await;
}

/// Nobody was asked for anything but the report itself, and its console is empty.
pub(crate) fn check_silence(page: &Page, address: &str) {
    let said = page.browser.console().expect("a console");
    assert!(said.is_empty(), "the console says: {}", said.join("\n"));
    let report = address.split('#').next().expect("an address");
    for url in page.browser.requests().expect("a log of requests") {
        let own = url.starts_with(report) || url == "about:blank" || url.starts_with("data:");
        assert!(own, "the report asked for {url}");
    }
}

#[test]
fn a_report_shows_what_the_server_shows() {
    let trace = training();
    let file = trace.save();
    look_at_file(&file, "#hide=&open=all", async |page| {
        let rows = page.rows().await;
        assert!(rows.len() > 10, "{rows:?}");
        page.go("#hide=&open=all&view=functions").await;
        let functions = page.text("#functions").await;
        page.check_silence();

        let report = export(&file, &[]);
        open(page, &format!("{report}#hide=&open=all")).await;
        assert_eq!(page.rows().await, rows);
        page.click_in_row("6× repetitions of 13 calls", ".twisty")
            .await;
        assert!(page.rows().await.len() < rows.len());
        page.click("#expand-all").await;
        assert_eq!(page.rows().await, rows);
        page.click("#collapse-all").await;
        assert_eq!(page.rows().await, rows[..1]);

        page.click("#expand-all").await;
        page.click_in_row("setup", ".name").await;
        let details = page.text("#details").await;
        assert!(details.contains("/train.py"), "{details}");

        // Hits open what they are in.
        page.press("/").await;
        page.press("attention\u{e007}").await;
        assert_eq!(page.selected().await.as_deref(), Some("attention"));

        open(page, &format!("{report}#view=functions")).await;
        assert_eq!(page.text("#functions").await, functions);
        for view in ["timeline", "flame", "patterns"] {
            open(page, &format!("{report}#view={view}")).await;
            let shown = format!("return document.querySelector('#panel-{view}').hidden");
            assert_eq!(page.run(&shown).await, false);
        }
        let notes = page.text("#notes").await;
        assert!(notes.contains("Left out"), "{notes}");
        let offered = "return [...document.querySelectorAll('#grouping, #filters, .stepper')]
            .filter((element) => element.checkVisibility()).length";
        assert_eq!(page.run(offered).await, 0);
        check_silence(page, &report);
    });
}

#[test]
fn a_report_keeps_to_its_size_and_says_what_is_missing() {
    let mut trace = Trace::new();
    for outer in 0..300 {
        // All different, so that nothing folds.
        trace.within(call(&format!("outer{outer}")), |trace| {
            for inner in 0..40 {
                trace.leaf(call(&format!("inner{outer}_{inner}")));
            }
        });
    }
    let file = trace.save();
    look_at_file(&file, "", async |page| {
        page.check_silence();
        let report = export(&file, &["--max-size", "1"]);
        let path = report.strip_prefix("file://").expect("a file");
        let size = std::fs::metadata(path).expect("it is there").len();
        assert!((300_000..2_000_000).contains(&size), "{size}");
        open(page, &report).await;
        let notes = page.text("#notes").await;
        assert!(notes.contains("lines of the trees"), "{notes}");
        check_silence(page, &report);
    });
}

#[test]
fn strings_of_a_trace_are_text_in_a_report() {
    let trace = hostile();
    let file = trace.save();
    look_at_file(&file, "", async |page| {
        page.check_silence();
        let report = export(&file, &[]);
        for view in ["tree", "timeline", "flame", "functions", "patterns"] {
            open(page, &format!("{report}#view={view}&open=all")).await;
            let pwned = page.run("return window.pwned ?? null").await;
            assert_eq!(pwned, Value::Null, "{view}");
            let foreign = "return document.querySelectorAll('body script, img, iframe').length";
            assert_eq!(page.run(foreign).await, 0, "{view}");
        }
        check_silence(page, &report);
    });
}

#[test]
fn values_can_be_left_out() {
    let trace = training();
    let file = trace.save();
    let report = export(&file, &["--no-values"]);
    let path = report.strip_prefix("file://").expect("a file");
    let text = std::fs::read_to_string(path).expect("it is there");
    let with = export(&file, &[]);
    let whole = std::fs::read_to_string(with.strip_prefix("file://").expect("a file"));
    let whole = whole.expect("it is there");
    assert!(whole.contains("\"arguments\":[[\""));
    assert!(!text.contains("\"arguments\":[[\""));
}
