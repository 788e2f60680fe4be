//! Asks whether a gateway listens: connect, greet, read its answer, close. Nothing is left behind
//! at the gateway: a session only begins with a later message.

use crate::handshake::{self, GatewayInfo, HandshakeError};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a probe may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeTimeouts {
    /// For the connection.
    pub connect: Duration,
    /// For greeting and answer together, however slowly the bytes come.
    pub answer: Duration,
}

impl Default for ProbeTimeouts {
    fn default() -> Self {
        ProbeTimeouts { connect: Duration::from_secs(2), answer: Duration::from_secs(5) }
    }
}

/// Why no gateway was found at an address.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing took the connection: is TWS or IB Gateway running, and the API port enabled?
    #[error("no connection to {addr}: {source} (is TWS or IB Gateway running, its API enabled?)")]
    Connect {
        /// Address tried.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The connection was taken but no whole answer came in time.
    #[error("no answer within {waited_ms} ms ({bytes} bytes came): not a gateway, or it hangs")]
    Deadline {
        /// Time allowed, milliseconds.
        waited_ms: u128,
        /// Bytes that came.
        bytes: usize,
    },
    /// The other side closed: versions without overlap, or this address is not a trusted one.
    #[error(
        "the other side closed after {bytes} bytes: TWS or IB Gateway older than 10.40, or this \
         machine is not among its trusted addresses"
    )]
    Closed {
        /// Bytes that came before.
        bytes: usize,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[source] io::Error),
    /// Something answered that is not a gateway we can speak to.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// Connects to `addr`, greets, and returns what the gateway says of itself.
///
/// # Errors
/// [`ProbeError`], within the sum of `timeouts` whatever the other side does.
pub fn probe(addr: SocketAddr, timeouts: &ProbeTimeouts) -> Result<GatewayInfo, ProbeError> {
    let stream = TcpStream::connect_timeout(&addr, timeouts.connect)
        .map_err(|source| ProbeError::Connect { addr, source })?;
    let end = Instant::now() + timeouts.answer;
    let mut talk = Talk { stream, end, allowed: timeouts.answer, received: 0 };
    talk.send(&handshake::greeting())?;
    let mut length = [0; 4];
    talk.receive(&mut length)?;
    let mut answer = [0; handshake::ANSWER_BYTES_MAX as usize];
    let answer = &mut answer[..handshake::answer_bytes(length)?];
    talk.receive(answer)?;
    Ok(handshake::parse_answer(answer)?)
}

/// A connection with one deadline for everything.
struct Talk {
    stream: TcpStream,
    end: Instant,
    allowed: Duration,
    received: usize,
}

impl Talk {
    fn send(&mut self, bytes: &[u8]) -> Result<(), ProbeError> {
        let left = self.left()?;
        self.stream.set_write_timeout(Some(left)).map_err(ProbeError::Io)?;
        self.stream.write_all(bytes).map_err(|e| self.judge(e))
    }

    fn receive(&mut self, buf: &mut [u8]) -> Result<(), ProbeError> {
        let mut filled = 0;
        while filled < buf.len() {
            let left = self.left()?;
            self.stream.set_read_timeout(Some(left)).map_err(ProbeError::Io)?;
            match self.stream.read(&mut buf[filled..]) {
                Ok(0) => return Err(ProbeError::Closed { bytes: self.received }),
                Ok(n) => {
                    filled += n;
                    self.received += n;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.judge(e)),
            }
        }
        Ok(())
    }

    /// Returns the time left, never zero (zero would mean "for ever" to a socket).
    fn left(&self) -> Result<Duration, ProbeError> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left < Duration::from_micros(1) { Err(self.deadline()) } else { Ok(left) }
    }

    fn judge(&self, error: io::Error) -> ProbeError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.deadline(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                ProbeError::Closed { bytes: self.received }
            }
            _ => ProbeError::Io(error),
        }
    }

    fn deadline(&self) -> ProbeError {
        ProbeError::Deadline { waited_ms: self.allowed.as_millis(), bytes: self.received }
    }
}
