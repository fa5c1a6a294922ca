mod figures;

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::Value;

use super::super::open::{Base, NodeId, Open, State};
use super::super::{Explorer, Filter, Grouping, View};
use super::LineId;
use crate::pattern::{Nearness, Node, Nodes};
use crate::recording::{Recording, Row, Thread, random_gaps};
use crate::trace::{Category, Code, Kind, Time};

const GROUPINGS: [Grouping; 3] = [None, Some(Nearness::Exact), Some(Nearness::TripCounts)];

/// A recording of one thread; for each call its depth and its function. The last of the functions is
/// activity of imports.
pub(in crate::explore) fn recording(calls: impl IntoIterator<Item = (u32, u32)>) -> Recording {
    let row = |(index, (depth, code)): (usize, (u32, u32))| Row {
        start: Time(1000 + index as u64),
        duration: 1 + index as u64 % 7,
        number: index as u64 + 1,
        code,
        depth,
        ..Row::default()
    };
    let calls: Vec<Row> = calls.into_iter().enumerate().map(row).collect();
    let code = |index: u32| Code {
        name: format!("f{index}"),
        file: "/p/f.py".into(),
        line: 1,
        kind: Kind::Function,
        category: match index {
            4 => Category::Import,
            _ => Category::Internal,
        },
    };
    Recording {
        codes: (0..5).map(code).collect(),
        threads: vec![Thread {
            calls,
            ..Thread::default()
        }],
        ..Recording::default()
    }
}

type Block = Vec<(u32, u32)>;

/// Depth and function of the calls of a program of loops in loops, whose numbers may vary.
fn any_program() -> impl Strategy<Value = Block> {
    let call = || (0u32..5).prop_map(|code| vec![(0, code)]);
    let mut block = prop::collection::vec(call(), 1..4).boxed();
    for _ in 0..3 {
        let calling = (0u32..5, block.clone()).prop_map(|(code, blocks)| {
            let below = blocks.concat();
            let below = below.into_iter().map(|(depth, code)| (depth + 1, code));
            std::iter::once((0, code)).chain(below).collect::<Block>()
        });
        let looping = (block.clone(), 2usize..4);
        let looping = looping.prop_map(|(blocks, count)| blocks.concat().repeat(count));
        let counts = prop::collection::vec(1usize..4, 2..4);
        let varying = (call(), block, counts).prop_map(|(call, blocks, counts)| {
            let inner = |count| [call.clone(), blocks.concat().repeat(count)].concat();
            counts.into_iter().flat_map(inner).collect::<Block>()
        });
        let one = prop_oneof![1 => call(), 3 => calling, 2 => looping, 2 => varying];
        block = prop::collection::vec(one, 1..4).boxed();
    }
    block.prop_map(|blocks| {
        let mut calls = blocks.concat();
        calls.truncate(400);
        calls
    })
}

fn any_filter() -> impl Strategy<Value = Filter> {
    (any::<bool>(), 0u64..3).prop_map(|(hide_imports, min_duration)| Filter {
        hide_imports,
        min_duration,
        ..Filter::default()
    })
}

fn any_grouping() -> impl Strategy<Value = Grouping> {
    prop::sample::select(&GROUPINGS[..])
}

/// What is drawn of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Drawn {
    id: String,
    node: Option<NodeId>,
    level: usize,
    open: bool,
    last: bool,
    below: usize,
    step: Option<usize>,
    boxes: Vec<usize>,
}

/// The definition, without any thought for time.
struct Drawer<'v, 'r> {
    view: &'v View<'r>,
    states: HashMap<NodeId, State>,
    lines: Vec<Drawn>,
}

impl Drawer<'_, '_> {
    fn draw(view: &View<'_>, open: &Open) -> Vec<Drawn> {
        let mut drawer = Drawer {
            view,
            states: open.states().iter().copied().collect(),
            lines: Vec::new(),
        };
        drawer.list(view.patterns().thread(0), 0, open.base == Base::All, &[]);
        drawer.lines
    }

    fn list(&mut self, list: Nodes<'_>, level: usize, all: bool, boxes: &[usize]) {
        let nodes: Vec<Node<'_>> = list.collect();
        for (index, node) in nodes.iter().enumerate() {
            let id = super::id(self.view.calls(), node);
            let name = self.view.line_id(node);
            let valid = |state: &State| match (state, node) {
                (State::Open { step, .. }, Node::Repeat(repeat)) => {
                    step.is_none_or(|step| step < repeat.repetitions().len())
                }
                _ => true,
            };
            let (open, step, all) =
                match id.and_then(|id| self.states.get(&id).copied().filter(valid)) {
                    None => (all, None, all),
                    Some(State::Closed) => (false, None, false),
                    Some(State::Open { step, all }) => (true, step, all),
                };
            let mut boxes = boxes.to_vec();
            if let Node::Repeat(repeat) = node
                && !repeat.is_of_one_call()
            {
                boxes.push(level);
            }
            let below = below(node, step);
            self.lines.push(Drawn {
                id: json(name).as_str().unwrap().to_owned(),
                node: id,
                level,
                open: open && below.is_some(),
                last: index + 1 == nodes.len(),
                below: below.clone().map_or(0, lines),
                step,
                boxes: boxes.clone(),
            });
            if open && let Some(below) = below {
                self.list(below, level + 1, all, &boxes);
            }
        }
    }
}

fn below<'p>(node: &Node<'p>, step: Option<usize>) -> Option<Nodes<'p>> {
    let nodes = match node {
        Node::Gap(_) => return None,
        Node::Call(call) => call.callees(),
        Node::Repeat(repeat) if repeat.is_of_one_call() => {
            let mut calls = repeat.repetition(step.unwrap_or(0));
            calls.next().unwrap().callees()
        }
        Node::Repeat(repeat) => match step {
            Some(step) => repeat.repetition_folded(step).unwrap(),
            None => repeat.body(),
        },
    };
    Some(nodes).filter(|nodes| !nodes.is_empty())
}

/// How many lines a list is with everything open.
fn lines(list: Nodes<'_>) -> usize {
    list.map(|node| 1 + below(&node, None).map_or(0, lines))
        .sum()
}

fn json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// `None` for a gap.
fn node_of(id: &str) -> Option<NodeId> {
    if id.starts_with('g') {
        return None;
    }
    let open = Open::parse(&format!("{id}+")).unwrap();
    Some(open.states()[0].0)
}

fn drawn(row: &Value) -> Drawn {
    let number = |name: &str| row[name].as_u64().unwrap() as usize;
    let boxes = row["boxes"].as_array().unwrap().iter();
    let drawn = Drawn {
        id: row["id"].as_str().unwrap().to_owned(),
        node: node_of(row["id"].as_str().unwrap()),
        level: number("level"),
        open: row["open"].as_bool().unwrap(),
        last: row["last"].as_bool().unwrap(),
        below: number("below"),
        step: row["repeat"]["step"].as_u64().map(|step| step as usize),
        boxes: boxes
            .map(|level| level.as_u64().unwrap() as usize)
            .collect(),
    };
    assert_eq!(row["has"].as_bool(), Some(drawn.below > 0));
    assert_eq!(row["gap"].is_object(), drawn.node.is_none());
    drawn
}

/// Says something of lines that stand there, one after the other.
fn clicked(view: &View<'_>, base: Base, clicks: &[(usize, usize)]) -> Open {
    let mut open = Open::of(base, Vec::new());
    for &(line, what) in clicks {
        let lines = Drawer::draw(view, &open);
        let line = lines.get(line % lines.len().max(1));
        let Some(node) = line.and_then(|line| line.node) else {
            continue;
        };
        let (what, step) = (what % 6, what / 6);
        let step = node.calls.map(|_| step);
        let state = match what {
            0 => State::Closed,
            1 => State::Open {
                step: None,
                all: false,
            },
            2 => State::Open {
                step: None,
                all: true,
            },
            3 => State::Open { step, all: true },
            _ => State::Open { step, all: false },
        };
        open.say(vec![(node, state)]);
    }
    open
}

fn any_clicks() -> impl Strategy<Value = (Base, Vec<(usize, usize)>)> {
    let base = prop::sample::select(&[Base::All, Base::None][..]);
    (
        base,
        prop::collection::vec((0usize..500, 0usize..30), 0..12),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_window_is_what_is_drawn_there(
        calls in any_program(),
        gaps in random_gaps::any_places(),
        filter in any_filter(),
        grouping in any_grouping(),
        (base, clicks) in any_clicks(),
        (from, count) in (0usize..100, 0usize..100),
    ) {
        let mut recording = recording(calls);
        random_gaps::add(&mut recording.threads[0], &gaps);
        let explorer = Explorer::new(&recording);
        let view = explorer.view(0, &filter, grouping);
        let open = clicked(&view, base, &clicks);
        let expected = Drawer::draw(&view, &open);
        for (from, count) in [(from, count), (0, 300)] {
            let rows = json(view.rows(&open, from, count));
            prop_assert_eq!(rows["total"].as_u64(), Some(expected.len() as u64));
            prop_assert_eq!(&rows["open"], &Value::from(open.to_string()));
            let rows: Vec<_> = rows["rows"].as_array().unwrap().iter().map(drawn).collect();
            let from = from.min(expected.len());
            let to = (from + count).min(expected.len());
            prop_assert_eq!(&rows, &expected[from..to]);
        }
    }

    #[test]
    fn a_revealed_call_or_gap_stands_where_it_says(
        calls in any_program(),
        gaps in random_gaps::any_places(),
        filter in any_filter(),
        grouping in any_grouping(),
        (base, clicks) in any_clicks(),
        auto in any::<bool>(),
    ) {
        let mut recording = recording(calls);
        random_gaps::add(&mut recording.threads[0], &gaps);
        let explorer = Explorer::new(&recording);
        let view = explorer.view(0, &filter, grouping);
        let mut open = clicked(&view, base, &clicks);
        if auto {
            open.base = Base::Auto;
        }
        let rows = recording.threads[0].calls.len();
        for row in 0..rows {
            let reveal = json(view.reveal(&open, row).unwrap());
            let Some(index) = reveal["index"].as_u64() else {
                prop_assert!(view.calls().position(row).is_none());
                prop_assert!(reveal["hidden"].is_string());
                continue;
            };
            let open = Open::parse(reveal["open"].as_str().unwrap()).unwrap();
            let found = json(view.rows(&open, index as usize, 1));
            prop_assert_eq!(&found["total"], &reveal["total"]);
            prop_assert_eq!(&found["rows"][0]["id"], &reveal["id"]);
            prop_assert_eq!(found["rows"][0]["call"]["row"].as_u64(), Some(row as u64));
        }
        prop_assert!(view.reveal(&open, rows).is_none());
        for gap in 0..gaps.len() {
            let reveal = json(view.reveal_gap(&open, gap).unwrap());
            // These filters leave every gap, if below others than it stood below.
            let index = reveal["index"].as_u64().unwrap() as usize;
            let open = Open::parse(reveal["open"].as_str().unwrap()).unwrap();
            let found = json(view.rows(&open, index, 1));
            prop_assert_eq!(&found["total"], &reveal["total"]);
            prop_assert_eq!(&found["rows"][0]["id"], &reveal["id"]);
            let run = view.calls().gaps().iter().rfind(|run| run.first <= gap).unwrap();
            prop_assert_eq!(&found["rows"][0]["gap"]["gaps"], &json(run.sum.gaps));
            let id = found["rows"][0]["id"].as_str().unwrap();
            let first = format!(".{}", run.first);
            prop_assert!(id.ends_with(&first));
        }
        prop_assert!(view.reveal_gap(&open, gaps.len()).is_none());
    }

    /// Where all repeats are exact, the lines stand for all calls, each once.
    #[test]
    fn lines_of_templates_stand_for_all_calls(calls in any_program(), filter in any_filter()) {
        let recording = recording(calls);
        let explorer = Explorer::new(&recording);
        let view = explorer.view(0, &filter, Some(Nearness::Exact));
        let open = Open::parse("all").unwrap();
        let mut rows = Vec::new();
        while let Some(more) = json(view.rows(&open, rows.len(), 300))["rows"].as_array()
            && !more.is_empty()
        {
            rows.extend(more.iter().cloned());
        }
        let calls = view.calls();
        let (mut of, mut own, mut duration) = (0, 0.0, 0.0);
        for call in rows.iter().map(|row| &row["call"]).filter(|call| !call.is_null()) {
            let count = call["of"].as_u64().unwrap_or(1);
            of += count;
            own += call["self"].as_f64().unwrap() * count as f64;
            duration += call["duration"].as_f64().unwrap() * count as f64;
        }
        prop_assert_eq!(of, calls.len() as u64);
        let positions = 0..calls.len();
        let durations: u64 = positions.clone().map(|at| calls.row(at).duration).sum();
        prop_assert!((durations as f64 - duration).abs() <= of as f64 / 2.0);
        let self_time = |at: usize| {
            let depth = calls.depth(at);
            let below = (at + 1..calls.len()).take_while(|&at| calls.depth(at) > depth);
            let callees = below.filter(|&at| calls.depth(at) == depth + 1);
            let callees: u64 = callees.map(|at| calls.row(at).duration).sum();
            calls.row(at).duration.saturating_sub(callees)
        };
        let self_times: u64 = positions.map(self_time).sum();
        prop_assert!((self_times as f64 - own).abs() <= of as f64 / 2.0);
    }

    #[test]
    fn what_opens_by_itself_fills_no_more_than_it_may(
        calls in any_program(),
        grouping in any_grouping(),
    ) {
        let recording = recording(calls);
        let explorer = Explorer::new(&recording);
        let view = explorer.view(0, &Filter::default(), grouping);
        let rows = view.rows(&Open::default(), 0, 10);
        let top = view.patterns().thread(0).count();
        prop_assert!(rows.total <= top.max(120));
        prop_assert!(rows.total < 2 || rows.total > top || rows.open.states().is_empty());
        let again = view.rows(&rows.open, 0, 10);
        prop_assert_eq!(again.total, rows.total);
        prop_assert_eq!(again.open, rows.open);
    }
}

#[test]
fn a_million_deep_and_two_million_wide() {
    let deep = (0..1_000_000).map(|depth| (depth, depth % 3));
    let wide = std::iter::once((0, 0)).chain((0..2_000_000u32).map(|call| {
        // No two stretches of these are the same.
        (
            1,
            (call.wrapping_mul(call).wrapping_mul(0x9e37_79b9) >> 28) % 4,
        )
    }));
    for recording in [recording(deep), recording(wide)] {
        let explorer = Explorer::new(&recording);
        for grouping in [None, Some(Nearness::TripCounts)] {
            let view = explorer.view(0, &Filter::default(), grouping);
            let all = Open::parse("all").unwrap();
            let total = view.rows(&all, 0, 1).total;
            assert!(view.calls().len() >= total);
            let end = view.rows(&all, total - 3, 100);
            assert_eq!(end.rows.len(), 3);
            assert!(end.rows[2].last);
            let last = view.calls().len() - 1;
            for open in [Open::default(), all, Open::parse("none").unwrap()] {
                let reveal = view.reveal(&open, last).unwrap();
                let found = view.rows(&reveal.open, reveal.index.unwrap(), 1);
                assert_eq!(json(&found.rows[0])["call"]["row"], last);
            }
        }
        assert!(
            explorer
                .call(0, recording.threads[0].calls.len() - 1)
                .is_some()
        );
    }
}

#[test]
fn what_is_left_out_says_why() {
    let recording = recording([(0, 0), (1, 4), (1, 1)]);
    let explorer = Explorer::new(&recording);
    let hidden = |filter: Filter, row| {
        let view = explorer.view(0, &filter, None);
        let reveal = view.reveal(&Open::default(), row).unwrap();
        assert_eq!(reveal.index.is_none(), reveal.hidden.is_some());
        assert_eq!(reveal.id, LineId::Node(NodeId { row, calls: None }));
        reveal.hidden
    };
    let hide_imports = Filter {
        hide_imports: true,
        ..Filter::default()
    };
    assert_eq!(hidden(hide_imports, 1), Some("imports are hidden"));
    assert_eq!(hidden(hide_imports, 2), None);
    let long = Filter {
        min_duration: 2,
        ..Filter::default()
    };
    assert_eq!(hidden(long, 0), Some("shorter calls are hidden"));
    let raised = Filter {
        only_exceptions: true,
        ..Filter::default()
    };
    let why = "calls that no exception left are hidden";
    assert_eq!(hidden(raised, 2), Some(why));
}

#[test]
fn an_answer_of_long_names_stays_below_a_megabyte() {
    let mut recording =
        recording(std::iter::once((0, 0)).chain((0..400).map(|call| (1, call % 5))));
    for code in &mut recording.codes {
        code.name = "\u{1}".repeat(10_000);
        code.file = "\u{1f600}".repeat(10_000);
    }
    let explorer = Explorer::new(&recording);
    let view = explorer.view(0, &Filter::default(), None);
    let rows = view.rows(&Open::parse("all").unwrap(), 0, 1000);
    assert_eq!(rows.rows.len(), 300);
    assert!(serde_json::to_string(&rows).unwrap().len() < 1_000_000);
}
