//! Where a link goes.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// How long one TCP connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// An address of a venue on this machine. The protocol proves nobody's identity, so it never
/// leaves the machine: access is what the socket file's permissions or the loopback give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkAddress {
    /// TCP on the loopback.
    Tcp(Vec<SocketAddr>),
    /// A unix socket.
    Unix(PathBuf),
}

/// Why a text is no address of a link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is none of the two forms.
    #[error("link address '{0}': expected HOST:PORT on this machine or unix:PATH")]
    Form(String),
    /// The host has no address.
    #[error("link address '{0}': {1}")]
    Resolve(String, String),
    /// The host is another machine.
    #[error("link address '{0}': {1} is not on the loopback; a link stays on its machine")]
    NotLoopback(String, SocketAddr),
}

impl FromStr for LinkAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<LinkAddress, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(AddressError::Form(text.to_string()));
            }
            return Ok(LinkAddress::Unix(Path::new(path).to_path_buf()));
        }
        if !text.contains(':') {
            return Err(AddressError::Form(text.to_string()));
        }
        let resolved = text
            .to_socket_addrs()
            .map_err(|e| AddressError::Resolve(text.to_string(), e.to_string()))?;
        let addresses: Vec<_> = resolved.collect();
        if let Some(other) = addresses.iter().find(|a| !a.ip().is_loopback()) {
            return Err(AddressError::NotLoopback(text.to_string(), *other));
        }
        if addresses.is_empty() {
            return Err(AddressError::Form(text.to_string()));
        }
        Ok(LinkAddress::Tcp(addresses))
    }
}

impl LinkAddress {
    /// Opens a connection.
    pub(super) fn connect(&self) -> io::Result<Stream> {
        match self {
            LinkAddress::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
            LinkAddress::Tcp(addresses) => {
                let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
                for address in addresses {
                    match TcpStream::connect_timeout(address, CONNECT_TIMEOUT) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            return Ok(Stream::Tcp(stream));
                        }
                        Err(e) => last = e,
                    }
                }
                Err(last)
            }
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub fn try_clone(&self) -> io::Result<Stream> {
        match self {
            Stream::Tcp(s) => s.try_clone().map(Stream::Tcp),
            Stream::Unix(s) => s.try_clone().map(Stream::Unix),
        }
    }

    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(s) => s.set_read_timeout(Some(timeout)),
            Stream::Unix(s) => s.set_read_timeout(Some(timeout)),
        }
    }

    /// Ends both directions; whoever waits on the socket in another thread returns.
    pub fn shutdown(&self) {
        // It fails only where the connection is gone already.
        let _ = match self {
            Stream::Tcp(s) => s.shutdown(std::net::Shutdown::Both),
            Stream::Unix(s) => s.shutdown(std::net::Shutdown::Both),
        };
    }
}

impl io::Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.read(buf),
            Stream::Unix(s) => s.read(buf),
        }
    }
}

impl io::Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.write(buf),
            Stream::Unix(s) => s.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_other_machines_refused() {
        let unix: LinkAddress = "unix:/run/ijk/venue".parse().unwrap();
        assert_eq!(unix, LinkAddress::Unix(PathBuf::from("/run/ijk/venue")));
        for text in ["127.0.0.1:4010", "[::1]:4010", "127.9.9.9:1"] {
            let LinkAddress::Tcp(addresses) = text.parse().unwrap() else { panic!("{text}") };
            assert!(addresses.iter().all(|a| a.ip().is_loopback()), "{addresses:?}");
        }
        for text in ["", "unix:", "4010", "127.0.0.1"] {
            assert!(matches!(text.parse::<LinkAddress>(), Err(AddressError::Form(_))), "{text}");
        }
        for text in ["127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x"] {
            let error = text.parse::<LinkAddress>().unwrap_err();
            assert!(matches!(error, AddressError::Resolve(..)), "{text}: {error}");
        }
        for text in ["10.0.0.1:4010", "0.0.0.0:4010", "[::]:1"] {
            let error = text.parse::<LinkAddress>().unwrap_err();
            assert!(matches!(error, AddressError::NotLoopback(..)), "{text}: {error}");
        }
    }
}
