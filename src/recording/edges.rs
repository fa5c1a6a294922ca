//! Calls of files that tell of begins and ends apart.

use std::collections::HashMap;

use super::{Flags, Row};
use crate::trace::Time;

/// Where a call began or ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) at: Time,
    pub(super) kind: EdgeKind,
}

/// What there is at an [`Edge`].
#[derive(Debug, Clone, Copy)]
pub(super) enum EdgeKind {
    /// The begin of the call of this row.
    Begin(u32),
    /// The end of the last call that began and did not end; with a code, of the last one of its
    /// name.
    End(Option<u32>),
}

/// Gives the rows that `edges` begin their ends, depths and numbers. `names` has for each code the
/// number of its name.
///
/// Who began and did not end when its caller ends, ends there; at the end of the thread, with its
/// last edge. An end without a begin says nothing: a trace that starts in the middle has such.
pub(super) fn pair(mut edges: Vec<Edge>, rows: &mut [Row], names: &[u32]) {
    // Those of one time stay in the order of the file.
    edges.sort_by_key(|edge| edge.at);
    let mut number = 0;
    let mut open: Vec<u32> = Vec::new();
    // By name, where in `open` its calls are.
    let mut by_name: HashMap<u32, Vec<usize>> = HashMap::new();
    for edge in &edges {
        match edge.kind {
            EdgeKind::Begin(index) => {
                let row = &mut rows[index as usize];
                number += 1;
                row.number = number;
                row.depth = open.len() as u32;
                let named = by_name.entry(names[row.code as usize]).or_default();
                named.push(open.len());
                open.push(index);
            }
            EdgeKind::End(code) => {
                let ended = match code {
                    None => open.len().checked_sub(1),
                    Some(code) => by_name
                        .get(&names[code as usize])
                        .and_then(|named| named.last().copied()),
                };
                let Some(ended) = ended else {
                    continue;
                };
                rows[open[ended] as usize].flags.clear(Flags::UNFINISHED);
                for index in open.drain(ended..).rev() {
                    let row = &mut rows[index as usize];
                    row.duration = edge.at.0 - row.start.0;
                    if let Some(named) = by_name.get_mut(&names[row.code as usize]) {
                        named.pop();
                    }
                }
            }
        }
    }
    let last = edges.last().map_or(Time(0), |edge| edge.at);
    for index in open {
        let row = &mut rows[index as usize];
        row.duration = last.0 - row.start.0;
    }
}
