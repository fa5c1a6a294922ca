//! The call tree against calls that are known.

use crate::look::look_at;
use crate::trace::{SLOWEST, training};

/// All of it: each repeat by its first repetition.
const OPEN: [&str; 15] = [
    "<module>",
    "._find_and_load",
    ".main",
    "..setup",
    "..6× repetitions of 13 calls",
    "...load",
    "...step",
    "....forward",
    ".....3× layer",
    "......attention",
    "......mlp",
    "....backward",
    "..save",
    "...dumps",
    "...write_file",
];

#[test]
fn nested_patterns_open_and_close() {
    look_at(&training(), "#hide=&open=all", async |page| {
        let open = &OPEN;
        assert_eq!(page.rows().await, open);

        page.click_in_row("6× repetitions of 13 calls", ".twisty")
            .await;
        let closed = [&open[..5], &open[12..]].concat();
        assert_eq!(page.rows().await, closed);

        // What is opened shows the first level below it.
        page.click_in_row("6× repetitions of 13 calls", ".twisty")
            .await;
        assert_eq!(page.rows().await, [&open[..7], &open[12..]].concat());

        page.click_in_row("step", ".twisty").await;
        page.click_in_row("forward", ".twisty").await;
        page.click_in_row("3× layer", ".twisty").await;
        assert_eq!(page.rows().await, open);
    });
}

#[test]
fn everything_and_all_patterns_open_and_close_at_once() {
    look_at(&training(), "#hide=&open=none", async |page| {
        assert_eq!(page.rows().await, OPEN[..1]);
        page.click("#expand-all").await;
        assert_eq!(page.rows().await, OPEN);
        page.click("#collapse-patterns").await;
        let closed = [&OPEN[..5], &OPEN[12..]].concat();
        assert_eq!(page.rows().await, closed);
        page.click("#collapse-all").await;
        assert_eq!(page.rows().await, OPEN[..1]);
        page.click("#reset-open").await;
        assert!(page.rows().await.len() > 5);
    });
}

#[test]
fn a_repeat_says_what_it_stands_for() {
    look_at(&training(), "#hide=&open=all", async |page| {
        page.rows().await;
        let text = page.text("#tree .row.repeat").await;
        // 1 <module>, 2 the import, 3 main, 4 setup.
        assert!(text.contains("#5–#82, 78 calls"), "{text}");
        assert!(text.contains('±'), "{text}");
        let sparks = "return document.querySelectorAll('#tree .row.repeat svg').length";
        assert_eq!(page.run(sparks).await, 1);
    });
}

#[test]
fn the_stepper_goes_through_repetitions_and_to_the_slowest() {
    look_at(&training(), "#hide=&open=all", async |page| {
        let next = "#tree .stepper button[aria-label^=Next]";
        let previous = "#tree .stepper button[aria-label^=Previous]";
        let step = "#tree .stepper .step";
        page.rows().await;
        assert_eq!(page.text(step).await, "template");
        for number in 1..=6 {
            page.click(next).await;
            assert_eq!(page.text(step).await, format!("{number} of 6"));
            let values = page.text("#tree [data-node] .values").await;
            let shown = page
                .run("return document.querySelector('#tree').innerText")
                .await;
            let shown = shown.as_str().expect("text");
            assert!(
                shown.contains(&format!("index={}", number - 1)),
                "{values} {shown}"
            );
        }
        let is_last = format!("return document.querySelector('{next}').disabled");
        assert_eq!(page.run(&is_last).await, true);
        page.click(previous).await;
        assert_eq!(page.text(step).await, "5 of 6");
        page.click("#tree .stepper button[aria-label^=Slowest]")
            .await;
        assert_eq!(page.text(step).await, format!("{} of 6", SLOWEST + 1));
        page.click("#tree .stepper button[aria-label^=Back]").await;
        assert_eq!(page.text(step).await, "template");
        assert_eq!(page.rows().await, OPEN);
    });
}
