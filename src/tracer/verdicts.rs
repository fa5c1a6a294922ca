//! What code objects are: the recorder's answers to the kernel programs.

use libbpf_rs::{MapCore as _, MapFlags, MapHandle};

use crate::bpf::frames::types;
use crate::trace::{Category, CodeIs};

/// Sends what user space found out about code objects to one build's programs.
#[derive(Debug)]
pub struct Verdicts {
    pub(super) answers: MapHandle,
    pub(super) codes: MapHandle,
    pub(super) types: MapHandle,
    pub(super) shapes: MapHandle,
}

impl Verdicts {
    /// Tells the kernel what the code object is that it calls `id`.
    pub fn answer(&self, pid: u32, address: u64, id: u64, is: CodeIs) {
        let verdict = match is {
            CodeIs::Of(Category::Internal) => types::verdict::VERDICT_INTERNAL,
            CodeIs::Of(Category::External) => types::verdict::VERDICT_EXTERNAL,
            CodeIs::Of(Category::Import) => types::verdict::VERDICT_IMPORT,
            CodeIs::Shim => types::verdict::VERDICT_SHIM,
        };
        let mut value = [0; 16];
        value[..8].copy_from_slice(&id.to_ne_bytes());
        value[8..12].copy_from_slice(&verdict.0.to_ne_bytes());
        // Should the map be full, the kernel goes on to send everything of this code.
        let _ = self
            .answers
            .update(&code_key(pid, address), &value, MapFlags::ANY);
    }

    /// Under which id the kernel asks for a code object, if it has met it.
    pub fn asked(&self, pid: u32, address: u64) -> Option<u64> {
        let state = self
            .codes
            .lookup(&code_key(pid, address), MapFlags::ANY)
            .ok()??;
        Some(u64::from_ne_bytes(*state.first_chunk()?))
    }

    /// Forgets all code objects and types of a process, which runs another program now.
    pub fn forget(&self, pid: u32) {
        let nothing = vec![0; self.shapes.value_size() as usize];
        let _ = self.shapes.update(&[0; 4], &nothing, MapFlags::ANY);
        for map in [&self.codes, &self.answers, &self.types] {
            let of_process: Vec<Vec<u8>> = map
                .keys()
                .filter(|key| key.get(8..12) == Some(&pid.to_ne_bytes()))
                .collect();
            for key in of_process {
                let _ = map.delete(&key);
            }
        }
    }
}

/// `struct code_key`.
fn code_key(pid: u32, address: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&address.to_ne_bytes());
    key[8..12].copy_from_slice(&pid.to_ne_bytes());
    key
}
