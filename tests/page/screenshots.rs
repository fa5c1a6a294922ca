//! The pictures of the documentation, which `scripts/screenshots.sh` makes of a real trace.

use std::fs;
use std::path::PathBuf;

use crate::look::{Page, look_at_file};

/// What a picture may take, in bytes.
const MOST: usize = 300_000;

#[test]
#[ignore = "makes docs/images: run scripts/screenshots.sh"]
fn pictures_for_the_documentation() {
    let given = |name: &str| {
        let value = std::env::var_os(name);
        PathBuf::from(value.unwrap_or_else(|| panic!("{name} is not set")))
    };
    let images = given("PYTRACE_SCREENSHOTS");
    look_at_file(&given("PYTRACE_TRACE"), "", async |page| {
        let wide: &[&str] = &["tree", "timeline", "functions"];
        for (width, height, suffix, views) in
            [(1280, 680, "", wide), (400, 720, "-narrow", &wide[..1])]
        {
            page.browser.resize(width, height).expect("another size");
            for scheme in ["light", "dark"] {
                page.browser.prefer(scheme).expect("an emulated preference");
                for view in views {
                    if *view == "tree" && width > 1000 {
                        page.go("#q=Layer.forward").await;
                        page.click("#search-next").await;
                        // What is offered to who searches would hide what was found.
                        page.click("#details h2").await;
                    } else {
                        page.go(&format!("#view={view}")).await;
                    }
                    let name = format!("{view}{suffix}-{scheme}.png");
                    let picture = picture(page).await;
                    assert!(picture.len() < MOST, "{name} takes {} bytes", picture.len());
                    fs::write(images.join(name), picture).expect("a file");
                }
            }
        }
    });
}

async fn picture(page: &Page) -> Vec<u8> {
    page.settle().await;
    page.browser.client.screenshot().await.expect("a picture")
}
