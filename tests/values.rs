//! What calls were given, gave back and raised: bounds, secrets, and memory that leads nowhere.
//! That values are right is for `tests/truth`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::fs;
use std::path::Path;

use run::{PYTHON, Place, Ran, Trace, shown};
use serde_json::{Value, json};

/// More than any event takes: a record's bytes are bounded, and each becomes at most an escape.
const EVENT_BYTES: usize = 64 * 1024;

/// Two calls that have everything.
const EVERYTHING: &str = "\
def given(a, b=2, *c, d, **e):
    return [a, b]
def fails(x):
    raise ValueError('why')
def items(n):
    yield n
given('text', d={'k': 1}, f=None)
try: fails(1.5)
except ValueError: pass
list(items(3))
";

/// Secrets wherever one may be. All are made from parts, so that no source line has one.
const SECRETS: &str = "\
secret = 'hun' + 'ter2'
class Account:
    def __init__(self, name, password):
        self.name, self.password = name, password
class Slots:
    __slots__ = ('api_key',)
def login(user, password): return None
def connect(**options): return None
def call(headers, *, token='hun' + 'ter2', DB_PASSWD=secret): return None
def use(account): return None
def pin(number): return None
slots = Slots()
slots.api_key = secret
login('me', secret)
connect(host='here', password=secret, Authorization=secret, access_token=[secret])
call({'Authorization': secret, 'Accept': 'all', 'deep': {'secret': secret}})
use(Account('me', secret))
use([slots, {'passwd': secret}])
use(slots)
pin(secret[::-1])
";
const SECRET: &str = "hunter2";
const PIN: &str = "2retnuh";

/// A child that has nothing but what a fork copies: pages of files, such as those with the names of C's
/// types, are not in its memory before it touches them.
const FORKED: &str = "\
import os
class Account:
    def __init__(self, password): self.password = password
def given(*values): return values
def login(user, password, share): return [user, share]
def fails(): raise KeyError('k')
login('parent', 1, 2)
if os.fork() == 0:
    login('child', 'hun' + 'ter2', 0.5)
    given('text', 7, True, None, 2.5, b'b', [1], {'password': 8, 'x': 1})
    given(Account('hun' + 'ter2'), ValueError('why'))
    try: fails()
    except KeyError: pass
    os._exit(0)
os.wait()
";

/// `pytrace ARGS -o t.json x.py` has run well; its trace.
fn record(place: &Place, args: &[&str]) -> Trace {
    let ran = place.run(place.python(&[args, &["-o", "t.json", "x.py"]].concat()));
    ran.recorded(0, &[]);
    place.trace("t.json")
}

/// The members of the events of functions of that name.
fn args<'a>(trace: &'a Trace, name: &str) -> Vec<&'a Value> {
    let of_name = trace.events().filter(|event| event["name"] == name);
    of_name.map(|event| &event["args"]).collect()
}

/// Those of the only one.
#[track_caller]
fn the_args<'a>(trace: &'a Trace, name: &str) -> &'a Value {
    match args(trace, name)[..] {
        [only] => only,
        ref several => panic!("{} calls of {name}", several.len()),
    }
}

#[track_caller]
fn ended_well(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.text(), ran.stderr);
}

#[test]
#[ignore = "needs root and BPF"]
fn calls_have_their_values() {
    let place = Place::with(EVERYTHING);
    let trace = record(&place, &[]);
    let given = the_args(&trace, "given");
    assert_eq!(
        given["arguments"].to_string(),
        json!({"a": "'text'", "b": "2", "c": "tuple[0] ()", "d": "dict[1] {'k': 1}",
               "e": "dict[1] {'f': None}"})
        .to_string()
    );
    assert_eq!(given["return"], "list[2] ['text', 2]");
    assert_eq!(given["yielded"], Value::Null);
    let fails = the_args(&trace, "fails");
    assert_eq!(fails["arguments"], json!({"x": "1.5"}));
    assert_eq!(fails["exception"], "ValueError");
    assert_eq!(fails["message"], "why");
    assert_eq!(fails["return"], Value::Null);
    let [start, resumption] = args(&trace, "items")[..] else {
        panic!("{}", trace.shown);
    };
    assert_eq!(start["arguments"], json!({"n": "3"}));
    assert_eq!(start["return"], "3");
    assert_eq!(start["yielded"], true);
    assert_eq!(resumption["arguments"], Value::Null);
    assert_eq!(resumption["return"], "None");
    assert_eq!(resumption["yielded"], Value::Null);
    let line = "given(a='text', b=2, c=tuple[0] (), d=dict[1] {'k': 1}, e=dict[1] {'f': None})";
    assert!(trace.shown.contains(line), "{}", trace.shown);
    assert!(trace.shown.contains("fails(x=1.5)"), "{}", trace.shown);
}

#[test]
#[ignore = "needs root and BPF"]
fn without_values_there_are_none() {
    let place = Place::with(EVERYTHING);
    let trace = record(&place, &["--no-arg-values"]);
    // Without resumptions.
    assert_eq!(trace.calls(), ["<module>", "  given", "  fails", "  items"]);
    for event in trace.events() {
        for member in ["arguments", "return", "yielded", "message"] {
            assert_eq!(event["args"][member], Value::Null, "{event}");
        }
    }
    assert_eq!(the_args(&trace, "fails")["exception"], "ValueError");
}

/// The trace file as it is, and the tree that is printed without one.
fn all_that_is_written(place: &Place, args: &[&str]) -> (String, String) {
    record(place, args);
    let file = fs::read_to_string(place.path("t.json")).unwrap();
    let ran = place.run(place.python(&[args, &["x.py"]].concat()));
    ended_well(&ran);
    (file, ran.text())
}

#[test]
#[ignore = "needs root and BPF"]
fn secrets_are_written_nowhere() {
    let place = Place::with(SECRETS);
    let (file, tree) = all_that_is_written(&place, &[]);
    for text in [&file, &tree] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(text.contains("<redacted>"), "{text}");
    }
    // What is beside them is there.
    for text in ["'me'", "'here'", "'all'", PIN] {
        assert!(file.contains(text), "{text}\n{file}");
    }
    let trace = place.trace("t.json");
    assert_eq!(
        the_args(&trace, "login")["arguments"],
        json!({"user": "'me'", "password": "<redacted>"})
    );
    assert_eq!(
        the_args(&trace, "Account.__init__")["arguments"]["password"],
        "<redacted>"
    );
}

#[test]
#[ignore = "needs root and BPF"]
fn which_names_are_secret_can_be_said() {
    let place = Place::with(SECRETS);
    let (file, tree) = all_that_is_written(&place, &["--redact", "^number$"]);
    for text in [file, tree] {
        assert!(!text.contains(PIN), "{text}");
        assert!(text.contains(SECRET), "{text}");
    }
    let (file, tree) = all_that_is_written(&place, &["--no-redact"]);
    for text in [file, tree] {
        assert!(!text.contains("<redacted>"), "{text}");
        assert!(text.contains(PIN) && text.contains(SECRET), "{text}");
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn limits_are_kept() {
    let place = Place::with(
        "def f(x): return x\n\
         f('x' * 5000)\nf(list(range(100)))\nf([[[[1]]]])\nf({n: 'y' * 90 for n in range(90)})\n",
    );
    let texts = |args: &[&str]| -> Vec<String> {
        let trace = record(&place, args);
        let calls = self::args(&trace, "f");
        assert!(
            calls
                .iter()
                .all(|args| args["return"] == args["arguments"]["x"])
        );
        let text = |args: &&Value| args["return"].as_str().unwrap().to_owned();
        calls.iter().map(text).collect()
    };
    let few = texts(&["--max-string", "2", "--max-items", "1", "--max-depth", "1"]);
    assert_eq!(
        few,
        [
            "str[5000] 'xx…'",
            "list[100] [0, …]",
            "list[1] [list[1] […]]",
            "dict[90] {0: str[90] 'yy…', …}"
        ]
    );
    let many = texts(&[
        "--max-string",
        "1024",
        "--max-items",
        "32",
        "--max-depth",
        "8",
    ]);
    assert_eq!(many[0], format!("str[5000] '{}…'", "x".repeat(1024)));
    assert!(many[1].ends_with(" 30, 31, …]"), "{}", many[1]);
    assert_eq!(many[2], "list[1] [[[[1]]]]");
    let none = texts(&["--max-string", "0", "--max-items", "0", "--max-depth", "0"]);
    assert_eq!(
        none,
        [
            "str[5000] '…'",
            "list[100] […]",
            "list[1] […]",
            "dict[90] {…}"
        ]
    );
    for text in texts(&["--max-bytes", "256", "--max-string", "1024"]) {
        assert!(text.len() < 2048, "{text}");
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn forked_children_have_values_and_no_secrets() {
    let place = Place::with(FORKED);
    let trace = record(&place, &["--no-external-calls", "--max-items", "8"]);
    let [parent, child] = args(&trace, "login")[..] else {
        panic!("{}", trace.shown);
    };
    let expected = |user, share| json!({"user": user, "password": "<redacted>", "share": share});
    assert_eq!(parent["arguments"], expected("'parent'", "2"));
    assert_eq!(child["arguments"], expected("'child'", "0.5"));
    assert_eq!(child["return"], "list[2] ['child', 0.5]");
    let [plain, objects] = args(&trace, "given")[..] else {
        panic!("{}", trace.shown);
    };
    assert_eq!(
        plain["return"],
        "tuple[8] ('text', 7, True, None, 2.5, b'b', [1], {'password': <redacted>, 'x': 1})"
    );
    assert_eq!(
        objects["return"],
        "tuple[2] (<Account password=<redacted>>, ValueError('why'))"
    );
    let fails = the_args(&trace, "fails");
    assert_eq!(
        (&fails["exception"], &fails["message"]),
        (&json!("KeyError"), &json!("k"))
    );
    let whole = fs::read_to_string(place.path("t.json")).unwrap();
    assert!(!whole.contains(SECRET), "{whole}");
}

#[test]
#[ignore = "needs root and BPF"]
fn programs_that_run_already_have_values_too() {
    let place = Place::with(
        "import time\n\
         def f(a, *, b): time.sleep(0.005); return {'a': a}\n\
         print('up', flush=True)\n\
         while True: f('text', b=[1, 2])\n",
    );
    let running = place.start(place.command(PYTHON, &["x.py"]));
    running.line("up");
    let pid = running.id().to_string();
    let attach = ["--pid", &pid, "--duration", "500ms", "-o", "t.json"];
    ended_well(&place.run(place.pytrace(&attach)));
    let trace = place.trace("t.json");
    let calls = args(&trace, "f");
    assert!(calls.len() > 10, "{}", calls.len());
    for args in calls {
        if args["already_running"] == true || args["unfinished"] == true {
            continue;
        }
        assert_eq!(
            args["arguments"],
            json!({"a": "'text'", "b": "list[2] [1, 2]"})
        );
        assert_eq!(args["return"], "dict[1] {'a': 'text'}");
    }
}

/// Runs one of `tests/programs/values`; the trace, and what the program has counted.
fn run_program(place: &Place, name: &str) -> (Trace, Value) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/values");
    let program = shown(&program.join(name));
    let counts = place.path("counts.json");
    let mut command = place.python(&["-o", "t.json", &program]);
    command.env("PYTRACE_COUNTS", &counts);
    ended_well(&place.run(command));
    let counts = serde_json::from_slice(&fs::read(counts).unwrap()).unwrap();
    (place.trace("t.json"), counts)
}

#[track_caller]
fn has_counted(trace: &Trace, counts: &Value) {
    assert_eq!(trace.footer()["lost"], 0);
    for (name, count) in counts["counts"].as_object().unwrap() {
        let names = trace.events().filter_map(|event| event["name"].as_str());
        let found = names.filter(|found| found.rsplit('.').next() == Some(name));
        assert_eq!(found.count() as u64, count.as_u64().unwrap(), "{name}");
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn no_code_of_the_program_is_run() {
    let place = Place::new();
    let (trace, counts) = run_program(&place, "no_code.py");
    has_counted(&trace, &counts);
}

#[test]
#[ignore = "needs root and BPF"]
fn broken_memory_costs_no_call_and_no_room() {
    let place = Place::new();
    let (trace, counts) = run_program(&place, "hostile.py");
    has_counted(&trace, &counts);
    let file = fs::read_to_string(place.path("t.json")).unwrap();
    let longest = file.lines().max_by_key(|line| line.len()).unwrap();
    assert!(longest.len() < EVENT_BYTES, "{longest}");
    assert!(file.contains("<unreadable>"));
    // What terminals would obey is in no line of the tree.
    let is_plain = |c: char| !c.is_control() || c == '\n';
    assert!(trace.shown.chars().all(is_plain));
    // None of its calls is without its arguments.
    for args in args(&trace, "take") {
        assert!(args["arguments"]["thing"].is_string(), "{args}");
    }
}
