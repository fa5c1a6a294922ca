//! What a request's parameters ask of the [`Explorer`](crate::explore::Explorer).
//!
//! Parameters that are not known are of no consequence; those that are known and make no sense are
//! refused.

use super::query::{self, Query};
use super::refusal::Refusal;
use crate::explore::{
    Column, Direction, Fields, Filter, FlameQuery, FunctionsQuery, GapQuery, Grouping, Open,
    PatternOrder, PatternsQuery, Place, SearchQuery, Threads, TimelineQuery,
};
use crate::pattern::Nearness;
use crate::recording::Recording;

/// Rows of a table, lines of the tree.
pub(super) const ROWS: usize = 100;
/// Pixels of a timeline, and its levels.
const WIDTH: usize = 1_200;
const LEVELS: u32 = 40;
/// Below this part of the whole a node of the flame graph is not drawn.
const LEAST_SHARE: f64 = 0.0005;
/// Characters that are searched for.
const LONGEST_NEEDLE: usize = 1_000;

/// Which calls.
pub(super) fn filter(query: &Query) -> Result<Filter, Refusal> {
    let mut filter = Filter {
        min_duration: query.number("min")?.unwrap_or(0),
        only_exceptions: query.word("only", &[("", false), ("exceptions", true)])?,
        ..Filter::default()
    };
    for hidden in query.list("hide") {
        match hidden {
            "imports" => filter.hide_imports = true,
            "external" => filter.hide_external = true,
            _ => return Err(Refusal::bad("hide is none of imports, external")),
        }
    }
    Ok(filter)
}

/// How they are grouped.
pub(super) fn grouping(query: &Query) -> Result<Grouping, Refusal> {
    let near = Some(Nearness::default());
    let words = [
        ("near", near),
        ("exact", Some(Nearness::Exact)),
        ("none", None),
    ];
    query.word("grouping", &words)
}

/// The thread that is asked about.
pub(super) fn thread(query: &Query, recording: &Recording) -> Result<usize, Refusal> {
    let thread = query.required("thread")?;
    exists(thread, recording)
}

/// The thread that is asked about, or all of them.
pub(super) fn threads(query: &Query, recording: &Recording) -> Result<Threads, Refusal> {
    match query.text("thread") {
        None | Some("all") => Ok(Threads::All),
        Some(_) => thread(query, recording).map(Threads::One),
    }
}

fn exists(thread: usize, recording: &Recording) -> Result<usize, Refusal> {
    match thread < recording.threads.len() {
        true => Ok(thread),
        false => Err(Refusal::missing("there is no such thread")),
    }
}

/// What is open in the tree.
pub(super) fn open(query: &Query) -> Result<Open, Refusal> {
    Open::parse(query.text("open").unwrap_or(""))
        .map_err(|error| Refusal::bad(format!("open is {error}")))
}

/// `/api/patterns`.
pub(super) fn patterns(query: &Query, recording: &Recording) -> Result<PatternsQuery, Refusal> {
    let order = query.text("sort").unwrap_or("total");
    let order = PatternOrder::from_word(order);
    Ok(PatternsQuery {
        threads: threads(query, recording)?,
        filter: filter(query)?,
        grouping: grouping(query)?,
        order: order.ok_or_else(|| Refusal::bad("sort is none of total, calls, count, mean"))?,
        from: query.number("from")?.unwrap_or(0),
        count: query.number("count")?.unwrap_or(ROWS),
    })
}

/// `/api/timeline`.
pub(super) fn timeline(query: &Query, recording: &Recording) -> Result<TimelineQuery, Refusal> {
    let threads = query.list("threads").map(|text| {
        let thread = query::number("threads", text)?;
        exists(thread, recording)
    });
    Ok(TimelineQuery {
        threads: threads.collect::<Result<_, _>>()?,
        filter: filter(query)?,
        grouping: grouping(query)?,
        from: query.number("from")?.unwrap_or(0),
        to: query.required("to")?,
        width: query.number("width")?.unwrap_or(WIDTH),
        depth: query.number("depth")?.unwrap_or(0),
        levels: query.number("levels")?.unwrap_or(LEVELS),
    })
}

/// `/api/flame`.
pub(super) fn flame(query: &Query, recording: &Recording) -> Result<FlameQuery, Refusal> {
    Ok(FlameQuery {
        threads: threads(query, recording)?,
        filter: filter(query)?,
        at: query.number("at")?,
        min: query.number_in("least", LEAST_SHARE, 0.0..=1.0)?,
    })
}

/// `/api/functions`.
pub(super) fn functions(query: &Query, recording: &Recording) -> Result<FunctionsQuery, Refusal> {
    let column = query
        .text("sort")
        .map_or(Some(Column::Own), Column::from_word);
    Ok(FunctionsQuery {
        threads: threads(query, recording)?,
        filter: filter(query)?,
        text: needle(query)?,
        column: column.ok_or_else(|| Refusal::bad("sort is no column"))?,
        descending: query.word("order", &[("desc", true), ("asc", false)])?,
        from: query.number("from")?.unwrap_or(0),
        count: query.number("count")?.unwrap_or(ROWS),
    })
}

/// What is searched for, in `/api/search` and `/api/search/count`.
pub(super) fn search(query: &Query) -> Result<SearchQuery, Refusal> {
    let everywhere = query.text("in").is_none();
    let mut fields = Fields {
        names: everywhere,
        files: everywhere,
        values: everywhere,
    };
    for place in query.list("in") {
        match place {
            "names" => fields.names = true,
            "files" => fields.files = true,
            "values" => fields.values = true,
            _ => return Err(Refusal::bad("in is none of names, files, values")),
        }
    }
    Ok(SearchQuery {
        text: needle(query)?,
        fields,
        filter: filter(query)?,
    })
}

/// Where a search goes on.
pub(super) fn place(query: &Query, name: &str) -> Result<Option<Place>, Refusal> {
    let read = |text| {
        Place::from_word(text).ok_or_else(|| Refusal::bad(format!("{name} is no thread.row")))
    };
    query.text(name).map(read).transpose()
}

/// Which way a search goes.
pub(super) fn direction(query: &Query) -> Result<Direction, Refusal> {
    let words = [("next", Direction::Next), ("previous", Direction::Previous)];
    query.word("direction", &words)
}

/// `/api/gap`.
pub(super) fn gap(query: &Query, recording: &Recording) -> Result<GapQuery, Refusal> {
    match query.number("gap")? {
        Some(gap) => Ok(GapQuery::At {
            thread: thread(query, recording)?,
            gap,
        }),
        None => {
            let after = place(query, "after")?;
            Ok(GapQuery::From(after, direction(query)?))
        }
    }
}

/// The text that is searched for.
fn needle(query: &Query) -> Result<String, Refusal> {
    let text = query.text("q").unwrap_or("");
    match text.chars().count() > LONGEST_NEEDLE {
        true => Err(Refusal::bad(format!(
            "q is longer than {LONGEST_NEEDLE} characters"
        ))),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Thread;

    fn recording() -> Recording {
        Recording {
            threads: vec![Thread::default(), Thread::default()],
            ..Recording::default()
        }
    }

    fn query(text: &str) -> Query {
        Query::parse(text).expect("well-formed parameters")
    }

    #[test]
    fn without_parameters_it_is_about_everything() {
        let query = query("unknown=1");
        assert_eq!(filter(&query).unwrap(), Filter::default());
        assert_eq!(grouping(&query).unwrap(), Some(Nearness::default()));
        assert_eq!(threads(&query, &recording()).unwrap(), Threads::All);
        let search = search(&query).unwrap();
        assert!(search.fields.names && search.fields.files && search.fields.values);
    }

    #[test]
    fn every_parameter_is_understood() {
        let query = query(
            "hide=imports,external&min=7&only=exceptions&grouping=none&thread=1&in=values,names&q=x\
             &after=1.23&direction=previous&threads=1,0&to=9&least=0.5&sort=total&order=asc",
        );
        let everything = Filter {
            hide_imports: true,
            hide_external: true,
            min_duration: 7,
            only_exceptions: true,
        };
        assert_eq!(filter(&query).unwrap(), everything);
        assert_eq!(grouping(&query).unwrap(), None);
        assert_eq!(threads(&query, &recording()).unwrap(), Threads::One(1));
        let fields = search(&query).unwrap().fields;
        assert_eq!(
            (fields.names, fields.files, fields.values),
            (true, false, true)
        );
        let after = Place { thread: 1, row: 23 };
        assert_eq!(place(&query, "after").unwrap(), Some(after));
        assert_eq!(direction(&query).unwrap(), Direction::Previous);
        let timeline = timeline(&query, &recording()).unwrap();
        assert_eq!((timeline.threads, timeline.to), (vec![1, 0], 9));
        assert_eq!(flame(&query, &recording()).unwrap().min, 0.5);
        let functions = functions(&query, &recording()).unwrap();
        assert_eq!(
            (functions.column, functions.descending),
            (Column::Total, false)
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let recording = recording();
        for text in ["hide=all", "min=-1", "min=1.5", "only=errors"] {
            assert_eq!(filter(&query(text)).unwrap_err().status, 400, "{text}");
        }
        assert!(grouping(&query("grouping=functions")).is_err());
        for text in ["thread=2", "thread=18446744073709551615"] {
            let refusal = threads(&query(text), &recording).unwrap_err();
            assert_eq!(refusal.status, 404, "{text}");
        }
        for text in ["thread=x", "thread=-1"] {
            let refusal = threads(&query(text), &recording).unwrap_err();
            assert_eq!(refusal.status, 400, "{text}");
        }
        for text in ["least=2", "least=-1", "least=NaN", "least=inf", "at=x"] {
            assert!(flame(&query(text), &recording).is_err(), "{text}");
        }
        for text in ["threads=0", "threads=0,2&to=1", "threads=a&to=1", "to=-1"] {
            assert!(timeline(&query(text), &recording).is_err(), "{text}");
        }
        for text in ["sort=weight", "order=up", "count=-1"] {
            assert!(functions(&query(text), &recording).is_err(), "{text}");
        }
        let long = format!("q={}", "x".repeat(LONGEST_NEEDLE + 1));
        for text in ["in=results", "min=x", &long] {
            assert!(search(&query(text)).is_err(), "{text}");
        }
        for text in ["open=c1", "open=r1.2", "open=every"] {
            assert!(open(&query(text)).is_err(), "{text}");
        }
        assert!(patterns(&query("sort=rows"), &recording).is_err());
        for text in ["after=1", "after=1.x", "after=-1.0"] {
            assert!(place(&query(text), "after").is_err(), "{text}");
        }
        assert!(direction(&query("direction=up")).is_err());
    }
}
