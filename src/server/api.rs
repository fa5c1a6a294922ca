//! The questions of the page: `docs/serve-api.md`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::sync::Semaphore;

use super::query::Query;
use super::questions;
use super::refusal::Refusal;
use super::reply::to_json;
use super::source;
use crate::explore::{Defaults, Explorer, Filter, Open, Origin, Overview, View};

/// Questions that are worked on at a time. Others wait, and are let go if whoever asked does.
pub(super) const AT_ONCE: usize = 8;

/// How long a search goes on before it says how far it is.
const PATIENCE: Duration = Duration::from_millis(50);

/// Lines of a tree that a page begins with, or more.
const FIRST_LINES: usize = 150;

/// Answers questions about a trace.
#[derive(Debug)]
pub(super) struct Api {
    explorer: &'static Explorer<'static>,
    overview: Overview,
    defaults: Defaults,
    free: Arc<Semaphore>,
}

impl Api {
    pub(super) fn new(
        explorer: &'static Explorer<'static>,
        origin: &Origin,
        defaults: Defaults,
    ) -> Self {
        Api {
            explorer,
            overview: explorer.overview(origin, defaults),
            defaults,
            free: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Groups what the page shows first, which is the longest wait there is, before it is asked for.
    pub(super) fn prepare(&'static self) {
        if let Some(thread) = self.overview.listed_threads().next() {
            let filter = Filter {
                hide_imports: self.defaults.hide_imports,
                ..Filter::default()
            };
            tokio::task::spawn_blocking(move || {
                let view = self.explorer.view(thread, &filter, self.defaults.grouping);
                // What the page asks first, so that it is known by then.
                view.rows(&Open::default(), 0, FIRST_LINES);
            });
        }
    }

    /// Answers the question `name`, on a thread that may take its time.
    pub(super) async fn answer(&'static self, name: &str, query: Query) -> Result<Bytes, Refusal> {
        let name = name.to_owned();
        // Whoever asks in vain is not waited for: a question that has not begun never does.
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let answering = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            self.answer_now(&name, &query)
        });
        match answering.await {
            Ok(answered) => answered.map(Bytes::from),
            // It has panicked, which is told on stderr.
            Err(_) => Err(Refusal::failed("the question can't be answered")),
        }
    }

    fn answer_now(&self, name: &str, query: &Query) -> Result<Vec<u8>, Refusal> {
        let recording = self.explorer.recording();
        match name {
            "trace" => to_json(&self.overview),
            "rows" => {
                let open = questions::open(query)?;
                let from = query.number("from")?.unwrap_or(0);
                let count = query.number("count")?.unwrap_or(questions::ROWS);
                to_json(&self.view(query)?.rows(&open, from, count))
            }
            "reveal" => {
                let open = questions::open(query)?;
                let view = self.view(query)?;
                let reveal = match query.number("gap")? {
                    Some(gap) => view.reveal_gap(&open, gap).ok_or_else(no_such_gap)?,
                    None => {
                        let reveal = view.reveal(&open, query.required("row")?);
                        reveal.ok_or_else(no_such_call)?
                    }
                };
                to_json(&reveal)
            }
            "gap" => {
                let which = questions::gap(query, recording)?;
                let gap = self.explorer.gap(which, &questions::filter(query)?);
                to_json(&gap.ok_or_else(no_such_gap)?)
            }
            "call" => {
                let thread = questions::thread(query, recording)?;
                let row = query.required("row")?;
                let mut call = self.explorer.call(thread, row).ok_or_else(no_such_call)?;
                let code = recording.code(&recording.threads[thread].calls[row]);
                call.readable = source::is_readable(code);
                to_json(&call)
            }
            "patterns" => {
                let query = questions::patterns(query, recording)?;
                to_json(&self.explorer.pattern_rows(&query))
            }
            "timeline" => {
                let query = questions::timeline(query, recording)?;
                to_json(&self.explorer.timeline(&query))
            }
            "flame" => {
                let flame = self.explorer.flame(&questions::flame(query, recording)?);
                to_json(&flame.ok_or_else(|| Refusal::missing("there is no such node"))?)
            }
            "functions" => {
                let query = questions::functions(query, recording)?;
                to_json(&self.explorer.function_rows(&query))
            }
            "function" => {
                let threads = questions::threads(query, recording)?;
                let filter = questions::filter(query)?;
                let code = query.required("code")?;
                let function = self.explorer.function(code, threads, &filter);
                let none = || Refusal::missing("there is no call of such a function");
                to_json(&function.ok_or_else(none)?)
            }
            "search" => {
                let search = questions::search(query)?;
                let after = questions::place(query, "after")?;
                let direction = questions::direction(query)?;
                let limit = query.number("limit")?.unwrap_or(1);
                let go_on = patience();
                let answer = self
                    .explorer
                    .search(&search, after, direction, limit, &go_on);
                to_json(&answer)
            }
            "search/count" => {
                let search = questions::search(query)?;
                let mark = questions::place(query, "after")?;
                let at = questions::place(query, "at")?;
                to_json(&self.explorer.count_hits(&search, at, mark, &patience()))
            }
            "source" => {
                let code: usize = query.required("code")?;
                let code = recording.codes.get(code);
                let code = code.ok_or_else(|| Refusal::missing("there is no such function"))?;
                match source::read(code) {
                    Ok(source) => to_json(&source),
                    Err(refusal) => to_json(&source::Unreadable::new(code, refusal)),
                }
            }
            _ => Err(Refusal::missing("there is no such question")),
        }
    }

    /// The calls of a thread, as they are asked for.
    fn view(&self, query: &Query) -> Result<Arc<View<'static>>, Refusal> {
        let thread = questions::thread(query, self.explorer.recording())?;
        let (filter, grouping) = (questions::filter(query)?, questions::grouping(query)?);
        Ok(self.explorer.view(thread, &filter, grouping))
    }
}

fn no_such_call() -> Refusal {
    Refusal::missing("there is no such call")
}

fn no_such_gap() -> Refusal {
    Refusal::missing("there is no such gap")
}

/// Whether there is time left, each time it is asked.
fn patience() -> impl Fn() -> bool {
    let since = Instant::now();
    move || since.elapsed() < PATIENCE
}
