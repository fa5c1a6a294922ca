//! Everything by keyboard.

use crate::look::{Page, look_at};
use crate::trace::training;

const TAB: char = '\u{e004}';
const LEFT: &str = "\u{e012}";
const UP: &str = "\u{e013}";
const RIGHT: &str = "\u{e014}";
const DOWN: &str = "\u{e015}";
const HOME: &str = "\u{e011}";
const END: &str = "\u{e010}";

/// Tabs until something inside of `selector` has the focus.
async fn tab_to(page: &Page, selector: &str) {
    let is_there = format!("return document.activeElement.closest('{selector}') !== null");
    for _ in 0..60 {
        if page.run(&is_there).await == true {
            return;
        }
        page.press(&TAB.to_string()).await;
    }
    panic!("{selector} is not reached by Tab");
}

#[test]
fn the_tree_is_walked_opened_and_stepped_through() {
    look_at(&training(), "#hide=&open=none", async |page| {
        tab_to(page, "#tree").await;
        page.press(DOWN).await;
        assert_eq!(page.selected().await.as_deref(), Some("<module>"));
        page.press(RIGHT).await;
        page.press(END).await;
        assert_eq!(page.selected().await.as_deref(), Some("main"));
        page.press("*").await;
        let all = page.rows().await;
        assert_eq!(all.len(), 15, "{all:?}");
        page.press(DOWN).await;
        page.press(DOWN).await;
        let repeat = Some("6× repetitions of 13 calls");
        assert_eq!(page.selected().await.as_deref(), repeat);
        for (key, step) in [
            ("]", "1 of 6"),
            ("]", "2 of 6"),
            ("[", "1 of 6"),
            ("s", "4 of 6"),
            ("t", "template"),
        ] {
            page.press(key).await;
            assert_eq!(page.text("#tree .stepper .step").await, step, "{key}");
        }
        page.press(LEFT).await;
        assert_eq!(page.rows().await.len(), 8);
        page.press(LEFT).await;
        assert_eq!(page.selected().await.as_deref(), Some("main"));
        page.press(UP).await;
        assert_eq!(page.selected().await.as_deref(), Some("_find_and_load"));
        page.press(HOME).await;
        assert_eq!(page.selected().await.as_deref(), Some("<module>"));
    });
}

#[test]
fn every_control_is_reached_and_shows_its_focus() {
    look_at(&training(), "#hide=", async |page| {
        for selector in [
            "#theme",
            "#tabs",
            "#thread-picker",
            "#grouping",
            "#hide-imports",
            "#hide-external",
            "#only-exceptions",
            "#min-duration",
            "#expand-all",
            "#collapse-all",
            "#search-input",
            "#tree",
        ] {
            tab_to(page, selector).await;
            let seen = "
                const style = getComputedStyle(document.activeElement.matches('input[type=radio]')
                    ? document.activeElement.nextElementSibling : document.activeElement);
                return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';";
            assert_eq!(
                page.run(seen).await,
                true,
                "{selector} has no visible focus"
            );
        }
    });
}
