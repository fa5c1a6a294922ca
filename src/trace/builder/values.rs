//! What calls are given, give back and raise, put in words.

use std::sync::Arc;

use super::{Builder, Classify};
use crate::event::{Parameters, TypeRecord};
use crate::trace::{Call, Exit, ThreadId};

impl<C: Classify> Builder<C> {
    pub(super) fn meet_type(&mut self, pid: u32, record: &TypeRecord) {
        if let Some(describer) = &mut self.describer {
            describer.meet(pid, record);
        }
    }

    pub(super) fn meet_parameters(&mut self, pid: u32, parameters: &Parameters<'_>) {
        let known = self.codes.get_mut(&(pid, parameters.code));
        if let Some((describer, known)) = self.describer.as_mut().zip(known) {
            known.parameters = Some(Arc::new(describer.parameters(parameters)));
        }
    }

    /// Puts in words what the call of the frame on top was given.
    pub(super) fn take_arguments(&mut self, id: ThreadId, frame: u64, values: &[u8]) {
        let top = self.threads.get_mut(id).and_then(|it| it.stack.last_mut());
        let Some(top) = top.filter(|top| top.address == frame) else {
            return;
        };
        let (Some(call), Some(known)) = (&mut top.call, self.codes.get(&(id.pid, top.code))) else {
            return;
        };
        let Some((describer, names)) = self.describer.as_mut().zip(known.parameters.as_ref())
        else {
            return;
        };
        if !values.is_empty() || names.is_empty() {
            call.arguments = Some(describer.arguments(id.pid, names, values));
        }
    }

    /// Puts in words how a call has ended.
    pub(super) fn take_result(&mut self, pid: u32, call: &mut Call, values: &[u8]) {
        let Some(describer) = self.describer.as_mut().filter(|_| !values.is_empty()) else {
            return;
        };
        match call.exit {
            Exit::Exception => (_, call.message) = describer.exception(pid, values),
            _ => call.result = describer.result(pid, values),
        }
    }
}
