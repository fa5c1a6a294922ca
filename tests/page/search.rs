//! Search over names, files and values.

use crate::look::{Page, look_at};
use crate::trace::training;

const ENTER: char = '\u{e007}';

async fn count(page: &Page) -> String {
    page.settle().await;
    page.until(
        "the count is complete",
        "return !document.querySelector('#search-count').textContent.includes('…')",
    )
    .await;
    page.text("#search-count").await
}

#[test]
fn next_and_previous_go_through_all_hits() {
    look_at(&training(), "#hide=&open=none", async |page| {
        page.press("/").await;
        page.press(&format!("batch 3{ENTER}")).await;
        assert_eq!(page.selected().await.as_deref(), Some("step"));
        assert!(page.text("#details").await.contains("list[8] of batch 3"));
        let marked = page.text("#tree [aria-selected=true] mark").await;
        assert_eq!(marked, "batch 3");
    });
    look_at(&training(), "#hide=&open=none", async |page| {
        page.press("/").await;
        page.press("attention").await;
        assert_eq!(count(page).await, "18");
        let mut rows = Vec::new();
        for _ in 0..18 {
            page.click("#search-next").await;
            rows.push(
                page.run("return location.hash.match(/at=c(\\d+)/)?.[1]")
                    .await,
            );
        }
        let mut distinct = rows.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), 18, "{rows:?}");
        page.click("#search-previous").await;
        let at = page
            .run("return location.hash.match(/at=c(\\d+)/)?.[1]")
            .await;
        assert_eq!(Some(&at), rows.get(16));
    });
}

#[test]
fn a_capital_letter_makes_the_case_count() {
    look_at(&training(), "#hide=", async |page| {
        page.press("/").await;
        page.press("Attention").await;
        assert_eq!(count(page).await, "no hits");
        page.press("\u{e003}".repeat(9).as_str()).await;
        page.press("oserror").await;
        let count = count(page).await;
        assert!(count == "1" || count == "no hits", "{count}");
    });
}

#[test]
fn search_is_of_names_files_or_values() {
    look_at(&training(), "#hide=&q=train.py", async |page| {
        // Every call is in that file.
        assert_eq!(count(page).await, "87");
        page.press("/").await;
        page.click("label:has(#search-files)").await;
        assert_eq!(count(page).await, "no hits");
    });
    look_at(&training(), "#hide=&q=batch", async |page| {
        assert_eq!(count(page).await, "6");
        page.press("/").await;
        page.click("label:has(#search-values)").await;
        assert_eq!(count(page).await, "no hits");
    });
}
