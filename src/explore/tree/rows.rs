//! Lines of a tree as they are sent.

use std::rc::Rc;

use serde::{Serialize, Serializer};

use super::super::View;
use super::super::gaps::{GapId, GapMembers};
use super::super::open::{NodeId, Open};
use super::around::Around;
use super::auto;
use super::figures::{Figures, call_of};
use super::layout::{Layout, States};
use super::lists::Lists;
use super::members::{CallMembers, Cut, Placed};
use super::window::Line;
use crate::pattern::{Count, Node, Repeat};

/// How many bytes of JSON the texts of all lines together are, or little more: an answer has a
/// megabyte at most, and what is no text takes half of that.
const ROOM: usize = 350_000;

/// Some lines of a tree: the answer to `/api/rows`.
#[derive(Debug, Serialize)]
pub struct Rows {
    /// How many lines there are.
    pub total: usize,
    /// Index of the first of these.
    pub from: usize,
    /// What is open.
    #[serde(serialize_with = "serialize_open")]
    pub open: Open,
    /// How many calls there are.
    pub calls: usize,
    /// The lines.
    pub rows: Vec<TreeRow>,
}

/// A line.
#[derive(Debug, Serialize)]
pub struct TreeRow {
    /// What stands there.
    pub id: LineId,
    /// How deep it stands.
    pub level: usize,
    /// Whether what is below it stands there.
    pub open: bool,
    has: bool,
    below: usize,
    boxes: Vec<usize>,
    /// Whether nothing stands behind it in its list.
    pub last: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<RepeatMembers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<CallMembers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<GapMembers>,
}

/// Names what has a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum LineId {
    /// A call or a repeat.
    Node(NodeId),
    /// Gaps.
    Gap(GapId),
}

#[derive(Debug, Serialize)]
struct RepeatMembers {
    count: [usize; 2],
    exact: bool,
    one: bool,
    calls_per_repetition: [usize; 2],
    first_call: u64,
    last_call: u64,
    calls: usize,
    repetitions: usize,
    times: TimesMembers,
    spark: Vec<u64>,
    step: Option<usize>,
}

#[derive(Debug, Serialize)]
struct TimesMembers {
    total: u64,
    mean: u64,
    deviation: u64,
    min: u64,
    max: u64,
    slowest: usize,
}

impl View<'_> {
    /// How many lines are sent at once.
    pub const MOST_ROWS: usize = 300;

    /// Up to 300 lines of the tree from the line `from` on. Groups the calls, the first time.
    pub fn rows(&self, open: &Open, from: usize, count: usize) -> Rows {
        let lists = self.lists();
        let open = auto::resolved(self, open);
        let states = States::new(&open, self.calls(), None);
        let layout = Layout::new(self.outermost(), self.calls(), &states, lists);
        let lines = layout.window(from, count.min(Self::MOST_ROWS), lists);
        let mut writer = Writer {
            view: self,
            lists,
            figures: self.figures(),
            cut: Cut::of_lines(ROOM),
        };
        Rows {
            total: layout.total,
            from,
            open: open.into_owned(),
            calls: self.calls().len(),
            rows: lines.iter().map(|line| writer.row(line)).collect(),
        }
    }
}

/// Makes what is sent of lines.
struct Writer<'v, 'r> {
    view: &'v View<'r>,
    lists: Lists<'v>,
    figures: Figures<'v, 'r>,
    cut: Cut,
}

impl Writer<'_, '_> {
    fn row(&mut self, line: &Line<'_>) -> TreeRow {
        let Line {
            node,
            around,
            open,
            step,
            last,
        } = line;
        // As it is drawn: a single repetition has its own.
        let below = match super::below(node, *step) {
            Some((list, _)) => self.lists.measure(&list).lines,
            None => 0,
        };
        let call = call_of(node, *step).map(|call| {
            let strides = &around.strides;
            let figures = self.figures.of_call(&call, node, *step, strides);
            let above = self.above(around);
            let placed = Placed::at(&call, figures.self_time, above, self.view.origin);
            CallMembers::new(placed, &figures.facts, &mut self.cut)
        });
        let repeat = match node {
            Node::Call(_) | Node::Gap(_) => None,
            Node::Repeat(repeat) => Some(self.repeat(repeat, *step, around)),
        };
        let gap = match node {
            Node::Gap(run) => Some(GapMembers::of(run, self.view.origin)),
            Node::Call(_) | Node::Repeat(_) => None,
        };
        TreeRow {
            id: self.view.line_id(node),
            level: around.level,
            open: *open,
            has: below > 0,
            below,
            boxes: around.boxes_of(node).to_vec(),
            last: *last,
            repeat,
            call,
            gap,
        }
    }

    /// How long what a list stands below took, in nanoseconds.
    fn above(&self, around: &Rc<Around<'_>>) -> u64 {
        *around.above_took.get_or_init(|| match &around.above {
            Some(above) => self.figures.took(above),
            None => self.view.took(),
        })
    }

    fn repeat(
        &self,
        repeat: &Repeat<'_>,
        step: Option<usize>,
        around: &Around<'_>,
    ) -> RepeatMembers {
        let figures = self.figures.of_repeat(repeat, &around.strides);
        let times = &figures.times;
        RepeatMembers {
            count: range(repeat.count()),
            exact: repeat.is_exact(),
            one: repeat.is_of_one_call(),
            calls_per_repetition: range(repeat.calls_per_repetition()),
            first_call: repeat.first_call(),
            last_call: repeat.last_call(),
            calls: repeat.total_calls(),
            repetitions: repeat.repetitions().len(),
            times: TimesMembers {
                total: times.total,
                mean: times.mean.round() as u64,
                deviation: times.standard_deviation.round() as u64,
                min: times.min,
                max: times.max,
                slowest: figures.slowest,
            },
            spark: figures.spark.clone(),
            step,
        }
    }
}

fn range(count: Count) -> [usize; 2] {
    [count.min, count.max]
}

pub(super) fn serialize_open<S: Serializer>(open: &Open, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(open)
}
