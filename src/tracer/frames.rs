//! The kernel programs of one interpreter build (`bpf/frames.bpf.c`), in the form that this kernel can
//! load.
//!
//! There are two, of the same names and types: see `bpf/kernels.h`. A skeleton fits one object only, so
//! that theirs is used for the types alone, and maps and programs are found by name.

use std::ptr::NonNull;

use anyhow::{Context as _, Result, ensure};
use libbpf_rs::libbpf_sys::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use libbpf_rs::{
    Map, MapCore as _, MapType, Object, ObjectBuilder, OpenMapMut, OpenObject, OpenProgramMut,
    ProgramMut,
};

use super::plan::Entrance;
use crate::bpf::{FRAMES, FRAMES_COMPILED, FRAMES_OLD, frames::types};

/// Programs that are not loaded yet.
pub(super) struct OpenFrames {
    object: OpenObject,
}

impl OpenFrames {
    /// `cookies`: whether the kernel has attach cookies, and what came with and before them.
    /// `compiled`: whether they are for an interpreter whose JIT is on.
    pub(super) fn open(cookies: bool, compiled: bool) -> Result<OpenFrames> {
        let form = match (cookies, compiled) {
            (_, true) => FRAMES_COMPILED,
            (true, false) => FRAMES,
            (false, false) => FRAMES_OLD,
        };
        let object = ObjectBuilder::default()
            .name("frames")
            .and_then(|builder| builder.open_memory(form))
            .context("failed to open the kernel programs")?;
        Ok(OpenFrames { object })
    }

    /// What the programs take for constants.
    pub(super) fn rodata(&mut self) -> Result<&mut types::rodata> {
        let data = self.data(".rodata", size_of::<types::rodata>())?;
        // SAFETY: memory of that size and, being a mapping, alignment, as long as the object is
        // borrowed. Any value of its bytes is one of the struct's.
        Ok(unsafe { data.cast().as_mut() })
    }

    /// A map, to be changed before it is made.
    pub(super) fn map(&mut self, name: &str) -> Result<OpenMapMut<'_>> {
        let mut maps = self.object.maps_mut();
        let found = maps.find(|map| map.name() == name);
        found.with_context(|| format!("no map {name}"))
    }

    /// Has all maps made whole at once: see [`preallocate()`].
    pub(super) fn preallocate(&mut self) -> Result<()> {
        self.object
            .maps_mut()
            .try_for_each(|mut map| preallocate(&mut map))
    }

    /// A program, to be set up.
    pub(super) fn program(&mut self, entrance: Entrance) -> Result<OpenProgramMut<'_>> {
        let name = entrance.program();
        let mut programs = self.object.progs_mut();
        let found = programs.find(|program| program.name() == name);
        found.with_context(|| format!("no program {name}"))
    }

    /// Has the kernel verify and compile them.
    pub(super) fn load(mut self) -> Result<Frames> {
        let bss = self.data(".bss", size_of::<types::bss>())?.cast();
        let object = self.object.load();
        let object = object.map_err(super::not_loaded)?;
        // libbpf has put the kernel's memory where its own was (bpf_object__populate_internal_map()),
        // unless the kernel can't share it.
        let is_mapped = object.maps().any(|map| {
            let flags = map.info().map(|info| info.info.map_flags);
            map.name().to_string_lossy().ends_with(".bss")
                && flags.is_ok_and(|flags| flags & BPF_F_MMAPABLE != 0)
        });
        ensure!(is_mapped, "bss is not mapped");
        Ok(Frames { object, bss })
    }

    /// The memory of a section.
    fn data(&mut self, section: &str, size: usize) -> Result<NonNull<u8>> {
        let mut maps = self.object.maps_mut();
        let map = maps.find(|map| map.name().to_string_lossy().ends_with(section));
        let mut map = map.with_context(|| format!("no section {section}"))?;
        let data = map.initial_value_mut();
        let data = data.with_context(|| format!("section {section} is not mapped"))?;
        // The struct has padding at its end, the section none; the mapping is of whole pages.
        let whole = data.len().next_multiple_of(align_of::<u64>());
        ensure!(
            whole == size,
            "section {section} is of {whole} bytes, not {size}"
        );
        Ok(NonNull::from(data).cast())
    }
}

/// Has a hash map take all its memory when it is made, with room for fewer entries.
///
/// Else a kernel before 6.1 warns of programs that trace and have maps that grow, with a call trace in
/// its log, or a panic where `kernel.panic_on_warn` is set (kernel/bpf/verifier.c,
/// check_map_prog_compatibility(); gone with 34dd3bad1a6f).
pub(super) fn preallocate(map: &mut OpenMapMut<'_>) -> Result<()> {
    const BYTES_MAX: u32 = 16 << 20;
    /// What an entry takes beside its value.
    const HEAD: u32 = 64;
    if map.map_type() != MapType::Hash || map.map_flags() & BPF_F_NO_PREALLOC == 0 {
        return Ok(());
    }
    let room = BYTES_MAX / (map.value_size() + HEAD);
    map.set_map_flags(map.map_flags() & !BPF_F_NO_PREALLOC)
        .and_then(|()| map.set_max_entries(map.max_entries().min(room)))
        .context("failed to size a map")
}

/// Loaded programs.
pub(super) struct Frames {
    object: Object,
    /// Memory shared with the programs; it lasts as long as the object.
    bss: NonNull<types::bss>,
}

impl Frames {
    /// A map.
    pub(super) fn map(&self, name: &str) -> Result<Map<'_>> {
        let found = self.object.maps().find(|map| map.name() == name);
        found.with_context(|| format!("no map {name}"))
    }

    /// A program.
    pub(super) fn program(&self, entrance: Entrance) -> Result<ProgramMut<'_>> {
        let name = entrance.program();
        let mut programs = self.object.progs_mut();
        let found = programs.find(|program| program.name() == name);
        found.with_context(|| format!("no program {name}"))
    }

    /// The programs' variables, which they change meanwhile.
    pub(super) fn bss(&self) -> NonNull<types::bss> {
        self.bss
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::types;
    use crate::bpf::frames_old::types as old;

    #[test]
    fn both_forms_have_their_variables_in_the_same_places() {
        assert_eq!(size_of::<types::bss>(), size_of::<old::bss>());
        assert_eq!(size_of::<types::rodata>(), size_of::<old::rodata>());
        macro_rules! same {
            ($section:ident: $($field:ident),*) => {$(
                let places = (
                    offset_of!(types::$section, $field),
                    offset_of!(old::$section, $field),
                );
                assert_eq!(places.0, places.1, stringify!($field));
            )*};
        }
        same!(bss: recorded, seen, checks, lost_total, lost_unjudged, outside);
        same!(rodata: plan, values, ring_bytes, own_group, may_resume_all, own_uid);
    }
}
