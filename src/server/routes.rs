//! Which request is answered by what.

use std::io;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::IF_NONE_MATCH;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use nix::errno::Errno;

use super::assets::{self, Asset};
use super::percent;
use super::query::Query;
use super::refusal::Refusal;
use super::reply::{self, Caching, Content, HTML, Reply};
use super::site::Site;
use super::trust::{self, Asked};

const API: &str = "/api/";
const ASSETS: &str = "/assets/";

/// Answers a request, or says why not. A body is not looked at: who sends one is refused.
pub async fn answer<B>(site: &'static Site, request: Request<B>) -> Response<Full<Bytes>> {
    let (parts, _) = request.into_parts();
    let replied = replied(site, &parts).await;
    replied.unwrap_or_else(|refusal| reply::refuse(&refusal, parts.uri.path().starts_with(API)))
}

async fn replied(site: &'static Site, parts: &Parts) -> Result<Reply, Refusal> {
    let path = parts.uri.path();
    let asked = match path == "/" || is_page(site, path) {
        true => Asked::Page,
        false => Asked::Part,
    };
    trust::check(site.hosts(), parts, asked)?;
    if asked == Asked::Page {
        return page(parts);
    }
    if let Some(name) = path.strip_prefix(ASSETS) {
        return asset(name, parts);
    }
    match path.strip_prefix(API) {
        Some(name) => {
            let query = Query::parse(parts.uri.query().unwrap_or(""))?;
            let answered = site.api().answer(name, query).await?;
            reply::carry(Content::json(answered), &parts.headers)
        }
        None => Err(Refusal::missing("there is nothing here: the page is at /")),
    }
}

/// Whether it is `/STEM.html`, of the trace that is served.
fn is_page(site: &Site, path: &str) -> bool {
    path.strip_prefix('/')
        .and_then(percent::decode)
        .is_some_and(|name| name.strip_suffix(b".html") == Some(site.stem()))
}

fn page(parts: &Parts) -> Result<Reply, Refusal> {
    let nonce = nonce().map_err(|error| Refusal::failed(format!("no random numbers: {error}")))?;
    let content = Content {
        media_type: HTML,
        body: assets::page(&nonce).into(),
        caching: Caching::Ask,
        nonce: Some(nonce),
    };
    reply::carry(content, &parts.headers)
}

fn asset(name: &str, parts: &Parts) -> Result<Reply, Refusal> {
    let asset = Asset::find(name).ok_or_else(|| Refusal::missing("the page has no such file"))?;
    let tag = asset.tag();
    let known = parts.headers.get(IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return reply::unchanged(&tag);
    }
    let content = Content {
        media_type: asset.media_type(),
        body: asset.bytes.into(),
        caching: Caching::Tagged(tag),
        nonce: None,
    };
    reply::carry(content, &parts.headers)
}

/// What nobody can guess, for a script that stands in a page.
pub(super) fn nonce() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    // SAFETY: writes to an array of that length. So few bytes come whole (getrandom(2)).
    let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    Errno::result(filled)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
