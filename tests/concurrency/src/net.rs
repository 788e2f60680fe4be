//! The network under the models: a venue that follows a script, one entry a connection.

use crate::world::sync::Mutex;
use crate::world::thread::yield_now;
use std::io::{self, ErrorKind};
pub use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What a connection delivers, and whether the venue then breaks it.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub deliver: &'static [u8],
    pub breaks: bool,
}

#[derive(Debug, Default)]
struct Connection {
    delivered: usize,
    shut: bool,
    got: Vec<u8>,
}

/// The venue.
#[derive(Debug)]
pub struct Net {
    script: Vec<Script>,
    connections: Mutex<Vec<Connection>>,
}

static CURRENT: std::sync::Mutex<Option<Arc<Net>>> = std::sync::Mutex::new(None);

/// Puts a new venue there.
pub fn insert(script: &[Script]) -> Arc<Net> {
    let net = Net { script: script.to_vec(), connections: Mutex::new(Vec::new()) };
    let net = Arc::new(net);
    *CURRENT.lock().unwrap() = Some(Arc::clone(&net));
    net
}

impl Net {
    /// Returns what the venue got on each connection.
    pub fn got(&self) -> Vec<Vec<u8>> {
        self.connections.lock().unwrap().iter().map(|c| c.got.clone()).collect()
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct UnixStream {
    net: Arc<Net>,
    at: usize,
}

/// The models use the other kind.
pub type TcpStream = UnixStream;

impl UnixStream {
    pub fn connect(_: &Path) -> io::Result<UnixStream> {
        let net = CURRENT.lock().unwrap().clone().expect("a venue is there");
        let mut connections = net.connections.lock().unwrap();
        let at = connections.len();
        if at == net.script.len() {
            drop(connections);
            yield_now();
            return Err(ErrorKind::ConnectionRefused.into());
        }
        connections.push(Connection::default());
        drop(connections);
        Ok(UnixStream { net, at })
    }

    pub fn connect_timeout(_: &SocketAddr, _: Duration) -> io::Result<UnixStream> {
        UnixStream::connect(Path::new(""))
    }

    pub fn set_nodelay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    pub fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    pub fn try_clone(&self) -> io::Result<UnixStream> {
        Ok(UnixStream { net: Arc::clone(&self.net), at: self.at })
    }

    pub fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        self.net.connections.lock().unwrap()[self.at].shut = true;
        Ok(())
    }
}

impl io::Read for UnixStream {
    /// One byte a read: an end can come after each.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let script = self.net.script[self.at];
        let mut connections = self.net.connections.lock().unwrap();
        let connection = &mut connections[self.at];
        if connection.shut {
            return Ok(0);
        }
        if let Some(byte) = script.deliver.get(connection.delivered) {
            buf[0] = *byte;
            connection.delivered += 1;
            return Ok(1);
        }
        if script.breaks {
            connection.shut = true;
            return Ok(0);
        }
        drop(connections);
        yield_now();
        Err(ErrorKind::WouldBlock.into())
    }
}

impl io::Write for UnixStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut connections = self.net.connections.lock().unwrap();
        let connection = &mut connections[self.at];
        if connection.shut {
            return Err(ErrorKind::BrokenPipe.into());
        }
        connection.got.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
