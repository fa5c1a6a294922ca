//! A request that is not answered, and why.

use hyper::StatusCode;

/// Why there is no answer: a status and one line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) line: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, line: impl Into<String>) -> Self {
        let line = line.into();
        Refusal { status, line }
    }

    /// The request makes no sense.
    pub(super) fn bad(line: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, line)
    }

    /// What it is about is not there.
    pub(super) fn missing(line: impl Into<String>) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, line)
    }

    /// Whoever asks may not.
    pub(super) fn forbidden(line: impl Into<String>) -> Self {
        Refusal::new(StatusCode::FORBIDDEN, line)
    }

    /// It could be answered, and was not.
    pub(super) fn failed(line: impl Into<String>) -> Self {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, line)
    }
}
