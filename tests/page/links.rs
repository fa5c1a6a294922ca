//! A link reproduces the view.

use crate::look::look_at;
use crate::trace::training;

#[test]
fn a_link_shows_the_same_to_whoever_opens_it() {
    look_at(&training(), "#hide=&open=none", async |page| {
        page.click("#expand-all").await;
        page.click_in_row("3× layer", ".twisty").await;
        page.click("#hide-external").await;
        page.click("#tree .stepper button[aria-label^=Slowest]")
            .await;
        page.click_in_row("load", ".name").await;
        let rows = page.rows().await;
        let selected = page.selected().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let hash = page.run("return location.hash").await;
        let hash = hash.as_str().expect("an address").to_owned();

        let other = crate::browser::Browser::open(1280, 800)
            .await
            .expect("a browser");
        let address = format!("{}/{hash}", page.server.origin());
        other.client.goto(&address).await.expect("the page");
        let other = crate::look::Page {
            browser: other,
            server: page.server.clone(),
        };
        assert_eq!(other.rows().await, rows, "{hash}");
        assert_eq!(other.selected().await, selected, "{hash}");
        assert_eq!(other.text("#tree .stepper .step").await, "4 of 6");
        other.check_silence();
    });
}

#[test]
fn back_goes_back() {
    look_at(&training(), "#hide=&open=all", async |page| {
        page.click("#tab-functions").await;
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        page.browser.client.back().await.expect("a page before");
        page.settle().await;
        let shown = "return !document.querySelector('#panel-tree').hidden";
        assert_eq!(page.run(shown).await, true);
    });
}

#[test]
fn a_link_with_nonsense_in_it_opens() {
    let nonsense = "#view=%3Cscript%3E&thread=99999&at=c999999999999&open=%22%3E%3Cimg&min=-1&grouping=x&hide=y&from=5&to=1&flame=..%2F&code=99999999&sort=__proto__";
    look_at(&training(), nonsense, async |page| {
        page.settle().await;
        assert_eq!(
            page.run("return document.querySelectorAll('img, #main script').length")
                .await,
            0
        );
        // An answer of 404 to a thread that there isn't is reported by the browser itself.
        let said = page.browser.console().expect("a console");
        assert!(
            said.iter()
                .all(|line| line.contains("404") || line.contains("400")),
            "{said:?}"
        );
    });
}

#[test]
fn a_link_leads_to_where_it_was_made() {
    look_at(&training(), "", async |page| {
        page.browser.resize(1280, 320).expect("another size");
        page.go("#hide=&open=all&top=6").await;
        let top = "const scroller = document.querySelector('#tree .scroller');
            const row = document.querySelector('#row-6').getBoundingClientRect();
            return Math.abs(row.top - scroller.getBoundingClientRect().top) < 40";
        page.until("row 6 is at the top", top).await;
    });
}
