//! `pytrace serve`, running.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::http::Connection;

/// As long as a trace may take to load.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(10);

/// A server on a port of its own, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    /// Where it listens.
    pub(crate) port: u16,
    /// From its start until it had an answer.
    pub(crate) loading: Duration,
}

impl Server {
    /// Serves `trace`, and waits until it is loaded.
    pub(crate) fn start(pytrace: &Path, trace: &Path, options: &[&str]) -> Result<Server> {
        let port = free_port()?;
        let start = Instant::now();
        let process = Command::new(pytrace)
            .arg("serve")
            .arg(trace)
            .arg(port.to_string())
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("pytrace does not start")?;
        let mut server = Server {
            process,
            port,
            loading: Duration::ZERO,
        };
        while !server.answers() {
            if let Some(status) = server.process.try_wait()? {
                let mut said = String::new();
                if let Some(mut errors) = server.process.stderr.take() {
                    std::io::Read::read_to_string(&mut errors, &mut said)?;
                }
                bail!("pytrace serve ended, {status}: {said}");
            }
            if start.elapsed() > PATIENCE {
                bail!("pytrace serve does not answer");
            }
            thread::sleep(PAUSE);
        }
        server.loading = start.elapsed();
        Ok(server)
    }

    fn answers(&self) -> bool {
        let answer = Connection::open(self.port).and_then(|mut server| server.get("/api/trace"));
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// What its pages' URLs begin with.
    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Asks for a piece of JSON.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let answer = Connection::open(self.port)?.get(path)?;
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// A line of its `/proc/PID/status`, in bytes.
    pub(crate) fn memory(&self, line: &str) -> Result<u64> {
        memory_of(self.process.id(), line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What `/proc/PID/status` says of a process's memory, in bytes.
pub(crate) fn memory_of(pid: u32, line: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status
        .lines()
        .filter_map(|text| text.split_once(':'))
        .find(|(name, _)| *name == line);
    let (_, value) = found.context("no such line")?;
    let kilobytes: u64 = value.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
