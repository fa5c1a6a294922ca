//! Answers the page's requests on behalf of one user, and refuses everybody else's.
//!
//! ```text
//!  listeners ─► connections ─► trust ─► routes ─┬─► assets          the page, out of this binary
//!               how many,      from our page?   ├─► api ─► Explorer  on a thread that may take its time
//!               how long                        └─► source          files that the trace names
//!                                     reply ◄───┘
//! ```
//!
//! What is trusted: the binary itself. What is not: the trace, whose strings are anybody's; other pages in
//! the same browser, which can send requests here and must not learn anything; whoever else
//! reaches the port. No path of a request is ever looked up in the file system.

mod api;
mod assets;
mod connections;
mod percent;
mod query;
mod questions;
mod refusal;
mod reply;
mod routes;
mod single_file;
mod site;
mod source;
mod trust;

use std::net::TcpListener;

use anyhow::{Context as _, Result};

pub use routes::answer;
pub use single_file::{SingleFile, single_file};
pub use site::Site;
pub use trust::Hosts;

/// Threads that take part in conversations. What takes longer runs on others, see [`api`].
const WORKERS: usize = 2;

/// Answers requests until the process ends.
///
/// # Errors
///
/// The system gives no threads, or does not take the listeners.
pub fn serve(listeners: Vec<TcpListener>, site: Site) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(api::AT_ONCE)
        .enable_io()
        .enable_time()
        .build()
        .context("failed to start the server's threads")?;
    runtime
        .block_on(connections::accept(listeners, site))
        .context("failed to answer requests")
}
