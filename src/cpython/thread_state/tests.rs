use super::*;
use crate::cpython::tests;

/// An accessor as CPython has it, and the same behind another function.
const SOURCE: &str = "
    __thread void *_Py_tss_tstate MODEL;
    static __attribute__((noinline)) void *current_fast_get(void) { return _Py_tss_tstate; }
    void *_PyThreadState_UncheckedGet(void) { return current_fast_get(); }
    void set(void *tstate) { _Py_tss_tstate = tstate; }
";

/// What is found in `SOURCE`, built as a shared library.
fn found(arguments: &[&str]) -> (Elf, Option<ThreadStateSource>) {
    let elf = tests::library(SOURCE, arguments);
    let version = Version {
        major: 3,
        minor: 13,
        micro: None,
    };
    let found = find(&elf, version);
    (elf, found)
}

fn is_in_got(elf: &Elf, address: u64) -> bool {
    elf.sections()
        .iter()
        .any(|section| section.name.starts_with(".got") && section.contains(address))
}

const GLOBAL_DYNAMIC: &str = "-DMODEL=";
const LOCAL_DYNAMIC: &str =
    "-DMODEL=__attribute__((visibility(\"hidden\"),tls_model(\"local-dynamic\")))";

#[test]
fn a_shared_librarys_thread_local_is_found_by_its_index() {
    for arguments in [
        &[GLOBAL_DYNAMIC] as &[&str],
        &[GLOBAL_DYNAMIC, "-fno-plt"],
        &[LOCAL_DYNAMIC],
        &[LOCAL_DYNAMIC, "-fcf-protection", "-fno-omit-frame-pointer"],
    ] {
        let (elf, found) = found(arguments);
        let Some(ThreadStateSource::Indexed { index, offset }) = found else {
            panic!("{arguments:?}: {found:?}");
        };
        assert!(is_in_got(&elf, index), "{arguments:?}");
        assert_eq!(offset, 0, "{arguments:?}: the only variable");
    }
}

#[test]
fn a_shared_librarys_thread_local_is_found_by_its_descriptor() {
    let (elf, found) = found(&[GLOBAL_DYNAMIC, "-mtls-dialect=gnu2"]);
    let Some(ThreadStateSource::Described { descriptor, offset }) = found else {
        panic!("{found:?}");
    };
    assert!(is_in_got(&elf, descriptor));
    assert_eq!(offset, 0);
}

#[test]
fn a_c_library_whose_storage_is_unknown_is_not_guessed_at() {
    let (_, found) = found(&[GLOBAL_DYNAMIC, "-nostdlib"]);
    assert_eq!(found, None);
}
