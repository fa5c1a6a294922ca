//! Which nodes of a tree are open, as the page says it.

use std::fmt::{self, Display, Formatter};

use serde::{Serialize, Serializer};

/// How long the text may be, in bytes.
const LONGEST: usize = 16 * 1024;

/// How a tree is drawn: what is open, and which repeats show a single repetition.
///
/// Its text is the parameter `open` of `docs/serve-api.md`, which [`Open::parse`] reads and `Display`
/// writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    pub(super) base: Base,
    /// Each node once, the ones that were said last at the end.
    states: Vec<(NodeId, State)>,
}

/// What holds for nodes that nothing is said of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Base {
    /// Open are as many as fill a screen or two.
    #[default]
    Auto,
    /// All are open.
    All,
    /// All are closed.
    None,
}

/// Names a node of a thread, whatever is open or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// Index of the call, or of the first call of a repeat.
    pub row: usize,
    /// Of a repeat: how many calls all its repetitions are, with those below them.
    pub calls: Option<usize>,
}

/// What is said of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Closed,
    Open {
        /// The repetition that is shown, instead of a template.
        step: Option<usize>,
        /// Whether all below it is open.
        all: bool,
    },
}

/// Why a text says nothing of what is open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It has too many bytes.
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    /// One of its words is none.
    #[error("neither a node's state nor all nor none: {0}")]
    Word(String),
}

impl Open {
    /// Reads states with commas between; of one node the last counts.
    pub fn parse(text: &str) -> Result<Open, OpenError> {
        if text.len() > LONGEST {
            return Err(OpenError::TooLong);
        }
        let mut open = Open::default();
        let mut states = Vec::new();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            match word {
                "all" => open.base = Base::All,
                "none" => open.base = Base::None,
                _ => {
                    let state = parse_state(word);
                    let unknown = || OpenError::Word(word.chars().take(40).collect());
                    states.push(state.ok_or_else(unknown)?);
                }
            }
        }
        // From the end, so that the last one is met first.
        let mut known = std::collections::HashSet::new();
        states.reverse();
        states.retain(|(id, _)| known.insert(*id));
        states.reverse();
        open.states = states;
        Ok(open)
    }

    pub(super) fn of(base: Base, states: Vec<(NodeId, State)>) -> Open {
        Open { base, states }
    }

    /// What is said of nodes, the oldest first.
    pub(super) fn states(&self) -> &[(NodeId, State)] {
        &self.states
    }

    /// Says these as the last; forgets of the oldest what makes the text too long.
    pub(super) fn say(&mut self, states: Vec<(NodeId, State)>) {
        let said: std::collections::HashSet<NodeId> = states.iter().map(|state| state.0).collect();
        self.states.retain(|(id, _)| !said.contains(id));
        self.states.extend(states);
        let mut room = LONGEST - "none".len();
        let fits = self.states.iter().rev().take_while(|(id, state)| {
            let len = format!(",{id}{state}").len();
            let fits = len <= room;
            room = room.saturating_sub(len);
            fits
        });
        let old = self.states.len() - fits.count();
        self.states.drain(..old);
    }
}

/// Of `r17.36@2*`: the node and its state.
fn parse_state(word: &str) -> Option<(NodeId, State)> {
    let end = word.find(['+', '-', '*', '@'])?;
    let (id, state) = word.split_at(end);
    let id = match id.split_at_checked(1)? {
        ("c", row) => NodeId {
            row: parse_number(row)?,
            calls: None,
        },
        ("r", numbers) => {
            let (row, calls) = numbers.split_once('.')?;
            NodeId {
                row: parse_number(row)?,
                calls: Some(parse_number(calls)?),
            }
        }
        _ => return None,
    };
    let open = |step, all| State::Open { step, all };
    let state = match state {
        "-" => State::Closed,
        "+" => open(None, false),
        "*" => open(None, true),
        _ => {
            let step = state.strip_prefix('@').filter(|_| id.calls.is_some())?;
            match step.strip_suffix('*') {
                Some(step) => open(Some(parse_number(step)?), true),
                None => open(Some(parse_number(step)?), false),
            }
        }
    };
    Some((id, state))
}

/// Digits only, unlike what the standard library reads.
fn parse_number(digits: &str) -> Option<usize> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

impl Display for Open {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let base = match self.base {
            Base::Auto => None,
            Base::All => Some("all"),
            Base::None => Some("none"),
        };
        f.write_str(base.unwrap_or_default())?;
        for (index, (id, state)) in self.states.iter().enumerate() {
            let comma = if index > 0 || base.is_some() { "," } else { "" };
            write!(f, "{comma}{id}{state}")?;
        }
        Ok(())
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Display for NodeId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.calls {
            None => write!(f, "c{}", self.row),
            Some(calls) => write!(f, "r{}.{calls}", self.row),
        }
    }
}

impl Display for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (step, all) = match *self {
            State::Closed => return f.write_str("-"),
            State::Open { step, all } => (step, all),
        };
        match (step, all) {
            (None, false) => f.write_str("+"),
            (None, true) => f.write_str("*"),
            (Some(step), false) => write!(f, "@{step}"),
            (Some(step), true) => write!(f, "@{step}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn states_are_read_and_written() {
        for text in [
            "",
            "all",
            "none,c1+",
            "c17+,c3-,c4*,r17.36@2,r17.36@2*,r1.2+",
        ] {
            let open = Open::parse(text).unwrap();
            assert_eq!(Open::parse(&open.to_string()), Ok(open), "{text}");
        }
        let open = Open::parse("none,r17.36@2*,c3-").unwrap();
        assert_eq!(open.base, Base::None);
        let repeat = NodeId {
            row: 17,
            calls: Some(36),
        };
        let step = State::Open {
            step: Some(2),
            all: true,
        };
        assert_eq!(open.states()[0], (repeat, step));
    }

    #[test]
    fn the_last_state_of_a_node_counts() {
        let open = Open::parse("none,c1+,c2+,all,c1-").unwrap();
        assert_eq!(open.to_string(), "all,c2+,c1-");
    }

    #[test]
    fn what_is_no_state_is_refused() {
        for word in [
            "c",
            "c1",
            "c+",
            "c+1+",
            "c1++",
            "c1@2",
            "r1+",
            "r1.+",
            "r1.2@",
            "r1.2@x",
            "x1+",
            "é+",
            "c-1+",
            "c99999999999999999999+",
            "r1.2@2**",
        ] {
            let word = word.to_owned();
            assert_eq!(Open::parse(&word), Err(OpenError::Word(word)));
        }
        assert_eq!(Open::parse(&"c1+,".repeat(5000)), Err(OpenError::TooLong));
    }

    #[test]
    fn of_too_many_states_the_oldest_are_forgotten() {
        let id = |row| NodeId { row, calls: None };
        let mut open = Open::default();
        open.say((0..10_000).map(|row| (id(row), State::Closed)).collect());
        let text = open.to_string();
        assert!(text.len() <= LONGEST && text.len() > LONGEST - 20);
        assert!(text.ends_with(",c9999-"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[cr0-9.@*+,alno-]{0,40}") {
            if let Ok(open) = Open::parse(&text) {
                prop_assert_eq!(Open::parse(&open.to_string()), Ok(open));
            }
        }
    }
}
