//! What a report holds: what the server would answer to its page, up to a size.

use std::io::{self, Write};

use serde::Serialize;

use crate::explore::{
    Column, Defaults, Explorer, Filter, FlameQuery, FunctionsQuery, Grouping, Origin, Overview,
    PatternOrder, PatternsQuery, Threads, TimelineQuery, View,
};

/// How many bytes a line has, at least: to know how many are worth asking for.
const LINE: usize = 250;
/// Threads of which there is a timeline.
const LANES: usize = 64;
/// Pixels of a timeline, as many as there can be: a wide screen's, twice.
const PIXELS: usize = TimelineQuery::MOST_WIDTH;
/// Functions of which all is told.
const FUNCTIONS_IN_WHOLE: usize = 100;

/// What is to be reported, and how.
#[derive(Debug)]
pub(super) struct Report<'a, 'r> {
    /// Its recording.
    pub(super) explorer: &'a Explorer<'r>,
    /// Where that comes from.
    pub(super) origin: Origin,
    /// How calls are grouped.
    pub(super) grouping: Grouping,
    /// How many bytes it may have, more or less.
    pub(super) size: usize,
}

impl Report<'_, '_> {
    /// Writes it as JSON in which there is no `<`, so that it can stand in a page.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = InPage { out, written: 0 };
        let mut left_out = Vec::new();
        let defaults = Defaults {
            grouping: self.grouping,
            hide_imports: false,
        };
        out.write_all(b"{\"trace\":")?;
        let overview = self.explorer.overview(&self.origin, defaults);
        serde_json::to_writer(&mut out, &overview)?;
        self.write_tables(&mut out)?;
        self.write_timelines(&overview, &mut out, &mut left_out)?;
        self.write_trees(&overview, &mut out, &mut left_out)?;
        member(&mut out, "left_out", &left_out)?;
        out.write_all(b"}")
    }

    fn write_tables(&self, out: &mut InPage<'_, impl Write>) -> io::Result<()> {
        let filter = Filter::default();
        let threads = Threads::All;
        let flame = self.explorer.flame(&FlameQuery {
            threads,
            filter,
            at: None,
            min: 0.0005,
        });
        member(out, "flame", &flame)?;
        let functions = self.explorer.function_rows(&FunctionsQuery {
            threads,
            filter,
            text: String::new(),
            column: Column::Own,
            descending: true,
            from: 0,
            count: FunctionsQuery::MOST_ROWS,
        });
        member(out, "functions", &functions)?;
        out.write_all(b",\"function\":{")?;
        let room = out.written + self.size / 10;
        for (index, row) in functions.rows.iter().take(FUNCTIONS_IN_WHOLE).enumerate() {
            if out.written > room {
                break;
            }
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}\"{}\":", row.code)?;
            let whole = self.explorer.function(row.code, threads, &filter);
            serde_json::to_writer(&mut *out, &whole)?;
        }
        out.write_all(b"}")?;
        let patterns = self.explorer.pattern_rows(&PatternsQuery {
            threads,
            filter,
            grouping: self.grouping,
            order: PatternOrder::Total,
            from: 0,
            count: PatternsQuery::MOST_ROWS,
        });
        member(out, "patterns", &patterns)
    }

    fn write_timelines(
        &self,
        overview: &Overview,
        out: &mut InPage<'_, impl Write>,
        left_out: &mut Vec<String>,
    ) -> io::Result<()> {
        let extent = overview.extent();
        let threads: Vec<usize> = overview.listed_threads().take(LANES).collect();
        let all = self.explorer.recording().threads.len();
        out.write_all(b",\"timelines\":[")?;
        let room = out.written + self.size / 4;
        let mut drawn = 0;
        for some in threads.chunks(TimelineQuery::MOST_LANES) {
            if out.written > room {
                break;
            }
            if drawn > 0 {
                out.write_all(b",")?;
            }
            let timeline = self.explorer.timeline(&TimelineQuery {
                threads: some.to_vec(),
                filter: Filter::default(),
                grouping: self.grouping,
                from: extent.start,
                to: extent.end,
                width: PIXELS,
                depth: 0,
                levels: TimelineQuery::MOST_LEVELS,
            });
            serde_json::to_writer(&mut *out, &timeline)?;
            drawn += some.len();
        }
        write!(out, "],\"pixels\":{PIXELS}")?;
        left_out.push(format!(
            "in the timeline, single calls shorter than a {PIXELS}th of the whole"
        ));
        if drawn < all {
            left_out.push(format!("in the timeline, {} of {all} threads", all - drawn));
        }
        Ok(())
    }

    fn write_trees(
        &self,
        overview: &Overview,
        out: &mut InPage<'_, impl Write>,
        left_out: &mut Vec<String>,
    ) -> io::Result<()> {
        let threads = overview.listed_threads();
        let (mut missing_lines, mut written) = (0, 0);
        out.write_all(b",\"trees\":{")?;
        // The smallest first: what a thread does not need is left to those behind it.
        for (behind, thread) in (0..threads.len()).zip(threads).rev() {
            let share = self.size.saturating_sub(out.written) / (behind + 1);
            if share < LINE {
                continue;
            }
            let comma = if written == 0 { "" } else { "," };
            write!(out, "{comma}\"{thread}\":")?;
            missing_lines += self.write_tree(thread, share, out)?;
            written += 1;
        }
        out.write_all(b"}")?;
        let missing_threads = self.explorer.recording().threads.len() - written;
        if missing_lines > 0 {
            left_out.push(format!(
                "{missing_lines} lines of the trees, deep ones, to keep the report small"
            ));
        }
        if missing_threads > 0 {
            left_out.push(format!("the trees of {missing_threads} threads"));
        }
        if self.grouping.is_some() {
            left_out.push("all repetitions of a pattern but the first".to_owned());
        }
        Ok(())
    }

    /// Returns how many lines are missing.
    fn write_tree(
        &self,
        thread: usize,
        share: usize,
        out: &mut InPage<'_, impl Write>,
    ) -> io::Result<usize> {
        let end = out.written + share;
        let view = self
            .explorer
            .view(thread, &Filter::default(), self.grouping);
        let (open, all) = view.open_up_to(share / LINE);
        write!(out, "{{\"calls\":{},\"rows\":[", view.calls().len())?;
        let mut from = 0;
        loop {
            let answer = view.rows(&open, from, View::MOST_ROWS);
            for row in &answer.rows {
                if out.written > end {
                    break;
                }
                if from > 0 {
                    out.write_all(b",")?;
                }
                serde_json::to_writer(&mut *out, row)?;
                from += 1;
            }
            if from >= answer.total || answer.rows.is_empty() || out.written > end {
                break;
            }
        }
        out.write_all(b"]}")?;
        Ok(all.saturating_sub(from))
    }
}

fn member(out: &mut InPage<'_, impl Write>, name: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, ",\"{name}\":")?;
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

/// JSON on its way into a page, where `<` could end the script that it stands in.
struct InPage<'w, W> {
    out: &'w mut W,
    /// How many bytes.
    written: usize,
}

impl<W: Write> Write for InPage<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // In JSON it stands in strings only, which have a way to write it.
        for (index, part) in bytes.split(|&byte| byte == b'<').enumerate() {
            if index > 0 {
                self.out.write_all(b"\\u003c")?;
            }
            self.out.write_all(part)?;
        }
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_script() {
        let mut page = Vec::new();
        let mut out = InPage {
            out: &mut page,
            written: 0,
        };
        let text = "</script><!-- <script> &";
        serde_json::to_writer(&mut out, text).unwrap();
        assert!(!page.contains(&b'<'));
        assert_eq!(serde_json::from_slice::<String>(&page).unwrap(), text);
    }
}
