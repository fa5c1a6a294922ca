//! What a recording leaves behind: nothing, however it ends and however often. Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/attach.rs"]
mod attach;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use attach::{Recording, Target, python};
use libbpf_rs::query::{LinkInfoIter, MapInfoIter, ProgInfoIter};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pytrace::cpython::{self, Choice, Found, Interpreter};
use pytrace::preflight::Machine;
use pytrace::record::examine;
use pytrace::tracer::{Settings, Storage, Tracer};

/// What the kernel may take to remove the probes of a pytrace that was killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A kernel object: its kind, as `/proc/PID/fdinfo` names it, and its id.
type Object = (&'static str, u32);

const PROGRAM: &str = "prog_id";
const MAP: &str = "map_id";
const LINK: &str = "link_id";

/// The BPF objects that a process has open.
fn objects_of(pid: u32) -> BTreeSet<Object> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .unwrap()
        .flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let mut objects = BTreeSet::new();
    for line in texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
        for kind in [PROGRAM, MAP, LINK] {
            let id = line.strip_prefix(kind).and_then(|id| id.strip_prefix(':'));
            objects.extend(id.and_then(|id| Some((kind, id.trim().parse().ok()?))));
        }
    }
    objects
}

/// Those that there are.
fn objects() -> BTreeSet<Object> {
    let programs = ProgInfoIter::default().map(|program| (PROGRAM, program.id));
    let maps = MapInfoIter::default().map(|map| (MAP, map.id));
    let links = LinkInfoIter::default().map(|link| (LINK, link.id));
    programs.chain(maps).chain(links).collect()
}

fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let ids = children.split_whitespace();
    ids.map(|id| id.parse().unwrap()).collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a target has of its own: resident memory and page tables in KiB, threads, mappings made for
/// probes.
#[derive(Debug, Clone, Copy)]
struct Size {
    resident: u64,
    tables: u64,
    threads: u64,
    probe_areas: usize,
}

impl Size {
    fn of(target: &Target) -> Size {
        let status = fs::read_to_string(format!("/proc/{}/status", target.pid())).unwrap();
        let number = |name| {
            let mut lines = status.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)).unwrap();
            value.split_whitespace().next().unwrap().parse().unwrap()
        };
        let maps = fs::read_to_string(format!("/proc/{}/maps", target.pid())).unwrap();
        Size {
            resident: number("VmRSS:"),
            tables: number("VmPTE:"),
            threads: number("Threads:"),
            probe_areas: maps.matches("[uprobes]").count(),
        }
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn nothing_is_left_of_a_recording_however_it_ends() {
    for end in [
        None,
        Some(Signal::SIGINT),
        Some(Signal::SIGTERM),
        Some(Signal::SIGKILL),
    ] {
        let mut target = Target::start(python("busy.py", &[]));
        let duration: &[&str] = match end {
            None => &["--duration", "2s"],
            Some(_) => &[],
        };
        let recording = Recording::begin(&[&target], duration);
        let pytrace = recording.id();
        let (helpers, used) = (children(pytrace), objects_of(pytrace));
        for kind in [PROGRAM, MAP, LINK] {
            assert!(used.iter().any(|object| object.0 == kind), "{used:?}");
        }
        assert!(used.is_subset(&objects()));
        assert_eq!(helpers.len(), 1, "the watchdog");
        if let Some(signal) = end {
            kill(Pid::from_raw(pytrace.cast_signed()), signal).unwrap();
        }
        let recorded = recording.wait();
        let code = (end != Some(Signal::SIGKILL)).then_some(0);
        assert_eq!(recorded.code, code, "{end:?}: {}", recorded.messages);
        if end == Some(Signal::SIGKILL) {
            eventually("the probes to be gone", || target.probes().0 == 0);
            eventually("the objects to be gone", || used.is_disjoint(&objects()));
            let watchdog = format!("/proc/{}", helpers[0]);
            eventually("the watchdog to be gone", || !Path::new(&watchdog).exists());
        }
        assert_eq!(target.probes().0, 0, "{end:?}");
        // The kernel frees what nobody has open any more a moment later.
        eventually("the objects to be gone", || used.is_disjoint(&objects()));
        assert!(
            !Path::new(&format!("/proc/{}", helpers[0])).exists(),
            "{end:?}"
        );
        assert!(target.is_alive());
        assert_eq!(target.end().0.code(), Some(7));
    }
}

/// How often: fifty times in the tests, a thousand by `make test-endurance`.
fn cycles() -> usize {
    std::env::var("PYTRACE_CYCLES").map_or(50, |cycles| cycles.parse().unwrap())
}

/// What a busy program has before and after something was done to it that often.
fn compare(target: &Target, cycles: usize, mut cycle: impl FnMut(usize)) {
    // The first makes what the kernel keeps: pages of code of the process's own, and the area
    // from which probed instructions are executed.
    cycle(0);
    let (before, begun) = (Size::of(target), Instant::now());
    for number in 1..=cycles {
        cycle(number);
    }
    let (after, took) = (Size::of(target), begun.elapsed());
    println!("{cycles} times in {took:.0?}: {before:?}, then {after:?}");
    assert_eq!(target.probes().0, 0);
    assert_eq!(after.threads, before.threads);
    assert!(after.probe_areas <= 1, "{after:?}");
    // A page lost each time would be more.
    assert!(
        after.resident < before.resident + 160,
        "{before:?} {after:?}"
    );
    assert!(after.tables <= before.tables + 16, "{before:?} {after:?}");
}

#[test]
#[ignore = "needs root and BPF"]
fn recordings_again_and_again_cost_the_program_nothing() {
    let mut target = Target::start(python("standing.py", &[]));
    // A scope without code, mostly: the probes fire as often, and there is little to write.
    let nothing = tempfile::tempdir().unwrap();
    let nothing = nothing.path().to_str().unwrap();
    compare(&target, cycles(), |cycle| {
        let duration = ["1ms", "20ms"][cycle % 2];
        let scope: &[&str] = if cycle % 5 == 0 {
            &[]
        } else {
            &["--scope", nothing]
        };
        let args = [&["--duration", duration], scope].concat();
        let recorded = Recording::start(&[&target], &args).wait();
        assert_eq!(recorded.code, Some(0), "{cycle}: {}", recorded.messages);
    });
    assert!(target.is_alive());
    assert!(target.end().0.success());
}

#[test]
#[ignore = "needs root and BPF"]
fn probes_again_and_again_cost_the_program_nothing() {
    let mut target = Target::start(python("standing.py", &[]));
    let machine = Machine::look();
    let mut storage = Storage::default();
    let settings = Settings {
        only_user: None,
        attach_cookies: machine.attach_cookies,
        preallocate: false,
        private_stacks: machine.private_stacks(),
        ring_bytes: 1 << 20,
        external_calls: true,
        uprobe_multi: machine.multi_probes(),
        signals_tasks: false,
        follow: false,
        values: None,
    };
    let mut tracer = Tracer::load(&mut storage, settings).unwrap();
    let file = examine::of_process(target.pid()).unwrap();
    let Found::Interpreter(interpreter) = Interpreter::open(&file).unwrap() else {
        panic!("{} is no interpreter", file.display());
    };
    let plan = cpython::plan(&interpreter, Choice::Auto).unwrap();
    let build = tracer.load_build(&plan).unwrap();
    let own = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = own();
    compare(&target, cycles(), |cycle| {
        let probes = tracer.attach(build, &plan, target.pid(), &file).unwrap();
        if cycle % 10 == 0 {
            // Not all: some are for values only.
            assert_ne!(target.probes().0, 0);
        }
        std::thread::sleep(Duration::from_millis(1));
        drop(probes);
    });
    assert_eq!(own(), before);
    assert!(target.is_alive());
    assert!(target.end().0.success());
}
