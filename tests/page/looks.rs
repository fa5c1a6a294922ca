//! Both themes, and both widths.

use serde_json::json;

use crate::look::{Page, look_at};
use crate::trace::training;

/// Visible texts whose contrast to what is behind them is below what WCAG AA asks for.
pub(crate) const POOR: &str = r"
    const channels = (colour) => {
        const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
    const behind = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) layers.push(channels(getComputedStyle(at).backgroundColor));
        return layers.reverse().reduce((below, layer) => over(layer, below), channels('canvas'));
    };
    const luminance = (colour) => {
        const [r, g, b] = colour.map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const poor = [];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (!own || element.closest(':disabled, .unseen, noscript, [aria-hidden=true]') || !element.checkVisibility()) continue;
        if (element.getClientRects().length === 0) continue;
        const back = behind(element);
        const fore = over(channels(getComputedStyle(element).color), back);
        const [light, dark] = [luminance(fore), luminance(back)].sort((a, b) => b - a);
        const contrast = (light + 0.05) / (dark + 0.05);
        const { fontSize, fontWeight } = getComputedStyle(element);
        const large = parseFloat(fontSize) >= 24 || parseFloat(fontSize) >= 18.66 && fontWeight >= 700;
        if (contrast < (large ? 3 : 4.5)) poor.push(`${contrast.toFixed(2)}: ${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 40)}`);
    }
    return [...new Set(poor)];";

const VIEWS: [&str; 5] = ["tree", "timeline", "flame", "functions", "patterns"];

async fn background(page: &Page) -> String {
    let script = "return getComputedStyle(document.body).backgroundColor";
    let colour = page.run(script).await;
    colour.as_str().expect("a colour").to_owned()
}

#[test]
fn texts_can_be_read_in_both_themes() {
    look_at(&training(), "#hide=&open=all&q=step", async |page| {
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            page.browser.prefer(scheme).expect("an emulated preference");
            page.settle().await;
            backgrounds.push(background(page).await);
            for view in VIEWS {
                page.click(&format!("#tab-{view}")).await;
                if view == "tree" {
                    page.click_in_row("step", ".name").await;
                }
                assert_eq!(page.run(POOR).await, json!([]), "{scheme}, {view}");
            }
        }
        assert_ne!(backgrounds[0], backgrounds[1]);
    });
}

#[test]
fn the_button_chooses_a_theme_that_lasts() {
    look_at(&training(), "", async |page| {
        page.browser
            .prefer("light")
            .expect("an emulated preference");
        page.settle().await;
        let light = background(page).await;
        // As the system has it, then light, then dark.
        page.click("#theme").await;
        assert_eq!(background(page).await, light);
        page.click("#theme").await;
        let dark = background(page).await;
        assert_ne!(dark, light);
        page.go("").await;
        assert_eq!(background(page).await, dark);
    });
}

#[test]
fn a_narrow_page_is_not_wider_than_its_window() {
    look_at(&training(), "#hide=&open=all", async |page| {
        page.browser.resize(400, 800).expect("another size");
        for view in VIEWS {
            page.click(&format!("#tab-{view}")).await;
            let script = "return document.documentElement.scrollWidth";
            let width = page.run(script).await.as_u64().expect("a width");
            assert!(width <= 400, "{view} is {width} pixels wide");
        }
        page.click("#tab-tree").await;
        let rows = page.rows().await;
        assert_eq!(rows.len(), 15);
        let names = "return Math.min(...[...document.querySelectorAll('#tree .name')].map((name) => name.getBoundingClientRect().width))";
        let narrowest = page.run(names).await.as_f64().expect("a width");
        assert!(narrowest > 20.0, "a name has {narrowest} pixels");
    });
}
