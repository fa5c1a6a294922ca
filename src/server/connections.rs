//! Connections: how many there are, and how long each may take.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::routes;
use super::site::Site;

/// Connections at a time: browsers open six for a page. Others wait to be accepted.
const CONNECTIONS: usize = 256;
/// How long a request may take to arrive, and how long none may come.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection is kept for further requests. Whoever reads slowly does not get around it.
const LIFETIME: Duration = Duration::from_secs(300);
/// How long the answer that is on its way then may take.
const GRACE: Duration = Duration::from_secs(60);
/// Lines of a request's head.
const HEADERS: usize = 64;
/// Bytes of a request's head: `open`, its largest parameter, with each of its characters escaped.
const HEAD: usize = 64 << 10;
/// How long to wait where there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and answers their requests, without an end.
pub(super) async fn accept(listeners: Vec<TcpListener>, site: Site) -> io::Result<()> {
    // It lives as long as the process, and so can be shared by all that answers.
    let site: &'static Site = Box::leak(Box::new(site));
    site.api().prepare();
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let free = Arc::clone(&free);
        accepting.spawn(async move {
            // Nobody closes the semaphore.
            while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        tokio::spawn(async move {
                            converse(stream, site).await;
                            drop(permit);
                        });
                    }
                    // The connection is gone again, or no descriptor is left for it.
                    Err(_) => sleep(PAUSE).await,
                }
            }
        });
    }
    while accepting.join_next().await.is_some() {}
    Ok(())
}

/// Answers the requests of a connection. How it ends is no matter: whoever asked is gone, or at fault.
async fn converse(stream: TcpStream, site: &'static Site) {
    // An answer is written at once; to wait for more of it is to wait for nothing.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| async move {
        Ok::<_, Infallible>(routes::answer(site, request).await)
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut conversation = pin!(conversation);
    if timeout(LIFETIME, conversation.as_mut()).await.is_err() {
        conversation.as_mut().graceful_shutdown();
        let _ = timeout(GRACE, conversation).await;
    }
}
