//! What is served: one trace, to one user.

use std::path::Path;

use super::api::Api;
use super::percent;
use super::trust::Hosts;
use crate::explore::{self, Defaults, Explorer, Origin};

/// A trace and how it is asked for.
#[derive(Debug)]
pub struct Site {
    api: Api,
    hosts: Hosts,
    /// As in `/STEM.html`.
    stem: Vec<u8>,
}

impl Site {
    /// A site for the trace in `explorer`, which was read from the file at `path`.
    pub fn new(
        explorer: &'static Explorer<'static>,
        path: &Path,
        defaults: Defaults,
        hosts: Hosts,
    ) -> Self {
        let origin = Origin::of(path);
        let stem = explore::stem(path).to_vec();
        Site {
            api: Api::new(explorer, &origin, defaults),
            hosts,
            stem,
        }
    }

    /// The path of the page, percent-encoded.
    pub fn page_path(&self) -> String {
        format!("/{}.html", percent::encode(&self.stem))
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    pub(super) fn stem(&self) -> &[u8] {
        &self.stem
    }
}
