//! Answers, and the headers that all of them have.

use std::io::{self, Write as _};
use std::sync::LazyLock;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::refusal::Refusal;

/// What is sent.
pub(super) type Reply = Response<Full<Bytes>>;

/// Bytes below which compressing is not worth its header.
const WORTH_COMPRESSING: usize = 4 << 10;
/// Bytes of JSON in an answer.
const LARGEST: usize = 1_000_000;

pub(super) const JSON: &str = "application/json; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Says which run of the server answers: another one may have another trace, which an open page has
/// to notice.
const RUN: HeaderName = HeaderName::from_static("pytrace-run");
static THIS_RUN: LazyLock<String> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!("{:x}", now.unwrap_or_default().as_nanos())
});

/// Whether a browser may keep an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caching {
    /// It is about the trace: nowhere but in the page.
    Never,
    /// It may, if it asks each time.
    Ask,
    /// The same, and there is something to compare by.
    Tagged(String),
}

/// An answer to be sent.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) media_type: &'static str,
    pub(super) body: Bytes,
    pub(super) caching: Caching,
    /// Allows a script that stands in the page.
    pub(super) nonce: Option<String>,
}

impl Content {
    /// An answer of the API.
    pub(super) fn json(body: impl Into<Bytes>) -> Self {
        Content {
            media_type: JSON,
            body: body.into(),
            caching: Caching::Never,
            nonce: None,
        }
    }
}

/// The reply that carries `content`, compressed where who asks takes that.
pub(super) fn carry(content: Content, asked: &HeaderMap) -> Result<Reply, Refusal> {
    let mut body = content.body;
    let compress = body.len() > WORTH_COMPRESSING && takes_gzip(asked);
    if compress {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let compressed = gzip.write_all(&body).and_then(|()| gzip.finish());
        body = compressed
            .map_err(|error| Refusal::failed(format!("failed to compress: {error}")))?
            .into();
    }
    let mut reply = with_headers(body, content.media_type, content.nonce.as_deref())?;
    let headers = reply.headers_mut();
    if compress {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let caching = match content.caching {
        Caching::Never => "no-store",
        Caching::Ask => "no-cache",
        Caching::Tagged(tag) => {
            headers.insert(ETAG, header(&tag)?);
            "no-cache"
        }
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(reply)
}

/// What the browser has is still right.
pub(super) fn unchanged(tag: &str) -> Result<Reply, Refusal> {
    let mut reply = with_headers(Bytes::new(), TEXT, None)?;
    *reply.status_mut() = StatusCode::NOT_MODIFIED;
    reply.headers_mut().remove(CONTENT_TYPE);
    reply.headers_mut().insert(ETAG, header(tag)?);
    Ok(reply)
}

/// The reply that says why there is no answer: as JSON to who asks for JSON.
pub(super) fn refuse(refusal: &Refusal, as_json: bool) -> Reply {
    #[derive(Serialize)]
    struct Error<'a> {
        error: &'a str,
    }
    let error = Error {
        error: &refusal.line,
    };
    let (body, media_type) = match serde_json::to_vec(&error) {
        Ok(json) if as_json => (json, JSON),
        _ => (format!("{}\n", refusal.line).into_bytes(), TEXT),
    };
    let mut reply = with_headers(body.into(), media_type, None).unwrap_or_default();
    *reply.status_mut() = refusal.status;
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    // Who sends what is not answered may have sent more, which is no request.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

fn with_headers(body: Bytes, media_type: &str, nonce: Option<&str>) -> Result<Reply, Refusal> {
    let nonce = nonce.map_or(String::new(), |nonce| format!(" 'nonce-{nonce}'"));
    let policy = format!(
        "default-src 'none'; script-src 'self'{nonce}; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let mut reply = Reply::new(Full::new(body));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, header(media_type)?);
    headers.insert(CONTENT_SECURITY_POLICY, header(&policy)?);
    headers.insert(RUN, header(&THIS_RUN)?);
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(reply)
}

fn header(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| Refusal::failed("a header can't be sent"))
}

/// Whether gzip is among the encodings that are taken, and not with a weight of zero.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let mut values = asked.get_all(ACCEPT_ENCODING).iter();
    values.any(|value| {
        let mut encodings = value.to_str().unwrap_or("").split(',');
        encodings.any(|encoding| {
            let (name, weight) = encoding.split_once(';').unwrap_or((encoding, ""));
            let weight = weight.trim().strip_prefix("q=");
            let refused = weight.is_some_and(|weight| weight.parse::<f32>().ok() == Some(0.0));
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
    })
}

/// `answer` as JSON, if it is no longer than an answer may be.
pub(super) fn to_json(answer: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    let mut bounded = Bounded(Vec::new());
    match serde_json::to_writer(&mut bounded, answer) {
        Ok(()) => Ok(bounded.0),
        Err(error) if error.is_io() => Err(Refusal::failed(format!(
            "the answer is longer than {LARGEST} bytes: ask for less"
        ))),
        Err(error) => Err(Refusal::failed(format!("failed to write JSON: {error}"))),
    }
}

/// Takes as many bytes as an answer may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_it_may_be_and_no_longer() {
        let quotes = 2;
        let longest = "x".repeat(LARGEST - quotes);
        assert_eq!(to_json(&longest).unwrap().len(), LARGEST);
        let refusal = to_json(&format!("{longest}x")).unwrap_err();
        assert_eq!(refusal.status, 500);
        assert_eq!(
            refusal.line,
            "the answer is longer than 1000000 bytes: ask for less"
        );
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (accepted, takes) in [
            ("gzip, deflate, br", true),
            ("br;q=1, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("br", false),
            ("xgzip", false),
            ("", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(takes_gzip(&asked), takes, "{accepted}");
            let content = Content::json("x".repeat(WORTH_COMPRESSING + 1));
            let reply = carry(content, &asked).unwrap();
            assert_eq!(reply.headers().contains_key(CONTENT_ENCODING), takes);
        }
    }

    #[test]
    fn a_refusal_is_one_line_in_the_form_that_is_asked_for() {
        let refusal = Refusal::bad("\"quoted\"");
        let kind = |as_json| refuse(&refusal, as_json).headers()[CONTENT_TYPE].clone();
        assert_eq!(kind(true), JSON);
        assert_eq!(kind(false), TEXT);
    }
}
