//! What is drawn of a recording that has more lines than anybody reads: whole levels from the top, as
//! many as there is room for, and of the next one the first of each list.

use super::walk::{Step, Walk, only_call};
use crate::pattern::{Node, Patterns};

/// How much is drawn. Levels are counted from 0, the threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
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
        levels: usize::MAX,
        nodes: 0,
    };

    /// What fits into `limit` lines, and how many lines there are.
    pub(super) fn of(patterns: &Patterns<'_>, limit: usize) -> (Budget, usize) {
        let mut lines_of_levels = vec![0];
        each_list(patterns, |level, list| {
            if lines_of_levels.len() <= level {
                lines_of_levels.resize(level + 1, 0);
            }
            lines_of_levels[level] += list.lines;
        });
        let all = lines_of_levels.iter().sum();
        if all <= limit {
            return (Budget::ALL, all);
        }
        let mut room = limit;
        let mut levels = 0;
        for &lines in &lines_of_levels {
            if lines > room {
                break;
            }
            room -= lines;
            levels += 1;
        }
        let mut lists = Vec::new();
        each_list(patterns, |level, list| {
            if level == levels {
                lists.push(list);
            }
        });
        let mut nodes = most_nodes(&lists, room);
        if levels == 0 {
            nodes = nodes.max(1);
        }
        (Budget { levels, nodes }, all)
    }

    /// Whether a node is drawn that stands at this index of its list.
    pub(super) fn admits(&self, level: usize, index: usize) -> bool {
        level < self.levels || (level == self.levels && index < self.nodes)
    }
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

/// Calls `found` with each list that is drawn, and its level.
fn each_list(patterns: &Patterns<'_>, mut found: impl FnMut(usize, List)) {
    let threads = &patterns.recording().threads;
    found(
        0,
        List {
            nodes: threads.len(),
            // A heading, an empty line, and the process's, mostly.
            lines: 2 * threads.len(),
        },
    );
    let mut open: Vec<List> = Vec::new();
    for thread in 0..threads.len() {
        for step in Walk::new(patterns, thread) {
            while open.len() > step.level + 1 {
                if let Some(list) = open.pop() {
                    found(open.len() + 1, list);
                }
            }
            if step.index == 0 && open.len() == step.level + 1 {
                // Another list of the same level: the one before has ended.
                if let Some(list) = open.pop() {
                    found(step.level + 1, list);
                }
            }
            if open.len() == step.level {
                open.push(List::default());
            }
            open[step.level].nodes += 1;
            open[step.level].lines += lines(&step);
        }
        while let Some(list) = open.pop() {
            found(open.len() + 1, list);
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
        Node::Call(_) => false,
        Node::Repeat(repeat) => !step.inside && only_call(repeat).is_none(),
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
