//! Timeline, flame graph and tables, and their ways to the tree.

use serde_json::{Value, json};

use crate::look::{Page, look_at};
use crate::trace::training;

/// Where a point of the timeline is in the window: a part of its width, and a level of the first lane.
async fn place(page: &Page, part: f64, level: u32) -> (f64, f64) {
    let bounds = "
        const { left, top, width } = document.getElementById('timeline').getBoundingClientRect();
        return [left, top, width];";
    let bounds = page.run(bounds).await;
    let [left, top, width] = [0, 1, 2].map(|at| bounds[at].as_f64().expect("a number"));
    // Behind the map, the axis and the lane's head.
    (
        left + part * width,
        top + 36.0 + 20.0 + f64::from(level) * 18.0 + 11.0,
    )
}

fn mouse(page: &Page, kind: &str, (x, y): (f64, f64), more: Value) {
    let mut event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
    for (name, value) in more.as_object().expect("an object") {
        event[name] = value.clone();
    }
    let sent = page.browser.devtools("Input.dispatchMouseEvent", event);
    sent.expect("an event can be sent");
}

pub(crate) async fn click_at(page: &Page, part: f64, level: u32) {
    let at = place(page, part, level).await;
    mouse(page, "mouseMoved", at, json!({"button": "none"}));
    mouse(page, "mousePressed", at, json!({"buttons": 1}));
    mouse(page, "mouseReleased", at, json!({}));
    page.settle().await;
}

/// How many pixels below the axis have a colour of the style sheet.
pub(crate) async fn pixels(page: &Page, colour: &str) -> u64 {
    page.settle().await;
    let script = format!(
        "
        const canvas = document.getElementById('timeline');
        const probe = document.createElement('span');
        probe.style.color = 'var(--{colour})';
        document.body.append(probe);
        const one = new OffscreenCanvas(1, 1).getContext('2d');
        one.fillStyle = getComputedStyle(probe).color;
        probe.remove();
        one.fillRect(0, 0, 1, 1);
        const [r, g, b] = one.getImageData(0, 0, 1, 1).data;
        // The browser complains of a canvas that is read more than once.
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {{ willReadFrequently: true }});
        copy.drawImage(canvas, 0, 0);
        const {{ data }} = copy.getImageData(0, 37, canvas.width, canvas.height - 37);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) {{
            if (data[at] === r && data[at + 1] === g && data[at + 2] === b && data[at + 3] === 255) count += 1;
        }}
        return count;"
    );
    page.run(&script).await.as_u64().expect("a number")
}

#[test]
fn a_click_in_the_timeline_selects_in_the_tree() {
    look_at(&training(), "#hide=&view=timeline", async |page| {
        click_at(page, 0.5, 0).await;
        page.until(
            "the first call is selected",
            "return location.hash.includes('at=c0')",
        )
        .await;
        click_at(page, 0.5, 1).await;
        page.until("main is selected", "return location.hash.includes('at=c2')")
            .await;
        page.click("#tab-tree").await;
        assert_eq!(page.selected().await.as_deref(), Some("main"));
    });
}

#[test]
fn what_is_selected_in_the_tree_is_marked_in_the_timeline() {
    look_at(&training(), "#hide=&open=all", async |page| {
        page.click("#tab-timeline").await;
        assert_eq!(pixels(page, "accent").await, 0);
        page.click("#tab-tree").await;
        page.click_in_row("save", ".name").await;
        page.click("#to-timeline").await;
        assert!(pixels(page, "accent").await > 20);
        let whole = page.text("#timeline-range").await;
        page.click("#zoom-selected").await;
        assert_ne!(page.text("#timeline-range").await, whole);
        assert!(pixels(page, "accent").await > 200);
    });
}

#[test]
fn the_timeline_zooms_and_moves_by_wheel_drag_and_keys() {
    look_at(&training(), "#hide=&view=timeline", async |page| {
        let range = "#timeline-range";
        let whole = page.text(range).await;
        let middle = place(page, 0.5, 2).await;
        mouse(
            page,
            "mouseWheel",
            middle,
            json!({"deltaX": 0, "deltaY": -400}),
        );
        page.settle().await;
        let zoomed = page.text(range).await;
        assert_ne!(zoomed, whole);

        mouse(page, "mousePressed", middle, json!({"buttons": 1}));
        for step in 1..10 {
            let to = (middle.0 - 20.0 * f64::from(step), middle.1);
            mouse(page, "mouseMoved", to, json!({"buttons": 1}));
        }
        mouse(
            page,
            "mouseReleased",
            (middle.0 - 180.0, middle.1),
            json!({}),
        );
        page.settle().await;
        let moved = page.text(range).await;
        assert_ne!(moved, zoomed);
        assert!(
            !page
                .run("return location.hash")
                .await
                .to_string()
                .contains("at=")
        );

        let focus = "document.getElementById('timeline').focus()";
        page.run(focus).await;
        page.press("0").await;
        assert_eq!(page.text(range).await, whole);
        page.press("+").await;
        let closer = page.text(range).await;
        assert_ne!(closer, whole);
        page.press("d").await;
        assert_ne!(page.text(range).await, closer);
        page.press("0").await;
        page.click("#zoom-in").await;
        assert_eq!(page.text(range).await, closer);
        page.click("#zoom-all").await;
        assert_eq!(page.text(range).await, whole);
    });
}

#[test]
fn patterns_are_bands_in_the_timeline() {
    look_at(&training(), "#hide=&view=timeline", async |page| {
        assert!(pixels(page, "pattern").await > 50);
        page.click("label:has(#grouping-none)").await;
        assert_eq!(pixels(page, "pattern").await, 0);
    });
}

#[test]
fn the_flame_graph_zooms_and_leads_to_calls() {
    look_at(&training(), "#hide=&view=flame&of=thread", async |page| {
        let widths = "
            const nodes = [...document.querySelectorAll('#flame .node')];
            const all = document.getElementById('flame').getBoundingClientRect().width;
            const share = (name) => nodes.filter((node) => node.getAttribute('aria-label').startsWith(`${name},`))
                .map((node) => Math.round(100 * node.getBoundingClientRect().width / all));
            return [share('<module>'), share('main'), share('layer').length];";
        let shares = page.run(widths).await;
        assert_eq!(shares[0], json!([100]));
        assert!(shares[1][0].as_u64() > Some(90), "{shares}");
        // 18 calls on one path.
        assert_eq!(shares[2], 1);
        page.click("#flame .node[aria-label^='step,']").await;
        assert_eq!(page.run(widths).await[0], json!([]));
        assert!(page.text("#flame-path").await.contains("main"));
        assert!(page.text("#details h2").await.contains("step"));
        page.click("#function-first").await;
        assert_eq!(page.selected().await.as_deref(), Some("step"));
        page.click("#tab-flame").await;
        page.click("#flame-reset").await;
        assert_eq!(page.run(widths).await[0], json!([100]));
    });
}

#[test]
fn the_table_of_functions_sorts_filters_and_leads_to_the_slowest_call() {
    look_at(&training(), "#hide=&view=functions", async |page| {
        let names = "
            return [...document.querySelectorAll('#functions .stage .row .name bdi')].map((name) => name.textContent);";
        // Three of them take 50 µs each.
        assert_eq!(page.run(names).await[0], "mlp");
        page.click("#functions [data-sort=calls]").await;
        let most = page.run(names).await;
        for name in ["layer", "attention", "mlp"] {
            assert!(
                most.as_array().expect("names")[..3].contains(&json!(name)),
                "{most}"
            );
        }
        page.click("#functions [data-sort=name]").await;
        assert_eq!(page.run(names).await[0], "<module>");
        page.click("#function-filter").await;
        page.press("back").await;
        page.until(
            "one is left",
            "return document.querySelectorAll('#functions .stage .row').length === 1",
        )
        .await;
        page.press(&"\u{e003}".repeat(4)).await;
        page.press("layer").await;
        page.settle().await;
        page.click("#functions .stage .row .name").await;
        assert!(page.text("#function-callers").await.contains("forward"));
        let callees = page.text("#function-callees").await;
        assert!(
            callees.contains("attention") && callees.contains("mlp"),
            "{callees}"
        );
        assert!(page.text("#function-callees").await.contains("18×"));
        page.click("#function-slowest").await;
        assert_eq!(page.selected().await.as_deref(), Some("3× layer"));
        assert!(page.text("#tree .stepper .step").await.starts_with("4 of"));
    });
}

#[test]
fn the_table_of_patterns_leads_to_the_tree() {
    look_at(&training(), "#hide=&view=patterns", async |page| {
        let row = page.text("#patterns .stage .row").await;
        for part in ["load", "step", "6×", "78"] {
            assert!(row.contains(part), "no {part} in {row}");
        }
        let summary = page.text("#patterns-summary").await;
        assert!(summary.contains("nested up to 2 deep"), "{summary}");
        page.click("#patterns .stage .row .name").await;
        let selected = page.selected().await;
        assert_eq!(selected.as_deref(), Some("6× repetitions of 13 calls"));
    });
}
