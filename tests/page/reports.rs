//! A report is the page without a server.

use std::process::Command;

use crate::look::look_at_file;
use crate::trace::training;

#[test]
fn a_report_shows_a_call_and_asks_nobody() {
    let trace = training();
    let file = trace.save();
    let report = file.with_extension("html");
    let mut export = Command::new(env!("CARGO_BIN_EXE_pytrace"));
    let exported = export.arg("export").arg(&file).arg("-o").arg(&report);
    assert!(exported.status().expect("pytrace runs").success());
    look_at_file(&file, "", async |page| {
        page.browser.requests().expect("a log of requests");
        let address = format!("file://{}#hide=&open=all", report.display());
        let client = &page.browser.client;
        client.goto(&address).await.expect("the report");
        page.click_in_row("setup", ".name").await;
        let details = page.text("#details").await;
        assert!(details.contains("/train.py"), "{details}");
        for url in page.browser.requests().expect("a log of requests") {
            let own = url.starts_with("file:") || url.starts_with("data:");
            assert!(own, "the report asked for {url}");
        }
    });
}
