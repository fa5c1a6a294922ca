//! Strings of a trace are text, whatever they are.

use serde_json::json;

use crate::look::look_at;
use crate::trace::{Call, Trace, call};

/// Each sets `pwned` if a page takes it for more than text.
const HOSTILE: &[&str] = &[
    "<script>window.pwned=1</script>",
    "\"><img src=x onerror=window.pwned=1>",
    "'><svg/onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "</title><script>window.pwned=1</script>",
    "</style><script>window.pwned=1</script>",
    "${window.pwned=1}{{constructor.constructor('window.pwned=1')()}}",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "https://attacker.invalid/beacon.png",
    "\u{202e}gnp.exe\u{202c}",
    "\u{0}\u{1b}[31m\u{7f}",
    "__proto__",
    "constructor",
    "🐍👩‍👩‍👧‍👦",
    "שלום עולם",
    "مرحبا",
];

pub(crate) fn hostile() -> Trace {
    let long = "long".repeat(2500);
    let mut trace = Trace::new();
    trace.say("command", json!(HOSTILE));
    trace.say("started_at", json!(HOSTILE[0]));
    trace.say("ended", json!(HOSTILE[1]));
    trace.say("scope", json!(HOSTILE));
    trace.say("version", json!(HOSTILE[2]));
    let interpreter =
        json!({"path": HOSTILE[0], "version": HOSTILE[1], "plan": HOSTILE[2], "findings": HOSTILE});
    trace.say("interpreters", json!([interpreter]));
    for (tid, text) in (100..).zip(HOSTILE) {
        trace.thread(100, tid, text);
        for _ in 0..3 {
            trace.within(strange(text), |trace| trace.leaf(strange(text)));
        }
    }
    trace.thread(100, 100, HOSTILE[0]);
    trace.within(call("<module>"), |trace| {
        for text in HOSTILE.iter().copied().chain([long.as_str()]) {
            trace.within(
                Call {
                    name: text,
                    file: text.trim_start_matches('/'),
                    arguments: &[(text, text), ("y", text)],
                    result: Some(text),
                    ..call("")
                },
                |trace| {
                    trace.leaf(Call {
                        exception: Some((text, text)),
                        ..strange(text)
                    });
                },
            );
        }
    });
    trace
}

fn strange(text: &str) -> Call<'_> {
    Call {
        name: text,
        file: text,
        result: Some(text),
        ..call("")
    }
}

#[test]
fn no_string_of_a_trace_becomes_an_element_or_runs() {
    look_at(&hostile(), "#hide=&open=all", async |page| {
        let rows = page.rows().await;
        assert!(rows.len() > HOSTILE.len(), "{rows:?}");
        let shown = page
            .run("return document.querySelector('#tree').textContent")
            .await;
        let shown = shown.as_str().expect("text");
        for text in &HOSTILE[..4] {
            assert!(shown.contains(text), "{text} is not shown as it is");
        }
        assert!(!shown.contains('\u{202e}'), "a direction is overridden");
        for view in ["timeline", "flame", "functions", "patterns", "tree"] {
            page.click(&format!("#tab-{view}")).await;
            harmless(page, view).await;
        }
        page.click("#thread-picker").await;
        harmless(page, "threads").await;
        page.press("\u{e00c}").await;
        for name in ["long", "script", "img"] {
            page.press("/").await;
            page.press(&format!("{name}\u{e007}")).await;
            page.settle().await;
            harmless(page, name).await;
        }
        // Sources that are named so are not there.
        let said = page.browser.console().expect("a console");
        assert!(said.iter().all(|line| line.contains("404")), "{said:?}");
    });
}

async fn harmless(page: &crate::look::Page, what: &str) {
    page.settle().await;
    let script = "
        return [
            window.pwned ?? null,
            document.querySelectorAll('img, iframe, object, embed, body script, form, base, a[href]').length,
            document.title.includes('pwned') && !document.querySelector('title') ? 1 : 0,
            ({}).pwned ?? null,
        ];";
    assert_eq!(page.run(script).await, json!([null, 0, 0, null]), "{what}");
    let wide = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(
        page.run(wide).await,
        true,
        "{what} is wider than the window"
    );
}
