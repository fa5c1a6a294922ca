//! What is drawn of a recording that has more lines than anybody reads: whole levels from the top, as
//! many as there is room for, and of the next one the first of each list.

use super::walk::{Step, Walk};
use crate::pattern::{Node, Patterns};

/// How much is drawn. What a thread starts with is level 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// How many threads are drawn: the first ones.
    pub(super) threads: usize,
    /// Levels that are drawn whole.
    levels: usize,
    /// How many nodes of each list of the next level are.
    nodes: usize,
}

/// A list, as far as room is concerned.
#[derive(Debug, Clone, Copy, Default)]
struct List {
    nodes: usize,
    lines: usize,
}

impl Budget {
    /// Everything.
    pub(super) const ALL: Budget = Budget {
        threads: usize::MAX,
        levels: usize::MAX,
        nodes: 0,
    };

    /// What fits into `limit` lines, and how many lines there are.
    pub(super) fn of(patterns: &Patterns<'_>, limit: usize) -> (Budget, usize) {
        let headings = headings(patterns);
        let all_threads = headings.len();
        let mut all: usize = headings.last().copied().unwrap_or_default();
        each_list(patterns, all_threads, |_, list| all += list.lines);
        if all <= limit {
            return (Budget::ALL, all);
        }
        // Headings take half of the room at most.
        let threads = headings.partition_point(|&lines| lines <= limit / 2);
        let threads = threads.clamp(1.min(all_threads), all_threads);
        let mut room = limit.saturating_sub(headings.get(threads - 1).copied().unwrap_or_default());
        if threads < all_threads {
            // A line says so, behind an empty one.
            room = room.saturating_sub(2);
        }
        let mut lines_of_levels = Vec::new();
        each_list(patterns, threads, |level, list| {
            if lines_of_levels.len() <= level {
                lines_of_levels.resize(level + 1, 0);
            }
            lines_of_levels[level] += list.lines;
        });
        let mut levels = 0;
        for &lines in &lines_of_levels {
            if lines > room {
                break;
            }
            room -= lines;
            levels += 1;
        }
        let mut lists = Vec::new();
        each_list(patterns, threads, |level, list| {
            if level == levels {
                lists.push(list);
            }
        });
        let mut nodes = most_nodes(&lists, room);
        if levels == 0 {
            nodes = nodes.max(1);
        }
        let budget = Budget {
            threads,
            levels,
            nodes,
        };
        (budget, all)
    }

    /// Whether a node is drawn that stands at this index of its list.
    pub(super) fn admits(&self, level: usize, index: usize) -> bool {
        level < self.levels || (level == self.levels && index < self.nodes)
    }
}

/// How many lines the headings of the first threads take: of one, of two, ...
fn headings(patterns: &Patterns<'_>) -> Vec<usize> {
    let mut process = None;
    let mut lines = 0;
    let threads = patterns.recording().threads.iter();
    let lines = threads.map(|thread| {
        // The heading, and before it an empty line or, if it is the first of all, none.
        lines += 1 + usize::from(lines > 0);
        if process != Some(thread.id.pid) && !thread.process_name.is_empty() {
            lines += 1;
        }
        process = Some(thread.id.pid);
        lines
    });
    lines.collect()
}

/// How many nodes of each list there is room for, with a line for what is left out.
fn most_nodes(lists: &[List], room: usize) -> usize {
    let fits = |nodes: usize| {
        let mut lines = 0usize;
        for list in lists {
            // Some take two lines.
            let second = (list.lines - list.nodes).min(nodes);
            lines += match nodes >= list.nodes {
                true => list.lines,
                false => nodes + second + 1,
            };
        }
        lines <= room
    };
    // The most that fits lies in between.
    let (mut fitting, mut too_many) = (0, room + 1);
    while too_many - fitting > 1 {
        let middle = fitting + (too_many - fitting) / 2;
        match fits(middle) {
            true => fitting = middle,
            false => too_many = middle,
        }
    }
    fitting
}

/// Calls `found` with each list that is drawn of the first threads, and its level.
fn each_list(patterns: &Patterns<'_>, threads: usize, mut found: impl FnMut(usize, List)) {
    let mut open: Vec<List> = Vec::new();
    for thread in 0..threads {
        for step in Walk::new(patterns, thread) {
            // What was open as deep as this has ended, but for the list that goes on.
            let going_on = step.level + usize::from(step.index > 0);
            while open.len() > going_on {
                if let Some(list) = open.pop() {
                    found(open.len(), list);
                }
            }
            if open.len() == step.level {
                open.push(List::default());
            }
            open[step.level].nodes += 1;
            open[step.level].lines += lines(&step);
        }
        while let Some(list) = open.pop() {
            found(open.len(), list);
        }
    }
}

/// How many lines a node takes itself.
fn lines(step: &Step<'_>) -> usize {
    1 + usize::from(has_template(step))
}

/// Whether a line of its own says that what follows is a template.
pub(super) fn has_template(step: &Step<'_>) -> bool {
    match &step.node {
        Node::Call(_) | Node::Gap(_) => false,
        Node::Repeat(repeat) => !step.inside && repeat.only_call().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_shared_evenly() {
        let list = |nodes| List {
            nodes,
            lines: nodes,
        };
        for (lists, room, nodes) in [
            (vec![list(10)], 10, 10),
            (vec![list(11)], 10, 9),
            (vec![list(1), list(1), list(100)], 12, 9),
            (vec![list(50), list(50)], 21, 9),
            (vec![list(3), list(3)], 3, 0),
            (vec![list(3)], 1, 0),
        ] {
            let found = most_nodes(&lists, room).min(lists.iter().map(|l| l.nodes).max().unwrap());
            assert_eq!(found, nodes, "{lists:?} {room}");
        }
        let templates = List {
            nodes: 10,
            lines: 20,
        };
        assert_eq!(most_nodes(&[templates], 9), 4);
    }
}
