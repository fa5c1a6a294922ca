//! CPythons that are newer than pytrace: made of the newest that it knows. Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;
#[path = "common/twice.rs"]
mod twice;
#[path = "common/wrong_plans.rs"]
mod wrong_plans;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pytrace::cpython::{self, Choice, Found, Interpreter, Plan, PlanError};
use run::Place;
use serde_json::Value;
use twice::{Debian, OF_INTERPRETERS, Twice};

/// A copy of 3.15 that says that it is 3.16, with changes that it might come with.
struct Newer {
    debian: Debian,
    binary: Vec<u8>,
    /// Where its debug offsets are.
    offsets: usize,
}

impl Newer {
    fn new() -> Newer {
        let debian = Debian::new("sid", "/usr/bin/python3.15");
        let binary = fs::read(debian.root.join(&debian.python[1..])).unwrap();
        // The cookie and PY_VERSION_HEX.
        let is_start = |at: &usize| {
            binary[*at..].starts_with(b"xdebugpy")
                && binary[at + 10..at + 16] == [15, 3, 0, 0, 0, 0]
        };
        let offsets = (0..binary.len() - 16).find(is_start).unwrap();
        let mut newer = Newer {
            debian,
            binary,
            offsets,
        };
        newer.binary[offsets + 10] = 16;
        newer
    }

    /// Its debug offsets have a word more, at this place.
    fn with_word_at(mut self, word: usize) -> Newer {
        let start = self.offsets + 8 * word;
        let end = self.offsets + 8 * 120;
        self.binary.copy_within(start..end - 8, start + 8);
        self
    }

    /// Its table of opcodes' names is not exported.
    fn without_names(mut self) -> Newer {
        let name = b"\0_PyOpcode_OpName\0";
        let mut places = self.binary.windows(name.len());
        let at = places.position(|bytes| bytes == name).unwrap();
        self.binary[at + 1..at + name.len() - 1].fill(b'-');
        self
    }

    /// How it is to be traced, with this text as its library's `_opcode_metadata`.
    fn plan(&self, module: &str) -> Result<Plan, PlanError> {
        let place = Place::new();
        fs::create_dir(place.path("bin")).unwrap();
        fs::create_dir_all(place.path("lib/python3.16")).unwrap();
        place.write("lib/python3.16/_opcode_metadata.py", module);
        let file = place.write("bin/python3.16", &self.binary);
        match Interpreter::open(file).unwrap() {
            Found::Interpreter(interpreter) => cpython::plan(&interpreter, Choice::Dispatch),
            found => panic!("{found:?}"),
        }
    }

    fn run(&self) -> Twice {
        self.in_place(|python| self.debian.run(&Place::new(), python))
    }

    /// Recorded by a plan that is wrong, see `tests/tools/wrong_plans.rs`.
    fn run_wrongly(&self, fault: &str) -> Twice {
        let program = wrong_plans::program();
        // With what it calls as it starts, by which the plan is judged, and which is frozen otherwise:
        // of no directory.
        let recorder = [
            "env",
            "PYTHON_FROZEN_MODULES=off",
            program.to_str().unwrap(),
            fault,
            "--scope",
            "/usr/lib/python3.15",
        ];
        self.in_place(|python| {
            let place = Place::new();
            let program = "interpreters.py";
            self.debian.run_by(&place, python, program, &recorder)
        })
    }

    /// Does something with it while it lies where its library is found, under this path.
    fn in_place(&self, run: impl FnOnce(&str) -> Twice) -> Twice {
        let inside = tempfile::Builder::new()
            .prefix("python3.16-")
            .tempfile_in(self.debian.root.join("usr/bin"))
            .unwrap();
        fs::write(inside.path(), &self.binary).unwrap();
        let path = inside.into_temp_path();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let seen = Path::new("/").join(path.strip_prefix(&self.debian.root).unwrap());
        run(seen.to_str().unwrap())
    }
}

const NEWER_THAN_KNOWN: &str = "pytrace: CPython 3.16.2 is newer than this pytrace";

#[test]
#[ignore = "needs root and eBPF"]
fn a_newer_version_is_traced_that_tells_what_it_takes() {
    let twice = Newer::new().run();
    twice.is_whole(&OF_INTERPRETERS, 4, 7000);
    let said = &twice.ran.stderr;
    assert!(said.contains(NEWER_THAN_KNOWN), "{said}");
    assert_eq!(twice.trace.footer()["interpreters"][0]["plan"], "dispatch");
    let has_values = |event: &Value| event["args"]["arguments"]["n"] == "20";
    assert!(twice.trace.events().any(has_values), "{said}");
}

#[test]
#[ignore = "needs root and eBPF"]
fn of_a_newer_version_that_contradicts_itself_only_names_are_taken() {
    let newer = [
        ("frames", Newer::new().with_word_at(30)),
        ("objects", Newer::new().with_word_at(60)),
        ("no names", Newer::new().without_names()),
    ];
    for (what, newer) in newer {
        let twice = newer.run();
        let said = &twice.ran.stderr;
        assert!(said.contains(NEWER_THAN_KNOWN), "{what}: {said}");
        let footer = twice.trace.footer();
        assert_eq!(footer["interpreters"][0]["plan"], "usdt", "{what}: {said}");
        assert!(said.contains("only names are known"), "{what}: {said}");
        let named = |name| {
            twice
                .trace
                .events()
                .filter(|event| event["name"] == name)
                .count()
        };
        let called = twice.truth.iter().flatten();
        let fibonacci = called.filter(|name| *name == "fibonacci").count();
        assert_eq!(named("fibonacci"), fibonacci, "{what}: {said}");
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn what_a_wrong_plan_tells_of_a_newer_version_is_left_out() {
    let twice = Newer::new().run_wrongly("site:RETURN_VALUE");
    let said = &twice.ran.stderr;
    for part in [
        "starts and ends do not go together",
        "going over to the function that pops its frames",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let incomplete = &twice.trace.footer()["incomplete"];
    assert_eq!(incomplete["replanned"], 1);
    // How many calls it had told by then, of what Python runs as it starts, is a matter of time, and may
    // be none.
    let left_out = incomplete["unproved"].as_u64().unwrap_or(0);
    for part in [
        " left out: nothing shows that what its probes tell is right",
        " left out, as nothing shows that their probes were right",
    ] {
        assert_eq!(said.contains(part), left_out > 0, "{part}: {said}");
    }
    // None of them is there. The program itself is seen as it should be.
    twice.is_whole(&OF_INTERPRETERS, 4, 7000);
}

#[test]
#[ignore = "needs root"]
fn opcodes_that_only_the_standard_library_tells_have_to_agree_with_the_binary() {
    let newer = Newer::new().without_names();
    let library = newer.debian.root.join("usr/lib/python3.15");
    let module = fs::read_to_string(library.join("_opcode_metadata.py")).unwrap();
    let plan = newer.plan(&module).unwrap();
    let original = Newer::new().plan("").unwrap();
    assert_eq!(plan.probes, original.probes);
    assert_eq!(plan.resumes, original.resumes);

    let number = |name: &str| -> &str {
        let start = format!("\n    {name}=");
        module
            .split(&start)
            .nth(1)
            .unwrap()
            .split(',')
            .next()
            .unwrap()
    };
    for (one, other) in [
        ("RESUME", "NOP"),
        ("RETURN_VALUE", "POP_TOP"),
        ("YIELD_VALUE", "SWAP"),
        ("RESUME_CHECK", "BINARY_OP_ADD_INT"),
    ] {
        let line = |name: &str, number: &str| format!("\n    {name}={number},");
        let (of_one, of_other) = (number(one), number(other));
        let renumbered = module
            .replace(&line(one, of_one), &line(one, of_other))
            .replace(&line(other, of_other), &line(other, of_one));
        assert_ne!(renumbered, module);
        let error = newer.plan(&renumbered).expect_err(one).to_string();
        assert!(
            error.contains("tells others than it uses"),
            "{one}: {error}"
        );
    }
}
