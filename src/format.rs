//! Trace files: Chrome Trace Event Format, plain or gzipped.
//!
//! [`ChromeWriter`] streams calls to an [`Output`], which for files is an [`OutputFile`];
//! [`read`](read()) makes a [`Recording`](crate::recording::Recording) of a file, whoever wrote it.
//!
//! A file is one JSON object with an event per line:
//! ```json
//! {"traceEvents":[
//! {"ph":"M","name":"thread_name","pid":812,"tid":812,"args":{"name":"python3"}},
//! {"ph":"X","pid":812,"tid":812,"ts":1234.567,"dur":8.901,"name":"step","cat":"internal","args":{"call":17,"depth":2,"file":"/p/train.py","line":88,"kind":"function","arguments":{"batch":"list[8] [1, 2, 3, …]"},"return":"0.25"}}
//! ],"displayTimeUnit":"ns","pytrace":{"format":1}}
//! ```

mod ahead;
mod chrome;
mod escape;
mod event;
mod file;
mod gzip;
mod number;
mod output;
mod read;
mod scan;
mod values;
mod write;

pub(crate) use chrome::HEAD as CHROME_HEAD;
pub use chrome::{ChromeWriter, Ended};
pub use file::{Compression, OutputFile, Storage};
pub use output::Output;
pub use read::{ReadError, read, read_from};
pub use write::write;
