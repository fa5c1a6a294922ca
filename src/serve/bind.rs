//! The address to answer at, and what to say where it can't be had.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use anyhow::{Context as _, Result, anyhow};

use crate::cli::{DEFAULT_PORT, ServeOptions};
use crate::error::WithHint as _;

/// How many ports behind the one that is taken are tried.
const TRIED: u16 = 100;
/// Ports below this take a right to answer at.
const FIRST_FREE_FOR_ALL: u16 = 1024;

/// Where requests arrive.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) port: u16,
}

/// Takes the address that is asked for.
pub(super) fn bind(options: &ServeOptions) -> Result<Bound> {
    let addresses = addresses(options.host.as_deref())?;
    match bind_all(&addresses, options.port) {
        Ok(bound) => Ok(bound),
        Err(error) => Err(explain(error, &addresses, options)),
    }
}

/// The addresses that `host` stands for, the first of which matters most.
fn addresses(host: Option<&str>) -> Result<Vec<IpAddr>> {
    let Some(host) = host else {
        // Both: who asks for localhost may be led to either, and must not meet someone else there.
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    };
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Ok(address) = literal.unwrap_or(host).parse() {
        return Ok(vec![address]);
    }
    let mut addresses: Vec<IpAddr> = (host, 0)
        .to_socket_addrs()
        .with_context(|| format!("failed to find the address of {host}"))
        .hint("--host takes an address of this machine; 0.0.0.0 stands for all of them")?
        .map(|address| address.ip())
        .collect();
    addresses.dedup();
    Ok(addresses)
}

/// Binds the first address, and those of the others that there are.
fn bind_all(addresses: &[IpAddr], port: u16) -> io::Result<Bound> {
    let mut bound = Bound {
        listeners: Vec::new(),
        port,
    };
    for &address in addresses {
        match TcpListener::bind(SocketAddr::new(address, bound.port)) {
            Ok(listener) => {
                bound.port = listener.local_addr()?.port();
                bound.listeners.push(listener);
            }
            // No IPv6 here.
            Err(error)
                if !bound.listeners.is_empty() && error.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    match bound.listeners.is_empty() {
        true => Err(io::ErrorKind::AddrNotAvailable.into()),
        false => Ok(bound),
    }
}

fn explain(error: io::Error, addresses: &[IpAddr], options: &ServeOptions) -> anyhow::Error {
    let port = options.port;
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let free = (1..=TRIED)
                .filter_map(|step| port.checked_add(step))
                .find(|&port| bind_all(addresses, port).is_ok());
            let error = anyhow!("port {port} is taken");
            error.hint(command(options, free.unwrap_or(0)))
        }
        io::ErrorKind::PermissionDenied if port < FIRST_FREE_FOR_ALL => anyhow!(error)
            .context(format!("failed to answer at port {port}"))
            .hint(command(options, DEFAULT_PORT)),
        io::ErrorKind::AddrNotAvailable => {
            let host = options.host.as_deref().unwrap_or("localhost");
            anyhow!("{host} is no address of this machine")
                .hint("`ip address` lists them; 0.0.0.0 stands for all of them")
        }
        _ => anyhow!(error).context(format!("failed to answer at port {port}")),
    }
}

/// The same command with another port.
fn command(options: &ServeOptions, port: u16) -> String {
    let trace = options.trace.display().to_string();
    let mut command = format!("pytrace serve {} {port}", quoted(&trace));
    if options.no_patterns {
        command.push_str(" --no-patterns");
    }
    if options.hide_imports {
        command.push_str(" --hide-imports");
    }
    if let Some(host) = &options.host {
        command.push_str(" --host ");
        command.push_str(&quoted(host));
    }
    command
}

/// `word` as a shell takes it for one word, itself.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=~".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(trace: &str) -> ServeOptions {
        ServeOptions {
            trace: trace.into(),
            port: 8080,
            no_patterns: false,
            hide_imports: false,
            host: None,
        }
    }

    #[test]
    fn the_command_with_another_port_is_the_same_otherwise() {
        assert_eq!(
            command(&options("a/train.json"), 8081),
            "pytrace serve a/train.json 8081"
        );
        let all = ServeOptions {
            no_patterns: true,
            hide_imports: true,
            host: Some("::1".into()),
            ..options("it's mine.json")
        };
        assert_eq!(
            command(&all, 1),
            r"pytrace serve 'it'\''s mine.json' 1 --no-patterns --hide-imports --host ::1"
        );
    }

    #[test]
    fn a_host_is_an_address_with_and_without_brackets() {
        for host in ["::1", "[::1]"] {
            assert_eq!(
                addresses(Some(host)).unwrap(),
                [IpAddr::V6(Ipv6Addr::LOCALHOST)]
            );
        }
    }
}
