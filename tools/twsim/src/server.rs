//! Sockets, threads and the clock around the protocol. Loopback only.

use crate::greeting::{self, Greeting, SERVER_VERSION_MAX, SERVER_VERSION_MIN};
use crate::session::Session;
use crate::wire::{FRAME_BYTES_MAX, Incoming, read_frame};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Clients served at once, as the real gateway.
const CONNECTION_COUNT_MAX: usize = 32;
/// Time for a whole greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// How often waiting connections look whether the server stops.
const POLL: Duration = Duration::from_millis(50);

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimConfig {
    /// Server version, 213 to 226.
    pub server_version: u32,
    /// Time and zone given to every client.
    pub connection_time: String,
    /// Seconds since 1970 at which the clock stands; `None` lets it run.
    pub fixed_time_s: Option<i64>,
}

impl Default for SimConfig {
    fn default() -> Self {
        SimConfig {
            server_version: SERVER_VERSION_MAX,
            connection_time: "20260102 09:30:00 US/Eastern".to_string(),
            fixed_time_s: None,
        }
    }
}

/// Why the simulator does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A version the simulator does not speak.
    #[error("server version {found}: expected 213 to 226")]
    Version {
        /// Version asked for.
        found: u32,
    },
    /// The port cannot be taken: choose another, or 0 for any.
    #[error("127.0.0.1:{port}: {source}")]
    Bind {
        /// Port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

/// A simulator that runs until dropped.
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    config: SimConfig,
    stop: AtomicBool,
    connections: AtomicUsize,
    client_ids: Mutex<BTreeSet<i32>>,
}

impl Server {
    /// Listens on 127.0.0.1; port 0 takes any free one.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start(port: u16, config: SimConfig) -> Result<Server, ServerError> {
        let found = config.server_version;
        if !(SERVER_VERSION_MIN..=SERVER_VERSION_MAX).contains(&found) {
            return Err(ServerError::Version { found });
        }
        let bind = |source| ServerError::Bind { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let shared = Arc::new(Shared {
            config,
            stop: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            client_ids: Mutex::new(BTreeSet::new()),
        });
        let acceptor_shared = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &acceptor_shared));
        Ok(Server { addr, shared, acceptor: Some(acceptor) })
    }

    /// Returns the address listened on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits for ever: the command's main thread.
    pub fn join(mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(acceptor) = self.acceptor.take() {
            // Wakes the acceptor; it then sees the flag.
            let _ = TcpStream::connect_timeout(&self.addr, Duration::from_secs(1));
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else {
            // Out of descriptors or the like: leave the others their time.
            thread::sleep(POLL);
            continue;
        };
        threads.retain(|t| !t.is_finished());
        if shared.connections.load(Ordering::SeqCst) >= CONNECTION_COUNT_MAX {
            continue;
        }
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        threads.push(thread::spawn(move || {
            let mut session = Session::default();
            // A connection that breaks concerns its client alone.
            let _ = serve(stream, &shared, &mut session);
            if let Some(id) = session.client_id() {
                shared.client_ids().remove(&id);
            }
            shared.connections.fetch_sub(1, Ordering::SeqCst);
        }));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

impl Shared {
    fn client_ids(&self) -> std::sync::MutexGuard<'_, BTreeSet<i32>> {
        self.client_ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        match self.config.fixed_time_s {
            Some(s) => s.saturating_mul(1_000),
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Shared, session: &mut Session) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(POLL))?;
    stream.set_write_timeout(Some(GREETING_TIMEOUT))?;
    let mut input = Vec::new();
    let greeting_end = Instant::now() + GREETING_TIMEOUT;
    loop {
        match greeting::read(&input, shared.config.server_version) {
            Greeting::Refuse => return Ok(()),
            Greeting::Accept { version, consumed } => {
                input.drain(..consumed);
                let answer = greeting::answer(version, &shared.config.connection_time);
                stream.write_all(&answer)?;
                break;
            }
            Greeting::NeedMore if Instant::now() >= greeting_end => return Ok(()),
            Greeting::NeedMore => {}
        }
        if !receive(&mut stream, shared, &mut input)? {
            return Ok(());
        }
    }
    loop {
        let reply = match read_frame(&input) {
            Incoming::Broken => return Ok(()),
            Incoming::NeedMore => None,
            Incoming::Frame { id, body, consumed } => {
                let claim = &mut |id| shared.client_ids().insert(id);
                let reply = session.answer(id, body, shared.now_ms(), claim);
                Some((reply, consumed))
            }
        };
        if let Some((reply, consumed)) = reply {
            input.drain(..consumed);
            stream.write_all(&reply.bytes)?;
            if reply.close {
                return Ok(());
            }
        } else if !receive(&mut stream, shared, &mut input)? {
            return Ok(());
        }
    }
}

/// Waits one poll for more input; returns whether the connection goes on.
fn receive(stream: &mut TcpStream, shared: &Shared, input: &mut Vec<u8>) -> io::Result<bool> {
    if shared.stop.load(Ordering::SeqCst) || input.len() > FRAME_BYTES_MAX + 8 {
        return Ok(false);
    }
    let mut buf = [0; 4096];
    match stream.read(&mut buf) {
        Ok(0) => Ok(false),
        Ok(n) => {
            input.extend_from_slice(&buf[..n]);
            Ok(true)
        }
        Err(e) => match e.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
                Ok(true)
            }
            _ => Err(e),
        },
    }
}
