//! A request to the page's server, up to its answer.
//!
//! The first byte of an input chooses the site, the rest is the head of a request: its first line
//! without the version, then headers.

#![no_main]

use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use http_body_util::BodyExt as _;
use hyper::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use hyper::{Request, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use pytrace::explore::{Defaults, Explorer};
use pytrace::format::read_from;
use pytrace::pattern::Nearness;
use pytrace::server::{self, Hosts, Site};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// Bytes of an answer (`docs/serve-api.md`); the page itself and its parts have fewer.
const LARGEST: usize = 1_000_000;
/// Bytes of a refusal: one line.
const LONGEST_REFUSAL: usize = 400;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_current_thread();
    builder.max_blocking_threads(1).build().expect("a runtime")
});

static SITES: LazyLock<[Site; 3]> = LazyLock::new(|| {
    let near = Some(Nearness::default());
    [
        site("everything.json", EVERYTHING, near, Hosts::loopback()),
        site("\u{fc} <b>.json.gz", VIZTRACER, None, Hosts::loopback()),
        site(
            "loop.json",
            &loops(),
            near,
            Hosts::reachable(["lab.example"]),
        ),
    ]
});

const EVERYTHING: &[u8] = include_bytes!("../../tests/data/everything.json");
const VIZTRACER: &[u8] = include_bytes!("../../tests/data/viztracer.json");

fn site(name: &str, trace: &[u8], grouping: Option<Nearness>, hosts: Hosts) -> Site {
    let recording = Box::leak(Box::new(read_from(trace).expect("a trace")));
    let explorer = Box::leak(Box::new(Explorer::new(recording)));
    let defaults = Defaults {
        grouping,
        hide_imports: false,
    };
    Site::new(explorer, Path::new(name), defaults, hosts)
}

/// Two threads that repeat themselves, of functions whose source there is.
fn loops() -> Vec<u8> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/training_loop.py");
    let mut events = Vec::new();
    for tid in [1, 2] {
        for call in 1..1000 {
            let (depth, ts) = ((call - 1) % 3, call * 10 - (call - 1) % 3 * 9);
            events.push(format!(
                r#"{{"ph":"X","pid":1,"tid":{tid},"ts":{ts},"dur":{},"name":"f{depth}","args":
                {{"call":{call},"depth":{depth},"file":"{file}","line":{},"arguments":{{"x":"{}"}}}}}}"#,
                28 - depth * 10,
                20 + depth,
                call / 30,
            ));
        }
    }
    format!("[{}]", events.join(",")).into_bytes()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, head)) = bytes.split_first() else {
        return;
    };
    let Some(request) = request(head) else { return };
    let host = request.headers().get(HOST).cloned();
    let sites: &'static [Site; 3] = &SITES;
    let choice = usize::from(choice) % sites.len();
    let response = RUNTIME.block_on(server::answer(&sites[choice], request));
    if response.status().is_success() && choice < 2 {
        let host = host.as_ref().and_then(|host| host.to_str().ok());
        assert!(host.is_some_and(is_this_machine), "{host:?} was answered");
    }
    check(response);
});

/// What hyper makes of a request's head; `None` for what it refuses itself.
fn request(head: &[u8]) -> Option<Request<()>> {
    let mut lines = head.split(|&byte| byte == b'\n');
    let first = lines.next()?;
    let at = first.iter().position(|&byte| byte == b' ')?;
    let mut request = Request::builder()
        .method(&first[..at])
        .uri(&first[at + 1..]);
    for line in lines.take(64) {
        let colon = line.iter().position(|&byte| byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    request.body(()).ok()
}

/// Whether a browser that is told this host asks the machine it runs on, whoever is the resolver.
fn is_this_machine(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => &host,
    };
    let v6 = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address = v6.unwrap_or(name).parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn check(response: Response<http_body_util::Full<hyper::body::Bytes>>) {
    let status = response.status();
    assert!(!status.is_server_error(), "{response:?}");
    let headers = response.headers().clone();
    assert!(headers.contains_key(CONTENT_SECURITY_POLICY));
    let body = RUNTIME.block_on(response.into_body().collect());
    let body = body.unwrap_or_else(|never| match never {}).to_bytes();
    let mut text = body.to_vec();
    if headers.contains_key(CONTENT_ENCODING) {
        text.clear();
        GzDecoder::new(&body[..])
            .read_to_end(&mut text)
            .expect("gzip");
    }
    assert!(text.len() <= LARGEST, "{} bytes", text.len());
    if status.is_client_error() {
        assert!(
            text.len() <= LONGEST_REFUSAL,
            "{}",
            String::from_utf8_lossy(&text)
        );
        assert!(!text.trim_ascii_end().contains(&b'\n'));
    }
    if status == StatusCode::NOT_MODIFIED {
        return assert!(text.is_empty());
    }
    let media_type = headers[CONTENT_TYPE].to_str().expect("text");
    if media_type.starts_with("application/json") {
        let _: Value = serde_json::from_slice(&text).expect("JSON");
        assert!(
            !text
                .iter()
                .any(|byte| byte.is_ascii_control() && *byte != b'\n')
        );
    }
}
