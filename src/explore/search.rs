//! Search over names, files and values, call by call.
//!
//! What a search found out is kept: a text is looked through once however many calls have it, and a
//! stretch of calls without a hit is skipped the next time.

mod known;
mod needle;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::Explorer;
use super::filter::Filter;
use super::shown::{CUT, NAME, cut};
use crate::recording::Calls;
use known::BLOCK;
pub(super) use known::Search;
pub(super) use needle::Needle;

/// How many hits an answer has at most.
const MOST_HITS: usize = 200;

/// How many characters of a text are shown around a hit.
const EXCERPT: usize = 120;

/// How many of these stand before the hit, if there are as many.
const BEFORE: usize = 30;

/// What is looked for, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// The text, found as it is: in any case unless it has a capital letter. The empty text is
    /// nowhere.
    pub text: String,
    /// Where it is looked for.
    pub fields: Fields,
    /// Of which calls.
    pub filter: Filter,
}

/// What of a call is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// Names of functions.
    pub names: bool,
    /// Paths of files.
    pub files: bool,
    /// Arguments and their names, results, exceptions and their messages.
    pub values: bool,
}

/// Where to search on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// In the calls that start later, then in the threads behind.
    Next,
    /// In the calls that started before, then in the threads before.
    Previous,
}

/// A call, in order of the threads; as JSON `"thread.row"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of the thread.
    pub thread: usize,
    /// Index of the call in it.
    pub row: usize,
}

impl Place {
    /// What it is as JSON, read.
    pub fn from_word(word: &str) -> Option<Place> {
        let (thread, row) = word.split_once('.')?;
        Some(Place {
            thread: thread.parse().ok()?,
            row: row.parse().ok()?,
        })
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{}", self.thread, self.row))
    }
}

/// A stretch of a search.
#[derive(Debug, Serialize)]
pub struct SearchAnswer<'r> {
    /// The calls that were found, in the direction of the search.
    pub hits: Vec<Hit<'r>>,
    /// The call that was looked at last: the search goes on behind it. `None`: there was none.
    pub at: Option<Place>,
    /// Whether there is nothing left to look at.
    pub done: bool,
    /// How many calls were looked at.
    pub scanned: usize,
}

/// A call that was found.
#[derive(Debug, Serialize)]
pub struct Hit<'r> {
    /// Index of its thread.
    pub thread: usize,
    /// Its index there.
    pub row: usize,
    /// Its function's name, cut.
    pub name: Cow<'r, str>,
    /// The last component of its file, cut.
    pub file: Cow<'r, str>,
    /// Its first line.
    pub line: u32,
    /// What of it has the text: `name`, `file`, `arguments`, `result`, `message`, `exception`; of
    /// several, the first of these.
    #[serde(rename = "where")]
    pub place: &'static str,
    /// That, cut to what is around the text; of arguments the one that has it, `name=value`.
    pub text: String,
}

/// A stretch of a count.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct SearchCount {
    /// How many calls were found.
    pub count: usize,
    /// How many of these are not behind the mark.
    pub before: usize,
    /// The call that was looked at last: the count goes on behind it. `None`: there was none.
    pub at: Option<Place>,
    /// Whether there is nothing left to look at.
    pub done: bool,
}

impl<'r> Explorer<'r> {
    /// Looks from behind the call at `after` on, or from the beginning (or end) if that is `None`,
    /// until there are `limit` hits (200 at most), nothing is left, or `go_on`, which is asked every
    /// thousand calls or so, says no.
    pub fn search(
        &self,
        query: &SearchQuery,
        after: Option<Place>,
        direction: Direction,
        limit: usize,
        go_on: &dyn Fn() -> bool,
    ) -> SearchAnswer<'r> {
        let search = self.prepared(query);
        let limit = limit.clamp(1, MOST_HITS);
        let mut answer = SearchAnswer {
            hits: Vec::new(),
            at: after,
            done: false,
            scanned: 0,
        };
        for thread in self.threads_from(after, direction) {
            let calls = self.calls(thread, &query.filter);
            let mut left = match (after.filter(|after| after.thread == thread), direction) {
                (None, _) => 0..calls.len(),
                (Some(after), Direction::Next) => {
                    calls.first_from(after.row.saturating_add(1))..calls.len()
                }
                (Some(after), Direction::Previous) => 0..calls.first_from(after.row),
            };
            while !left.is_empty() {
                let block = match direction {
                    Direction::Next => left.start..left.end.min((left.start / BLOCK + 1) * BLOCK),
                    Direction::Previous => left.start.max((left.end - 1) / BLOCK * BLOCK)..left.end,
                };
                let is_full = search.scan_block(
                    self.recording,
                    &calls,
                    thread,
                    block.clone(),
                    direction,
                    &mut |position| {
                        let hit = self.hit(&search, &calls, thread, position);
                        answer.hits.extend(hit);
                        answer.hits.len() < limit
                    },
                );
                let last = match (is_full, direction) {
                    (None, Direction::Next) => block.end - 1,
                    (None, Direction::Previous) => block.start,
                    (Some(position), _) => position,
                };
                answer.scanned += match direction {
                    Direction::Next => last + 1 - block.start,
                    Direction::Previous => block.end - last,
                };
                let row = calls.index(last);
                answer.at = Some(Place { thread, row });
                if is_full.is_some() || !go_on() {
                    return answer;
                }
                match direction {
                    Direction::Next => left.start = block.end,
                    Direction::Previous => left.end = block.start,
                }
            }
        }
        answer.done = true;
        answer
    }

    /// Counts from behind the call at `after` on, or from the beginning if that is `None`, until
    /// nothing is left, or `go_on`, which is asked every thousand calls or so, says no.
    pub fn count_hits(
        &self,
        query: &SearchQuery,
        after: Option<Place>,
        mark: Option<Place>,
        go_on: &dyn Fn() -> bool,
    ) -> SearchCount {
        let search = self.prepared(query);
        let mut answer = SearchCount {
            count: 0,
            before: 0,
            at: after,
            done: false,
        };
        for thread in self.threads_from(after, Direction::Next) {
            let calls = self.calls(thread, &query.filter);
            let mut next = match after.filter(|after| after.thread == thread) {
                None => 0,
                Some(after) => calls.first_from(after.row.saturating_add(1)),
            };
            // How many calls of this thread are not behind the mark.
            let before = match mark {
                Some(mark) if mark.thread == thread => calls.first_from(mark.row.saturating_add(1)),
                Some(mark) if mark.thread > thread => calls.len(),
                _ => 0,
            };
            while next < calls.len() {
                let end = calls.len().min((next / BLOCK + 1) * BLOCK);
                for (part, is_before) in [
                    (next..end.min(before.max(next)), true),
                    (before.clamp(next, end)..end, false),
                ] {
                    let hits = search.count_block(self.recording, &calls, thread, part);
                    answer.count += hits;
                    answer.before += if is_before { hits } else { 0 };
                }
                let row = calls.index(end - 1);
                answer.at = Some(Place { thread, row });
                next = end;
                if !go_on() {
                    return answer;
                }
            }
        }
        answer.done = true;
        answer
    }

    fn prepared(&self, query: &SearchQuery) -> Arc<Search> {
        self.searches.get(query.clone(), || {
            let threads = 0..self.recording.threads.len();
            let calls = threads.map(|thread| self.recording.threads[thread].calls.len());
            Search::new(query, self.recording, calls)
        })
    }

    /// The indices of the threads from that of a place on.
    fn threads_from(
        &self,
        after: Option<Place>,
        direction: Direction,
    ) -> Box<dyn Iterator<Item = usize>> {
        let all = self.recording.threads.len();
        match (after, direction) {
            (None, Direction::Next) => Box::new(0..all),
            (None, Direction::Previous) => Box::new((0..all).rev()),
            (Some(after), Direction::Next) => Box::new(after.thread..all),
            (Some(after), Direction::Previous) => {
                Box::new((0..after.thread.saturating_add(1).min(all)).rev())
            }
        }
    }

    fn hit(
        &self,
        search: &Search,
        calls: &Calls<'r>,
        thread: usize,
        position: usize,
    ) -> Option<Hit<'r>> {
        let row = calls.row(position);
        let code = self.recording.code(row);
        let (place, text, found) = search.find(self.recording, row)?;
        Some(Hit {
            thread,
            row: calls.index(position),
            name: cut(&code.name, NAME),
            file: cut(code.file_name(), NAME),
            line: code.line,
            place,
            text: match place {
                "arguments" => argument(text, found),
                _ => excerpt(text, found),
            },
        })
    }
}

/// What is around the hit of the argument that has it.
fn argument(text: &str, found: Range<usize>) -> String {
    let start = text[..found.start].rfind('\n').map_or(0, |end| end + 1);
    let end = text[found.start..].find('\n');
    let end = end.map_or(text.len(), |end| found.start + end);
    // Names have no tab; what stands for it is as long.
    let line = text[start..end].replacen('\t', "=", 1);
    excerpt(
        &line,
        found.start - start..(found.end - start).min(line.len()),
    )
}

/// What is around the hit: 120 characters at most, and dots where something is cut.
fn excerpt(text: &str, found: Range<usize>) -> String {
    let before = text[..found.start].char_indices().rev();
    let start = before.take(BEFORE).last().map_or(found.start, |(at, _)| at);
    let shown = text[start..].char_indices().nth(EXCERPT);
    let end = shown.map_or(text.len(), |(at, _)| start + at);
    let mut excerpt = String::new();
    if start > 0 {
        excerpt.push(CUT);
    }
    excerpt.push_str(&text[start..end]);
    if end < text.len() {
        excerpt.push(CUT);
    }
    excerpt
}

#[cfg(test)]
mod tests;
