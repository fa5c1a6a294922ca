mod subcommands;

use super::*;
use crate::error::{USAGE as EXIT_USAGE, exit_code, report};

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn recorded(line: &str) -> RecordOptions {
    match parse(words(line)) {
        Ok(Command::Record(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    let error = parse(words(line)).expect_err(line);
    assert_eq!(exit_code(&error), EXIT_USAGE, "{line}");
    report(&error)
}

fn script(path: &str, args: &str) -> Target {
    Target::Script {
        path: path.into(),
        args: words(args),
    }
}

#[test]
fn every_form_names_its_target() {
    let command = |program: &str, args: &str| Target::Command {
        program: program.into(),
        args: words(args),
    };
    let module = |name: &str, args: &str| Target::Module {
        name: name.into(),
        args: words(args),
    };
    let code = |code: &str, args: &str| Target::Code {
        code: code.into(),
        args: words(args),
    };
    for (line, target) in [
        ("s.py", script("s.py", "")),
        ("s.py a --flag -x", script("s.py", "a --flag -x")),
        ("-", script("-", "")),
        ("-m http.server 80", module("http.server", "80")),
        ("-mhttp.server 80", module("http.server", "80")),
        ("-m mod -m other -c x", module("mod", "-m other -c x")),
        ("-c pass -c", code("pass", "-c")),
        ("-cpass", code("pass", "")),
        ("-- ls -l", command("ls", "-l")),
        ("-- python3 s.py -o x", command("python3", "s.py -o x")),
        ("-- s.py -- y", command("s.py", "-- y")),
        ("-o t.json -- show", command("show", "")),
        ("--pid 7", Target::Processes(vec![7])),
        ("--pid 7 --pid=8 --pid 7", Target::Processes(vec![7, 8])),
        ("./show", script("./show", "")),
        ("--no-imports serve", script("serve", "")),
        ("--no-imports show", script("show", "")),
        ("help", script("help", "")),
        ("-o show s.py", script("s.py", "")),
        ("--scope doctor s.py", script("s.py", "")),
    ] {
        assert_eq!(recorded(line).target, target, "{line}");
    }
}

#[test]
fn defaults_leave_everything_to_the_recorder() {
    assert_eq!(
        recorded("s.py"),
        RecordOptions {
            target: script("s.py", ""),
            output: None,
            scope: vec![],
            external_calls: true,
            c_calls: false,
            imports: true,
            values: Some(ValueOptions {
                limits: Limits {
                    max_string: 80,
                    max_items: 3,
                    max_depth: 2,
                    max_bytes: 4096,
                },
                redact: Redact::Default,
            }),
            python: None,
            duration: None,
            follow: true,
            probes: Choice::Auto,
            selective: false,
            as_root: false,
            exact_yields: false,
            ring_size_mib: None,
            lossless: true,
            taken_from_script_args: vec![],
        }
    );
}

#[test]
fn all_options_are_understood_in_front_of_the_script() {
    let options = recorded(
        "-o t.json --scope a --scope=b --no-external-calls --no-imports --no-arg-values \
         --python p/bin/python \
         --duration 500ms --no-follow --probes dispatch --as-root --exact-yields --ring-size 64 \
         s.py x",
    );
    assert_eq!(
        options,
        RecordOptions {
            target: script("s.py", "x"),
            output: Some("t.json".into()),
            scope: vec!["a".into(), "b".into()],
            external_calls: false,
            c_calls: false,
            imports: false,
            values: None,
            python: Some("p/bin/python".into()),
            duration: Some(Duration::from_millis(500)),
            follow: false,
            probes: Choice::Dispatch,
            selective: false,
            as_root: true,
            exact_yields: true,
            ring_size_mib: Some(64),
            lossless: true,
            taken_from_script_args: vec![],
        }
    );
    assert_eq!(recorded("--probes usdt s").probes, Choice::Usdt);
    assert_eq!(recorded("--probes auto s").probes, Choice::Auto);
    assert!(recorded("--selective s").selective);
    assert!(recorded("--selective --c-calls s").c_calls);
}

#[test]
fn four_options_are_taken_from_behind_the_script() {
    // (line, arguments that stay, output, scope, taken)
    for (line, args, output, scope, taken) in [
        ("s.py -o r.json", "", Some("r.json"), vec![], "-o r.json"),
        ("s.py -or.json", "", Some("r.json"), vec![], "-or.json"),
        ("s.py --output r", "", Some("r"), vec![], "--output r"),
        ("s.py --output=r", "", Some("r"), vec![], "--output=r"),
        (
            "s.py -o r.json --scope /project/src arg1 arg2",
            "arg1 arg2",
            Some("r.json"),
            vec!["/project/src"],
            "-o r.json --scope /project/src",
        ),
        (
            "s.py a --scope=x b --scope y c",
            "a b c",
            None,
            vec!["x", "y"],
            "--scope=x --scope y",
        ),
        (
            "--scope a s.py --scope b",
            "",
            None,
            vec!["a", "b"],
            "--scope b",
        ),
        (
            "s.py --scopes x --outputs --out y",
            "--scopes x --outputs --out y",
            None,
            vec![],
            "",
        ),
        (
            "s.py --no-imports=1 -v -h",
            "--no-imports=1 -v -h",
            None,
            vec![],
            "",
        ),
        (
            "s.py --pid 3 --help --duration 1s",
            "--pid 3 --help --duration 1s",
            None,
            vec![],
            "",
        ),
        ("s.py - show -c -m", "- show -c -m", None, vec![], ""),
        ("s.py -- -o x", "-o x", None, vec![], ""),
        ("s.py a -- b -- -o x", "a b -- -o x", None, vec![], ""),
        ("s.py -o y -- -o x", "-o x", Some("y"), vec![], "-o y"),
        ("s.py --", "", None, vec![], ""),
    ] {
        for (prefix, kind) in [("", 0), ("-m ", 1), ("-c ", 2)] {
            let (options, script) = line.split_once("s.py").expect("a script");
            let line = format!("{options}{prefix}s.py{script}");
            let got = recorded(&line);
            match (kind, &got.target) {
                (0, Target::Script { args: got, .. })
                | (1, Target::Module { args: got, .. })
                | (2, Target::Code { args: got, .. }) => assert_eq!(*got, words(args), "{line}"),
                other => panic!("{line}: {other:?}"),
            }
            assert_eq!(got.output, output.map(PathBuf::from), "{line}");
            assert_eq!(
                got.scope,
                scope.iter().map(PathBuf::from).collect::<Vec<_>>(),
                "{line}"
            );
            assert_eq!(got.taken_from_script_args.join(" "), taken, "{line}");
        }
    }
    let flags = recorded("s.py --no-imports a --no-external-calls");
    assert!(!flags.imports && !flags.external_calls);
    assert_eq!(flags.target, script("s.py", "a"));
}

#[test]
fn values_are_bounded_and_redacted_as_asked() {
    let values = |line: &str| recorded(&format!("{line} s.py")).values.expect("values");
    assert_eq!(
        values("--max-string 0 --max-items=32 --max-depth 0 --max-bytes 16384").limits,
        Limits {
            max_string: 0,
            max_items: 32,
            max_depth: 0,
            max_bytes: 16384,
        }
    );
    for (line, redact) in [
        ("--no-redact", Redact::Off),
        ("--redact ^pin$", Redact::Pattern("^pin$".into())),
        (
            "--redact (?i)pin --redact=a|b",
            Redact::Pattern("(?:(?i)pin)|(?:a|b)".into()),
        ),
    ] {
        let options = values(line);
        assert_eq!(options.redact, redact, "{line}");
        assert_eq!(options.limits, Limits::default(), "{line}");
    }
    // Behind the script they are the script's.
    for option in [
        "--no-arg-values",
        "--max-items 5",
        "--redact x",
        "--no-redact",
    ] {
        let options = recorded(&format!("s.py {option}"));
        assert_eq!(options.target, script("s.py", option));
        assert_eq!(options.values, Some(ValueOptions::default()));
    }
}

#[test]
fn what_was_taken_is_said_and_so_is_the_way_to_pass_it_on() {
    let note = recorded("s.py -o r.json x --no-imports")
        .taken_note()
        .expect("a note");
    assert!(
        note.contains("`-o r.json --no-imports`") && note.contains("`--`"),
        "{note}"
    );
    assert_eq!(recorded("-o r.json s.py x").taken_note(), None);
}

#[test]
fn arguments_that_are_no_text_pass_through() {
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(vec![b'-', b'x', 0xff]);
    let line = vec!["s.py".into(), odd.clone()];
    let Ok(Command::Record(options)) = parse(line) else {
        panic!("refused")
    };
    assert_eq!(
        options.target,
        Target::Script {
            path: "s.py".into(),
            args: vec![odd]
        }
    );
}

#[test]
fn an_empty_argument_is_the_scripts() {
    let Ok(Command::Record(options)) = parse(["s.py", "", "a b"]) else {
        panic!("refused")
    };
    let args = vec!["".into(), "a b".into()];
    assert_eq!(
        options.target,
        Target::Script {
            path: "s.py".into(),
            args
        }
    );
}

#[test]
fn senseless_lines_are_usage_errors() {
    for (line, says) in [
        ("", "nothing to trace"),
        ("-o x", "nothing to trace"),
        ("--", "a command is needed"),
        ("-m", "MODULE"),
        ("-c", "CODE"),
        ("--pid 1 s.py", "--pid attaches"),
        ("--pid 1 -- ls", "--pid attaches"),
        ("--pid 1 -m m", "--pid attaches"),
        ("--c-calls s.py", "--selective"),
        (
            "--selective --c-calls --no-external-calls s.py",
            "cannot be used with",
        ),
        ("--selective --probes usdt s.py", "cannot be used with"),
        ("--pid 0", "--pid"),
        ("--pid x", "--pid"),
        ("--pid 5000000", "--pid"),
        ("--pid", "--pid"),
        ("--pid 1 --python p", "--python"),
        ("--pid 1 --as-root", "--as-root"),
        ("--python p -- ls", "--python"),
        ("-o a -o b s.py", "--output"),
        ("-o a s.py -o b", "`-o b` behind the script was taken"),
        ("s.py -o a -o b", "`--` in front of it passes it on"),
        ("s.py --scope --verbose", "passes it on"),
        ("s.py -o", "passes it on"),
        ("s.py -o -- x", "passes it on"),
        ("s.py --scope", "passes it on"),
        ("--duration 10 s.py", "10s"),
        ("--duration 0s s.py", "zero"),
        ("--duration soon s.py", "unit"),
        ("--probes kprobe s.py", "kprobe"),
        ("--ring-size 3 s.py", "power of two"),
        ("--ring-size 2048 s.py", "power of two"),
        ("--no-arg-values --max-items 5 s.py", "cannot be used with"),
        ("--redact x --no-arg-values s.py", "cannot be used with"),
        ("--redact x --no-redact s.py", "cannot be used with"),
        ("--no-redact --no-arg-values s.py", "cannot be used with"),
        ("--max-string 1025 s.py", "1025"),
        ("--max-items 33 s.py", "33"),
        ("--max-depth 9 s.py", "9"),
        ("--max-depth -1 s.py", "-1"),
        ("--max-bytes 255 s.py", "255"),
        ("--max-bytes 16385 s.py", "16385"),
        ("--max-items few s.py", "few"),
        ("--redact (pass s.py", "unclosed group"),
        ("--redact= s.py", "--no-redact switches"),
        ("--redact (?x)a#b --redact c s.py", "don't go together"),
        ("--redact a{1000000} s.py", "size limit"),
        ("--verbose s.py", "--verbose"),
        ("-x s.py", "-x"),
        ("show", "TRACE"),
        ("show a b", "b"),
        ("show a -o x", "-o"),
        ("show a --width -3", "-3"),
        ("show a --width 70000", "70000"),
        ("serve", "TRACE"),
        ("serve a 65536", "65536"),
        ("serve a http", "http"),
        ("serve a 80 b", "b"),
        ("serve a --host", "--host"),
        ("doctor --python p --pid 3", "--pid"),
        ("doctor x", "x"),
    ] {
        let report = refused(line);
        assert!(report.starts_with("pytrace: "), "{line}: {report}");
        assert_eq!(report.matches("hint: ").count(), 1, "{line}: {report}");
        assert_eq!(report.lines().count(), 2, "{line}: {report}");
        assert!(report.contains(says), "{line}: {report}");
    }
}

#[test]
fn help_and_version_are_printed_not_errors() {
    for line in [
        "--help",
        "-h",
        "--version",
        "-V",
        "show --help",
        "serve --help",
        "-h s.py",
        "doctor -h",
    ] {
        assert!(
            matches!(parse(words(line)), Ok(Command::Print(_))),
            "{line}"
        );
    }
    let Ok(Command::Print(help)) = parse(words("--help")) else {
        panic!("no help")
    };
    for part in [
        "-m MODULE",
        "-- COMMAND",
        "--pid PID",
        "Examples:",
        "--ring-size",
        "show TRACE",
        "serve TRACE [PORT]",
        "--no-arg-values",
        "--redact",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn the_definition_is_sound() {
    Arguments::command().debug_assert();
}
