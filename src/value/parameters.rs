//! The parameters of a code object.

use super::nodes::Nodes;
use super::redact::Redaction;
use super::string;
use crate::event::{Parameters, Shape};

/// Parameters whose values are captured; there may be more.
pub(super) const CAPTURED_MAX: usize = 64;

/// Characters of a name that are captured: `NAME_MAX` in `bpf/scratch.h`.
const NAME_MAX: u64 = 255;

const CO_VARARGS: u32 = 4;
const CO_VARKEYWORDS: u32 = 8;

/// The names of a code object's parameters, in the order of its signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterNames {
    pub(super) parameters: Vec<Parameter>,
    /// How many values are captured.
    pub(super) captured: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: Box<str>,
    /// Which of the frame's locals it is.
    pub(super) local: usize,
    pub(super) redacted: bool,
    /// Whether it is the `self` or `cls` of a method.
    pub(super) receiver: bool,
}

impl ParameterNames {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// Takes the names as captured, and decides which values are not to be stored.
    pub fn new(parameters: &Parameters<'_>, redaction: &mut Redaction) -> ParameterNames {
        let flag = |flag| usize::from(parameters.flags & flag != 0);
        let (starred, doubly) = (flag(CO_VARARGS), flag(CO_VARKEYWORDS));
        let positional = parameters.positional as usize;
        let named = positional.saturating_add(parameters.keyword_only as usize);
        let count = named.saturating_add(starred + doubly);
        let captured = count.min(CAPTURED_MAX);
        let mut nodes = Nodes::default();
        nodes.read(parameters.names, captured);
        // *args stand before those that are keyword-only.
        let order = (0..positional)
            .chain(named..named.saturating_add(starred))
            .chain(positional..named)
            .chain(named.saturating_add(starred)..count);
        let mut more = false;
        let mut found = Vec::new();
        // Counts are the target's word.
        for local in order.take(4 * CAPTURED_MAX) {
            let Some(node) = nodes.get(local).filter(|_| local < captured) else {
                more = true;
                continue;
            };
            let value = node.value;
            let mut name = String::new();
            let whole = value.shape == Shape::Str && !value.torn();
            let whole = whole && value.length <= NAME_MAX;
            if whole {
                let data = value.data(parameters.names);
                let bytes = usize::try_from(value.length)
                    .unwrap_or(usize::MAX)
                    .saturating_mul(usize::from(value.width()));
                let data = data.get(..bytes).unwrap_or(data);
                string::text(&mut name, data, value.width());
            } else {
                name.push_str("<unreadable>");
            }
            found.push(Parameter {
                // One that can't be read may be any.
                redacted: redaction.redacts(&name) || !whole && redaction.is_on(),
                receiver: local == 0 && positional > 0 && matches!(&*name, "self" | "cls"),
                name: name.into(),
                local,
            });
        }
        if more {
            found.push(Parameter {
                name: "…".into(),
                local: usize::MAX,
                redacted: false,
                receiver: false,
            });
        }
        ParameterNames {
            parameters: found,
            captured,
        }
    }
}
