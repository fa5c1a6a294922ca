//! Lines whose first word is a subcommand.

use super::*;

#[test]
fn subcommands_are_the_first_word() {
    let show = || ShowOptions {
        trace: "t.json".into(),
        json: false,
        no_patterns: false,
        exact_patterns: false,
        depth: None,
        min_duration: None,
        thread: Vec::new(),
        function: None,
        hide_imports: false,
        hide_external: false,
        only_exceptions: false,
        limit: DEFAULT_LIMIT,
        no_times: false,
        no_values: false,
        number_of_calls: false,
        width: None,
        ascii: false,
        no_pager: false,
    };
    let all = concat!(
        "show --number-of-calls --width=80 --no-patterns --depth 3 --min-duration 10us --thread 7 ",
        "--thread main --function step --hide-imports --hide-external --limit 0 --no-times ",
        "--no-values --ascii --no-pager t.json",
    );
    for (line, options) in [
        ("show t.json", show()),
        (
            "show t.json --json --exact-patterns",
            ShowOptions {
                json: true,
                exact_patterns: true,
                ..show()
            },
        ),
        (
            all,
            ShowOptions {
                no_patterns: true,
                depth: Some(3),
                min_duration: Some(Duration::from_micros(10)),
                thread: vec!["7".into(), "main".into()],
                function: Some("step".into()),
                hide_imports: true,
                hide_external: true,
                limit: 0,
                no_times: true,
                no_values: true,
                number_of_calls: true,
                width: Some(80),
                ascii: true,
                no_pager: true,
                ..show()
            },
        ),
    ] {
        assert_eq!(parse(words(line)).ok(), Some(Command::Show(options)));
    }
    for line in [
        "show t.json --json --width 80",
        "show t.json --json --number-of-calls",
        "show t.json --json --limit 5",
        "show t.json --no-patterns --exact-patterns",
        "show t.json --depth 0",
        "show t.json --function (",
        "show t.json --min-duration 10",
    ] {
        let error = parse(words(line)).unwrap_err();
        assert_eq!(exit_code(&error), EXIT_USAGE, "{line}");
    }
    for (line, python, pid) in [
        ("doctor", None, None),
        ("doctor --python p", Some("p"), None),
        ("doctor --pid 7", None, Some(7)),
    ] {
        let python = python.map(PathBuf::from);
        let options = DoctorOptions { python, pid };
        assert_eq!(
            parse(words(line)).ok(),
            Some(Command::Doctor(options)),
            "{line}"
        );
    }
}

#[test]
fn serve_takes_a_trace_and_perhaps_a_port() {
    let serve = || ServeOptions {
        trace: "t.json".into(),
        port: DEFAULT_PORT,
        no_patterns: false,
        hide_imports: false,
        host: None,
    };
    for (line, options) in [
        ("serve t.json", serve()),
        ("serve t.json 0", ServeOptions { port: 0, ..serve() }),
        (
            "serve --no-patterns t.json --hide-imports 9000 --host 10.0.0.7",
            ServeOptions {
                port: 9000,
                no_patterns: true,
                hide_imports: true,
                host: Some("10.0.0.7".into()),
                ..serve()
            },
        ),
    ] {
        assert_eq!(parse(words(line)).ok(), Some(Command::Serve(options)));
    }
}

#[test]
fn export_needs_a_file_to_write() {
    let export = |line: &str| match parse(words(line)) {
        Ok(Command::Export(options)) => Some(options),
        _ => None,
    };
    let plain = export("export t.json -o r.html").unwrap();
    assert_eq!(plain.output.to_str(), Some("r.html"));
    assert_eq!((plain.max_size, plain.no_values), (10, false));
    let all = "export -o r.txt --no-patterns --hide-imports --hide-external --no-values --max-size 3 t.json";
    let all = export(all).unwrap();
    assert!(all.no_patterns && all.hide_imports && all.hide_external && all.no_values);
    assert_eq!(all.max_size, 3);
    for line in [
        "export t.json",
        "export -o r.html",
        "export t.json -o r.html --max-size 0",
        "export t.json -o r.html --max-size 501",
        "export t.json u.json -o r.html",
    ] {
        assert!(refused(line).starts_with("pytrace: "), "{line}");
    }
}
