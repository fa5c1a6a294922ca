//! Inputs that are made by hand.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use pytrace_fuzz::elf::{EM_AARCH64, EM_X86_64, EXIT, Image, program_32};
use pytrace_fuzz::miniature::interpreter;
use pytrace_fuzz::objects::MINORS;

/// Target, name and bytes.
type Input = (&'static str, String, Vec<u8>);

/// All of them.
pub(crate) fn inputs() -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    files(&mut inputs);
    values(&mut inputs);
    traces(&mut inputs)?;
    requests(&mut inputs);
    texts(&mut inputs);
    Ok(inputs)
}

/// Interpreters in miniature, and what is none.
fn files(inputs: &mut Vec<Input>) {
    for minor in MINORS {
        inputs.push(("plan", format!("miniature-3.{minor}"), interpreter(minor)));
    }
    for machine in [EM_X86_64, EM_AARCH64] {
        let mut image = Image::new(machine, EXIT);
        image.needs("libpython3.13.so.1.0");
        inputs.push(("plan", format!("machine-{machine}"), image.build()));
    }
    inputs.push(("plan", "32-bit".to_owned(), program_32()));
}

/// Values of each shape, with two children and some data, and of each recipe (`bpf/value.h`).
fn values(inputs: &mut Vec<Input>) {
    const FIELDS: u8 = 18;
    for shape in 0..=FIELDS {
        let recipes = if shape == FIELDS { 40 } else { 1 };
        for recipe in 0..recipes {
            let mut value = [0; 112];
            // Bytes, shape, children, detail, type, length.
            value[0] = 112;
            value[2] = shape;
            value[3] = 2;
            value[4] = 1;
            value[6] = recipe;
            value[8] = 16 * (1 + recipe % 12);
            value[16] = 2;
            inputs.push(("values", format!("{shape}-{recipe}"), value.repeat(3)));
        }
    }
}

/// Traces of other tools' forms; ours, and one of VizTracer's, are the tests'.
fn traces(inputs: &mut Vec<Input>) -> Result<()> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    for name in ["everything.json", "viztracer.json"] {
        let text = fs::read(data.join(name))?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&text)?;
        inputs.push(("trace_file", format!("{name}.gz"), gzip.finish()?));
        inputs.push(("trace_file", name.to_owned(), text));
    }
    for (name, text) in [
        (
            "array",
            r#"[{"ph":"X","ts":1.5,"dur":9,"pid":1,"tid":1,"name":"main","cat":"FEE"},
{"ph":"X","ts":2,"dur":1,"pid":1,"tid":1,"name":"f (x.py:3)"}]"#,
        ),
        (
            "array_cut",
            r#"[{"ph":"X","ts":1,"dur":1e3,"pid":"a","tid":"b","name":"f"},{"ph":"X","ts":"#,
        ),
        (
            "begins_and_ends",
            r#"[{"ph":"B","ts":1,"pid":1,"tid":2,"name":"a"},{"ph":"B","ts":2,"pid":1,"tid":2,"name":"b"},
{"ph":"E","ts":3,"pid":1,"tid":2,"name":"b"},{"ph":"E","ts":4,"pid":1,"tid":2},
{"ph":"E","ts":5,"pid":1,"tid":2,"name":"never"},{"ph":"B","ts":6,"pid":1,"tid":2,"name":"open"}]"#,
        ),
        // `py-spy record --format chrometrace`.
        (
            "py-spy",
            r#"[{"args":{"filename":null,"line":null},"cat":"process_name","name":"process_name","ph":"M","pid":9,"tid":0,"ts":0},
{"args":{"filename":"x.py","line":7},"cat":"py-spy","name":"main","ph":"B","pid":9,"tid":1,"ts":100},
{"args":{"filename":"x.py","line":3},"cat":"py-spy","name":"work","ph":"B","pid":9,"tid":1,"ts":200},
{"args":{"filename":"x.py","line":3},"cat":"py-spy","name":"work","ph":"E","pid":9,"tid":1,"ts":300},
{"args":{"filename":"x.py","line":7},"cat":"py-spy","name":"main","ph":"E","pid":9,"tid":1,"ts":400}]"#,
        ),
        // Ends that exclude each other.
        (
            "contradictory",
            r#"[{"ph":"X","ts":1,"dur":1,"name":"f (:3)","args":{"call":1,"depth":0,"return":"1","yielded":true,"unfinished":true}},
{"ph":"X","ts":2,"dur":1,"name":"f","args":{"call":2,"depth":0,"end_inferred":true,"exception":""}},
{"ph":"B","tid":1,"ts":1,"dur":1,"name":"f","args":{"return":"1","yielded":true}}]"#,
        ),
        // What browsers and others put around the events.
        (
            "surrounded",
            "\u{feff}{\"metadata\":{\"a\":[1,{}]},\"traceEvents\":[{\"ph\":\"M\",\"name\":\"thread_name\",\
             \"pid\":1,\"tid\":1,\"args\":{\"name\":\"\\u001b[2J\\ud83d\\ude00\\ud800\"}}\n\
             {\"ph\":\"i\",\"s\":\"t\",\"ts\":1,\"pid\":1,\"tid\":1,\"name\":\"mark\"},\
             {\"ph\":\"X\",\"ts\":-1,\"dur\":1e300,\"pid\":1,\"tid\":1,\"name\":\"\",\"args\":{\"exception\":\"E\"}}],\
             \"viztracer_metadata\":{\"version\":\"1\"}}",
        ),
    ] {
        inputs.push(("trace_file", name.to_owned(), text.as_bytes().to_vec()));
    }
    // Loops in loops, whose rounds differ.
    let mut events = String::from("{\"traceEvents\":[");
    let (mut ts, mut separator) = (0, "\n");
    for round in 0..12 {
        for (name, dur) in [("step", 90), ("forward", 40), ("log", 5)] {
            for _ in 0..=(round % 3) * usize::from(name == "forward") {
                events += &format!(
                    "{separator}{{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{ts},\"dur\":{dur},\"name\":\"{name}\"}}"
                );
                (ts, separator) = (ts + 7, ",\n");
            }
        }
        ts += 100;
    }
    events += "\n],\"displayTimeUnit\":\"ns\"}";
    inputs.push(("trace_file", "loops".to_owned(), events.into_bytes()));
    Ok(())
}

/// What the page asks, and what it does not.
fn requests(inputs: &mut Vec<Input>) {
    let page = "host:localhost:8080\nsec-fetch-site:same-origin\naccept-encoding:gzip";
    let paths = [
        "/",
        "/everything.html",
        "/%C3%BC%20%3Cb%3E.html",
        "/assets/app.js",
        "/assets/../../etc/passwd",
        "/api/trace",
        "/api/rows?thread=0&count=300&open=all",
        "/api/rows?thread=1&from=20&count=50&open=none,c0%2B,r1.3%402*&grouping=exact&hide=imports,external",
        "/api/rows?thread=0&only=exceptions&min=1000&grouping=none",
        "/api/reveal?thread=0&row=17&open=c3-",
        "/api/call?thread=0&row=2",
        "/api/patterns?thread=all&sort=mean&from=0&count=300",
        "/api/timeline?threads=0,1&from=0&to=20000000&width=1200&depth=0&levels=40",
        "/api/flame?thread=all&least=0.01&at=1",
        "/api/functions?thread=0&sort=total&order=asc&q=f",
        "/api/function?code=0&thread=all",
        "/api/search?q=f&in=names,files,values&limit=9&direction=previous&after=0.5",
        "/api/search/count?q=x&after=0.1&at=0.9",
        "/api/source?code=1",
        "/api/nothing?a=1&a=2",
        "/api/rows?thread=18446744073709551615&from=18446744073709551615&count=18446744073709551615",
        "/%ff%",
    ];
    for (index, path) in paths.iter().enumerate() {
        for site in 0..3u8 {
            let request = format!("GET {path}\n{page}");
            let bytes = [&[site], request.as_bytes()].concat();
            inputs.push(("http", format!("{index}-{site}"), bytes));
        }
    }
    for (name, head) in [
        (
            "head",
            "HEAD /api/trace\nhost:[::1]:80\nif-none-match:\"x\"",
        ),
        ("post", "POST /api/trace\nhost:127.0.0.1\ncontent-length:5"),
        ("proxy", "GET http://localhost/api/trace\nhost:localhost"),
        (
            "rebinding",
            "GET /api/trace\nhost:attacker.example:8080\norigin:http://attacker.example:8080",
        ),
        (
            "foreign",
            "GET /api/trace\nhost:lab.example\norigin:http://lab.example\nsec-fetch-site:cross-site",
        ),
        (
            "link",
            "GET /\nhost:localhost\nsec-fetch-site:cross-site\nsec-fetch-mode:navigate\nsec-fetch-dest:document",
        ),
        (
            "twice",
            "GET /\nhost:localhost\nhost:localhost\ntransfer-encoding:chunked",
        ),
    ] {
        inputs.push(("http", name.to_owned(), [b"\x02", head.as_bytes()].concat()));
    }
}

/// By the number of their reader.
fn texts(inputs: &mut Vec<Input>) {
    const COMMAND_LINE: u8 = 0;
    const PASSED_ON: u8 = 1;
    const TERMINAL: u8 = 2;
    const REDACTION: u8 = 3;
    const SCRIPT: u8 = 4;
    const MAPS: u8 = 5;
    const PATHS: u8 = 6;
    const OPEN_NODES: u8 = 7;
    let texts = [
        (COMMAND_LINE, "x.py\0-o\0t.json\0--scope=/p\0a\0--\0-o"),
        (
            COMMAND_LINE,
            "--duration\01.5s\0--redact\0(a|b)+\0--max-string\05\0-m\0json.tool\0x",
        ),
        (
            COMMAND_LINE,
            "--pid\012\0--pid\012\0--probes\0usdt\0--lossless",
        ),
        (
            COMMAND_LINE,
            "show\0t.json\0--function\0^f\0--min-duration\05us\0--depth\02\0--width\00",
        ),
        (COMMAND_LINE, "serve\0t.json\08080\0--host\00.0.0.0"),
        (COMMAND_LINE, "export\0t.json\0-o\0t.html\0--max-size\0300"),
        (
            COMMAND_LINE,
            "doctor\0--python\0\u{1b}[2J\0--nothing\u{202e}",
        ),
        (PASSED_ON, "make\0-j2\0--\0-o\0x"),
        (
            TERMINAL,
            "Klasse.méthode \u{1b}[31m\u{9b}2J\u{202e}\u{2066}\u{feff}\r\n\t\u{e0041}",
        ),
        (REDACTION, "\nclient_Secret"),
        (REDACTION, "(?i)^(pin|_x*)+$\n_Card__pin"),
        (SCRIPT, "#!/usr/bin/env -S A=1 python3 -u\nimport os\n"),
        (
            SCRIPT,
            "#!/bin/sh\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n' '''\n",
        ),
        (SCRIPT, "#!/opt/venv/bin/python3.13t -E\r\n"),
        (SCRIPT, "\u{7f}ELF"),
        (
            MAPS,
            "7f0000000000-7f0000001000 r-xp 00002000 08:01 42   /a b/libpython3.13.so.1.0 (deleted)\n\
             7ffc0000-7ffc1000 rw-p 00000000 00:00 0 [stack]\n",
        ),
        (
            PATHS,
            "python3\0-u\0-W\0ignore\0/path/to/mttl/experiments/train.py\0--steps\03\0",
        ),
        (PATHS, "/p/venv/lib/python3.11/site-packages/x/../y.py"),
        (PATHS, "<frozen importlib._bootstrap>"),
        (OPEN_NODES, "none,c17+,c3-,c4*,r17.36@2,r17.36@2*,r1.2+"),
    ];
    for (index, (reader, text)) in texts.iter().enumerate() {
        let bytes = [&[*reader], text.as_bytes()].concat();
        inputs.push(("texts", format!("{index}"), bytes));
    }
}
