//! Code objects, as they are described before their first use.

use std::sync::Arc;

use super::natives::{Own, native};
use super::{Builder, Classify, Filter};
use crate::event::CodeRecord;
use crate::trace::{Category, Code, CodeIs};
use crate::value::ParameterNames;

/// A code object that has been met.
#[derive(Debug, Clone)]
pub(super) struct KnownCode {
    pub(super) code: Arc<Code>,
    /// False for the shim frames of specialised class calls.
    pub(super) activation: bool,
    /// What pytrace has the interpreter run itself: none of the program's.
    pub(super) own: Option<Own>,
    /// Where values are recorded.
    pub(super) parameters: Option<Arc<ParameterNames>>,
}

impl KnownCode {
    /// Whether an activation of it concerns the scope. The import system's do even where external calls are
    /// left out: they tell which modules' bodies are import activity.
    pub(super) fn counts(&self, called_by_scope: bool, filter: Filter) -> bool {
        match self.code.category {
            _ if self.own.is_some_and(|own| own != Own::Starts) => false,
            Category::Internal => true,
            Category::Import => called_by_scope,
            Category::External => called_by_scope && filter.external_calls,
        }
    }
}

impl<C: Classify> Builder<C> {
    /// Takes note of a code object; it replaces what was at its address before.
    pub(super) fn meet_code(&mut self, pid: u32, record: &CodeRecord) -> CodeIs {
        // CPython 3.12+, Objects/codeobject.c, _Py_MakeShimCode: the one code object whose file
        // name is no file's.
        let activation = !(record.name.text == "__init__" && record.filename.text == "__init__");
        let own = Own::of(record);
        let code = match own {
            Some(Own::Starts) => native(record),
            _ => self.classify.classify(pid, record),
        };
        // Between code that tells of C functions and their callers are pytrace's lines.
        let is = match activation && own != Some(Own::Lines) {
            true => CodeIs::Of(code.category),
            false => CodeIs::Shim,
        };
        // Threads that run at the same time may both tell of it: its parameters follow upon one of
        // these records at least. None of what was there before is called behind the new one's.
        let before = self.codes.remove(&(pid, record.address));
        let known = KnownCode {
            code: Arc::new(code),
            activation,
            own,
            parameters: before.and_then(|before| before.parameters),
        };
        self.codes.insert((pid, record.address), known);
        is
    }
}
