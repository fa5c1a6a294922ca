//! `pytrace serve` and those who mean it no good: other pages in the same browser, strange requests,
//! hostile traces.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/served.rs"]
mod served;

use std::fs;
use std::io::{Read as _, Write as _};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use served::{Answer, EVERYTHING, Served};

/// A question of each kind, about the first thread of a trace that has calls.
const QUESTIONS: [&str; 13] = [
    "/api/trace",
    "/api/rows?thread=0",
    "/api/rows?thread=0&open=all&grouping=none&hide=imports,external&min=1&only=exceptions",
    "/api/reveal?thread=0&row=1",
    "/api/call?thread=0&row=0",
    "/api/search?q=e&limit=100",
    "/api/search/count?q=e&after=0.1",
    "/api/timeline?threads=0&from=0&to=1000000&width=100&levels=5",
    "/api/flame?thread=all",
    "/api/functions?thread=0",
    "/api/function?code=0",
    "/api/patterns?thread=all",
    "/api/patterns?grouping=none",
];

#[test]
fn a_name_that_was_made_to_lead_here_leads_to_nothing() {
    let served = Served::everything();
    let status = |host: Option<&str>, path: &str| served.request_to(host, "GET", path, &[]).status;
    for path in ["/", "/train.html", "/assets/style.css", "/api/trace"] {
        for host in [
            "Host: attacker.example",
            "Host: localhost.attacker.example:8080",
            "Host: 127.0.0.1.attacker.example",
            "Host: 10.0.0.7",
            "Host:",
        ] {
            assert_eq!(status(Some(host), path), 421, "{host} {path}");
        }
        assert_eq!(status(None, path), 400, "{path}");
        let twice = "Host: localhost\r\nHost: attacker.example";
        assert_eq!(status(Some(twice), path), 400, "{path}");
        // Ports differ where ssh forwards them.
        for host in ["Host: localhost:9", "Host: 127.0.0.1", "Host: [::1]:80"] {
            assert_eq!(status(Some(host), path), 200, "{host} {path}");
        }
    }
    let reachable = Served::new("t.json", EVERYTHING, &["--host", "127.0.0.1"]);
    for (host, status) in [
        ("Host: 10.0.0.7:1", 200),
        ("Host: localhost", 200),
        ("Host: attacker.example", 421),
    ] {
        let answer = reachable.request_to(Some(host), "GET", "/api/trace", &[]);
        assert_eq!(answer.status, status, "{host}");
    }
}

#[test]
fn a_page_of_another_origin_gets_nothing() {
    let served = Served::everything();
    let own = format!("Origin: http://localhost:{}", served.port);
    let link = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    let frame = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"];
    let from = |site| ["Sec-Fetch-Site: ", site].concat();
    let (cross, same_site) = (from("cross-site"), from("same-site"));
    for (lines, page, part) in [
        (vec![own.as_str()], 200, 200),
        (vec!["Origin: http://attacker.example"], 403, 403),
        (vec!["Origin: http://localhost:1"], 403, 403),
        (vec!["Origin: null"], 403, 403),
        (vec!["Sec-Fetch-Site: same-origin"], 200, 200),
        (vec!["Sec-Fetch-Site: none"], 200, 200),
        (vec![&cross], 403, 403),
        (vec![&same_site], 403, 403),
        (vec![&cross, link[0], link[1]], 200, 403),
        (vec![&cross, frame[0], frame[1]], 403, 403),
    ] {
        for path in ["/", "/train.html"] {
            assert_eq!(
                served.request("GET", path, &lines).status,
                page,
                "{lines:?}"
            );
        }
        for path in ["/api/trace", "/assets/style.css", "/other.html"] {
            let status = served.request("GET", path, &lines).status;
            let expected = if path == "/other.html" && part == 200 {
                404
            } else {
                part
            };
            assert_eq!(status, expected, "{path} {lines:?}");
        }
    }
}

/// What every answer says, whatever it is.
fn has_headers(answer: &Answer, what: &str) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("access-control-allow-origin", ""),
    ] {
        assert_eq!(
            answer.header(name).unwrap_or_default(),
            value,
            "{what}: {name}"
        );
    }
}

#[test]
fn every_answer_has_the_headers_that_confine_it() {
    let served = Served::everything();
    for (path, kind, caching) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/assets/style.css", "text/css; charset=utf-8", "no-cache"),
        ("/api/trace", "application/json; charset=utf-8", "no-store"),
        ("/api/none", "application/json; charset=utf-8", "no-store"),
        ("/none", "text/plain; charset=utf-8", "no-store"),
    ] {
        let answer = served.get(path);
        has_headers(&answer, path);
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert_eq!(answer.header("cache-control"), Some(caching), "{path}");
    }
    has_headers(&served.request("POST", "/", &[]), "POST");
    has_headers(
        &served.request_to(Some("Host: attacker.example"), "GET", "/", &[]),
        "another host",
    );
}

#[test]
fn the_one_script_in_the_page_is_allowed_by_a_number_that_is_new_each_time() {
    let served = Served::everything();
    let nonce = || {
        let page = served.get("/");
        let policy = page.header("content-security-policy").unwrap();
        let nonce = policy.split("'nonce-").nth(1).unwrap();
        let nonce = nonce.split('\'').next().unwrap().to_owned();
        assert_eq!(nonce.len(), 32);
        let text = page.text();
        assert_eq!(text.matches(&format!("nonce=\"{nonce}\"")).count(), 1);
        nonce
    };
    assert_ne!(nonce(), nonce());
}

#[test]
fn no_path_leads_into_the_file_system() {
    let served = Served::everything();
    fs::write(served.path("secret.css"), "secret").unwrap();
    let absolute = served.path("secret.css").to_str().unwrap().to_owned();
    let encoded = absolute.replace('/', "%2F");
    for path in [
        "/train.json",
        "/secret.css",
        "/assets/secret.css",
        "/assets/../secret.css",
        "/assets/%2e%2e/secret.css",
        "/assets/..%2fsecret.css",
        "/assets/..%5csecret.css",
        "/assets/style.css/..",
        "/assets/style.css%00",
        "/assets/%73tyle.css",
        "/assets/",
        "/assets",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "/train.html/",
        "/train.html%00",
        "/./train.html",
        "/x/../train.html",
        "/other.html",
        "/index.html",
        "/%",
        "/api",
        "/api/",
        "/api/../train.html",
        "/api/trace/",
        "/api//trace",
        &absolute,
        &format!("/{encoded}"),
        &format!("/assets/{encoded}"),
        &format!("/assets/{absolute}"),
    ] {
        let answer = served.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("secret"), "{path}");
    }
}

#[test]
fn what_is_no_plain_question_is_refused() {
    let served = Served::everything();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let answer = served.request(method, "/api/trace", &[]);
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    // What stands behind would be the next request, and is none.
    for lines in [
        vec!["Content-Length: 30"],
        vec!["Transfer-Encoding: chunked"],
        vec!["Content-Length: 3", "Transfer-Encoding: chunked"],
        vec!["Content-Length: 3", "Content-Length: 4"],
        vec!["Content-Length: x"],
    ] {
        let mut request = String::from("GET /api/trace HTTP/1.1\r\nHost: localhost\r\n");
        request.push_str(&lines.join("\r\n"));
        request.push_str("\r\n\r\nGET /api/source?code=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let reply = String::from_utf8_lossy(&served.raw(request.as_bytes())).into_owned();
        assert!(reply.starts_with("HTTP/1.1 400 "), "{lines:?}: {reply}");
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{lines:?}: {reply}");
    }
    for request in [
        "GET http://localhost/api/trace HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /api/trace HTTP/1.1\r\nHost: localhost\r\nX Y: z\r\n\r\n",
        "GET /api/trace\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET api/trace HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let reply = String::from_utf8_lossy(&served.raw(request.as_bytes())).into_owned();
        assert!(reply.starts_with("HTTP/1.1 400 "), "{request:?}: {reply}");
    }
}

#[test]
fn a_head_is_an_answer_without_its_body() {
    let served = Served::everything();
    for path in ["/", "/assets/style.css", "/api/trace"] {
        let (head, whole) = (served.request("HEAD", path, &[]), served.get(path));
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.body, b"", "{path}");
        assert_eq!(
            head.header("content-length"),
            whole.header("content-length")
        );
    }
}

#[test]
fn a_request_is_as_long_as_it_may_be_and_no_longer() {
    let served = Served::everything();
    let longest = "c1+,".repeat(4 << 10).replace('+', "%2B");
    let status = |path: &str| served.get(path).status;
    assert_eq!(status(&format!("/api/rows?thread=0&open={longest}")), 200);
    let answer = served.get(&format!("/api/rows?thread=0&open={longest},"));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.error(), "a parameter is longer than 16384 bytes");
    let long = "x".repeat(1 << 20);
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "X: y\r\n".repeat(1_000)
        ),
    ] {
        let reply = served.raw(request.as_bytes());
        let reply = String::from_utf8_lossy(&reply);
        // Whoever still writes may lose the answer with the connection.
        assert!(
            reply.is_empty() || reply.starts_with("HTTP/1.1 4"),
            "{reply}"
        );
    }
    // It is still there.
    assert_eq!(status("/api/trace"), 200);
}

#[test]
fn every_question_is_answered_with_json() {
    let served = Served::everything();
    for question in QUESTIONS {
        assert!(served.json(question).is_object(), "{question}");
    }
    let trace = served.json("/api/trace");
    let calls = EVERYTHING.matches("\"ph\":\"X\"").count();
    assert_eq!(trace["calls"]["total"], calls);
}

#[test]
fn a_question_that_makes_no_sense_gets_a_line() {
    let served = Served::everything();
    for (path, status) in [
        ("/api/rows", 400),
        ("/api/rows?thread=all", 400),
        ("/api/rows?thread=99", 404),
        ("/api/rows?thread=-1", 400),
        ("/api/rows?thread=0&thread=1", 400),
        ("/api/rows?thread=0&from=x", 400),
        ("/api/rows?thread=0&count=1e9", 400),
        ("/api/rows?thread=0&open=c", 400),
        ("/api/rows?thread=0&min=-1", 400),
        ("/api/rows?thread=0&q=%ff", 400),
        ("/api/reveal?thread=0&row=99999999", 404),
        ("/api/call?thread=0", 400),
        ("/api/call?thread=0&row=18446744073709551615", 404),
        ("/api/call?thread=0&row=18446744073709551616", 400),
        ("/api/search?q=x&after=1", 400),
        ("/api/timeline?threads=0", 400),
        ("/api/flame?at=4294967295", 404),
        ("/api/flame?least=-1", 400),
        ("/api/functions?sort=%3Cscript%3E", 400),
        ("/api/function?code=4294967295", 404),
        ("/api/patterns?sort=x", 400),
        ("/api/source?code=99999", 404),
        ("/api/source?code=/etc/passwd", 400),
        ("/api/nothing", 404),
    ] {
        let answer = served.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        answer.error();
    }
    // The largest numbers there are.
    let most = u64::MAX;
    for path in [
        format!("/api/rows?thread=0&from={most}&count={most}"),
        format!("/api/timeline?threads=0&from={most}&to={most}&width={most}&depth=4294967295"),
        format!("/api/search?q=e&limit={most}&after={most}.{most}"),
        format!("/api/functions?from={most}&count={most}&min={most}"),
        format!("/api/patterns?from={most}&count={most}"),
    ] {
        assert!(served.json(&path).is_object(), "{path}");
    }
}

/// A trace whose every string is `text`.
fn trace_of(text: &str, file: &str) -> String {
    let event = |call: u32, depth: u32| {
        json!({
            "ph": "X", "pid": 7, "tid": 7, "ts": call, "dur": 10 - call, "name": text, "cat": "internal",
            "args": {"call": call, "depth": depth, "file": file, "line": 1, "kind": "function",
                     "arguments": {text: text}, "return": text}
        })
    };
    let name =
        |what: &str| json!({"ph": "M", "pid": 7, "tid": 7, "name": what, "args": {"name": text}});
    json!({
        "traceEvents": [name("process_name"), name("thread_name"), event(1, 0), event(2, 1)],
        "pytrace": {"format": 1, "version": text, "command": [text], "scope": [text],
                    "started_at": text, "ended": text,
                    "interpreters": [{"path": text, "version": text, "plan": text}]}
    })
    .to_string()
}

#[test]
fn strings_of_a_trace_arrive_as_strings() {
    for text in [
        "</script><script>alert(1)</script>",
        "\"onmouseover='alert(1)' x=\"",
        "\u{0}\u{1b}[2J\u{7f}",
        "\u{2028}\u{2029}\u{202e}\u{feff}",
        "__proto__",
        "%s{{7*7}}${x}",
        "\\u003cimg\\u003e",
    ] {
        let served = Served::new("t.json", &trace_of(text, text), &[]);
        for question in QUESTIONS {
            let answer = served.get(question);
            let kind = answer.header("content-type");
            assert_eq!(kind, Some("application/json; charset=utf-8"));
            has_headers(&answer, question);
            let json: Value = serde_json::from_slice(&answer.body).unwrap();
            assert!(json.is_object(), "{question}");
        }
        let trace = served.json("/api/trace");
        assert_eq!(trace["command"][0], text);
        assert_eq!(trace["threads"][0]["name"], text);
        assert_eq!(trace["threads"][0]["process"], text);
        let functions = served.json("/api/functions");
        assert_eq!(functions["rows"][0]["name"], text);
        // The page has nothing of the trace in it.
        assert!(!served.get("/").text().contains(text));
    }
}

#[test]
fn only_python_files_that_the_trace_names_are_shown() {
    let directory = served::open_directory();
    let python = directory.path().join("a.py");
    fs::write(&python, "def f():\n    pass\n").unwrap();
    let source = |file: &str| {
        let served = Served::new("t.json", &trace_of("f", file), &[]);
        let call = served.json("/api/call?thread=0&row=0");
        (served.get("/api/source?code=0"), call["readable"] == true)
    };
    let python = python.to_str().unwrap();
    let (answer, readable) = source(python);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(readable);
    let source_of_f: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        source_of_f,
        json!({"path": python, "line": 1, "last": 2, "first": 1, "lines": ["def f():", "    pass"]})
    );
    for file in [
        "/etc/passwd",
        "/etc/passwd\0.py",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/environ",
        "relative.py",
        "<string>",
        "",
    ] {
        let (answer, readable) = source(file);
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        let reason = told["reason"].as_str().unwrap();
        assert!(
            !reason.is_empty() && !reason.contains("root:"),
            "{file}: {reason}"
        );
        assert_eq!(told, json!({"path": file, "line": 1, "reason": reason}));
        assert!(!readable, "{file}");
    }
}

#[test]
fn long_answers_are_compressed_for_those_who_take_that() {
    let served = Served::new("t.json", &trace_of(&"long ".repeat(3_000), "x.py"), &[]);
    let path = "/api/call?thread=0&row=0";
    let plain = served.get(path);
    assert_eq!(plain.header("content-encoding"), None);
    let packed = served.request("GET", path, &["Accept-Encoding: br, gzip"]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("accept-encoding"));
    assert!(packed.body.len() < plain.body.len() / 10);
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed.body[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body);
    let tag = served.get("/assets/style.css");
    let tag = format!("If-None-Match: {}", tag.header("etag").unwrap());
    let unchanged = served.request("GET", "/assets/style.css", &[&tag]);
    assert_eq!((unchanged.status, unchanged.body), (304, vec![]));
}

#[test]
fn who_asks_slowly_is_in_nobodys_way() {
    let served = Served::everything();
    let slow: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = served.connect();
            stream
                .write_all(b"GET /api/trace HTTP/1.1\r\nHost: loc")
                .unwrap();
            stream
        })
        .collect();
    assert_eq!(served.get("/api/trace").status, 200);
    for mut stream in slow {
        stream
            .write_all(b"alhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    }
}
