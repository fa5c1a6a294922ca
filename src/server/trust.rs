//! Whether a request comes from our own page.
//!
//! Any page in the user's browser can send requests to a port of this machine, and with a name of its
//! own that leads here (DNS rebinding) it could even read the answers. So a request must name this
//! machine as the user does, and come from the page that was served from there. Whoever is no browser
//! has to be kept out by the address that is listened at.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, ORIGIN, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::refusal::Refusal;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The names that this machine is asked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// Besides `localhost`.
    names: Vec<String>,
    /// Whether any address will do, or only one that leads back to this machine. An address can't be
    /// rebound, a name can.
    any_address: bool,
}

impl Hosts {
    /// `localhost`, and addresses of the loopback interface.
    pub fn loopback() -> Self {
        Hosts {
            names: Vec::new(),
            any_address: false,
        }
    }

    /// These names as well, and any address.
    pub fn reachable<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Hosts {
            names: names.into_iter().map(str::to_ascii_lowercase).collect(),
            any_address: true,
        }
    }

    /// Whether `host` is one of them. Its port is of no matter: `ssh -L` may have another one.
    fn allow(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        let address = match name.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .and_then(|literal| literal.parse::<Ipv6Addr>().ok())
                .map(IpAddr::from),
            None => name.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::from),
        };
        match address {
            Some(address) => self.any_address || address.is_loopback(),
            None => {
                let name = name.to_ascii_lowercase();
                name == "localhost" || self.names.contains(&name)
            }
        }
    }
}

/// What a request may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The page, to which a link on any other page may lead.
    Page,
    /// What only the page itself asks for.
    Part,
}

/// Refuses what our page does not send.
pub(super) fn check(hosts: &Hosts, parts: &Parts, asked: Asked) -> Result<(), Refusal> {
    // What a proxy is asked. There, it is not the header that counts.
    if parts.uri.authority().is_some() {
        return Err(Refusal::bad("this is no proxy"));
    }
    let headers = &parts.headers;
    let host = match one(headers, &HOST)? {
        Some(host) => host,
        None => return Err(Refusal::bad("the request names no host")),
    };
    if !hosts.allow(host) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "the request names a host that is not this one; --host NAME allows a name",
        ));
    }
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD are answered",
        ));
    }
    has_no_body(headers)?;
    let foreign = || Refusal::forbidden("the request comes from another page");
    if let Some(origin) = one(headers, &ORIGIN)? {
        let own = origin
            .strip_prefix("http://")
            .is_some_and(|origin| origin.eq_ignore_ascii_case(host));
        if !own {
            return Err(foreign());
        }
    }
    match one(headers, &SEC_FETCH_SITE)? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => {
            let follows_link = one(headers, &SEC_FETCH_MODE)? == Some("navigate")
                && one(headers, &SEC_FETCH_DEST)? == Some("document");
            match asked == Asked::Page && follows_link {
                true => Ok(()),
                false => Err(foreign()),
            }
        }
    }
}

/// What nobody reads would be taken for the next request.
fn has_no_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let length = one(headers, &CONTENT_LENGTH)?;
    if headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != "0") {
        return Err(Refusal::bad("the request has a body"));
    }
    Ok(())
}

/// The value of a header that may be there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::bad(format!("{name} is there twice")));
    }
    value
        .map(|value| value.to_str())
        .transpose()
        .map_err(|_| Refusal::bad(format!("{name} is no text")))
}

/// The host of `host` or `host:port`.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rfind(']') {
        Some(end) => host.split_at(end + 1),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let digits = match port.strip_prefix(':') {
        None => port,
        Some(digits) => digits,
    };
    let is_port = port.is_empty() || port.starts_with(':');
    (is_port && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/api/trace");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn status(asked: Asked, headers: &[(&str, &str)]) -> u16 {
        match check(&Hosts::loopback(), &parts(headers), asked) {
            Ok(()) => 200,
            Err(refusal) => refusal.status.as_u16(),
        }
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let loopback = Hosts::loopback();
        let reachable = Hosts::reachable(["lab.example", "Box"]);
        for (host, at_loopback, at_any) in [
            ("localhost", true, true),
            ("LocalHost:8080", true, true),
            ("127.0.0.1:1", true, true),
            ("127.9.9.9", true, true),
            ("[::1]:8080", true, true),
            ("10.0.0.7:8080", false, true),
            ("[fe80::1]", false, true),
            ("lab.example:80", false, true),
            ("LAB.example", false, true),
            ("box", false, true),
            ("attacker.example:8080", false, false),
            ("localhost.attacker.example", false, false),
            ("127.0.0.1.attacker.example", false, false),
            ("localhost@attacker.example", false, false),
            ("attacker.example#localhost", false, false),
            ("localhost:8080:80", false, false),
            ("localhost:http", false, false),
            ("[::1", false, false),
            ("[::1]x", false, false),
            ("::1", false, false),
            ("0x7f.1", false, false),
            ("", false, false),
        ] {
            assert_eq!(loopback.allow(host), at_loopback, "{host}");
            assert_eq!(reachable.allow(host), at_any, "{host}");
        }
    }

    #[test]
    fn only_our_own_page_gets_answers() {
        let host = ("host", "localhost:8080");
        for (headers, page, part) in [
            (vec![host], 200, 200),
            (vec![], 400, 400),
            (vec![host, host], 400, 400),
            (vec![("host", "evil.example")], 421, 421),
            (vec![host, ("origin", "http://localhost:8080")], 200, 200),
            (vec![host, ("origin", "http://localhost:8081")], 403, 403),
            (vec![host, ("origin", "https://localhost:8080")], 403, 403),
            (vec![host, ("origin", "http://evil.example")], 403, 403),
            (vec![host, ("origin", "null")], 403, 403),
            (vec![host, ("sec-fetch-site", "same-origin")], 200, 200),
            (vec![host, ("sec-fetch-site", "none")], 200, 200),
            (vec![host, ("sec-fetch-site", "same-site")], 403, 403),
            (vec![host, ("sec-fetch-site", "cross-site")], 403, 403),
            (
                vec![
                    host,
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                200,
                403,
            ),
            (
                vec![
                    host,
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "iframe"),
                ],
                403,
                403,
            ),
            (vec![host, ("content-length", "0")], 200, 200),
            (vec![host, ("content-length", "5")], 400, 400),
            (vec![host, ("transfer-encoding", "chunked")], 400, 400),
        ] {
            assert_eq!(status(Asked::Page, &headers), page, "{headers:?}");
            assert_eq!(status(Asked::Part, &headers), part, "{headers:?}");
        }
    }

    #[test]
    fn a_proxy_and_other_methods_are_none_of_ours() {
        let mut proxied = parts(&[("host", "localhost")]);
        proxied.uri = "http://localhost/api/trace".parse().unwrap();
        let refused = |parts: &Parts| {
            let refusal = check(&Hosts::loopback(), parts, Asked::Part).unwrap_err();
            refusal.status.as_u16()
        };
        assert_eq!(refused(&proxied), 400);
        for method in [Method::POST, Method::PUT, Method::OPTIONS, Method::CONNECT] {
            let mut other = parts(&[("host", "localhost")]);
            other.method = method;
            assert_eq!(refused(&other), 405);
        }
    }
}
