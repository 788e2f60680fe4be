//! Sockets, threads and the clock around the gateway. Loopback only.

use crate::admin;
use crate::config::{SetupError, SimConfig};
use crate::gateway::{ConnId, Gateway};
use crate::greeting::{self, Greeting};
use crate::time;
use crate::wire::{FRAME_BYTES_MAX, Incoming, read_frame};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Clients served at once, as the real gateway.
const CONNECTION_COUNT_MAX: usize = 32;
/// Time for a whole greeting, and for a client to take what is sent.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// How often waiting threads look whether the server stops.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// Longest simulated time that passes while the gateway is locked.
const STEP_NS: u64 = 100_000_000;

/// Why the simulator does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Settings that cannot be simulated.
    #[error(transparent)]
    Setup(#[from] SetupError),
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
    admin_addr: Option<SocketAddr>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What all threads share.
pub(crate) struct Shared {
    gateway: Mutex<Gateway>,
    changed: Condvar,
    pub(crate) stop: AtomicBool,
    connections: AtomicUsize,
    clock: Option<Clock>,
    version: u32,
}

/// A running clock: simulated nanoseconds since a real instant.
struct Clock {
    begin: Instant,
    begin_ns: u64,
    speed: f64,
}

impl Clock {
    fn now_ns(&self) -> u64 {
        let passed = self.begin.elapsed().as_nanos() as f64 * self.speed;
        self.begin_ns.saturating_add(passed as u64)
    }
}

impl Server {
    /// Listens on 127.0.0.1; port 0 takes any free one.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start(port: u16, config: SimConfig) -> Result<Server, ServerError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let from_now = config.start_now && config.fixed_time_s.is_none();
        let start_ns = from_now.then(|| now.as_secs() * time::SECOND);
        Server::with_gateway(port, Gateway::open_at(config, start_ns)?)
    }

    /// Serves a gateway made by the caller.
    ///
    /// # Errors
    /// [`ServerError::Bind`].
    pub fn with_gateway(port: u16, gateway: Gateway) -> Result<Server, ServerError> {
        let (listener, addr) = listen(port)?;
        let config = gateway.config();
        let running = config.fixed_time_s.is_none();
        let clock = running.then(|| Clock {
            begin: Instant::now(),
            begin_ns: gateway.now_ns(),
            speed: config.speed,
        });
        let shared = Arc::new(Shared {
            version: config.server_version,
            gateway: Mutex::new(gateway),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            clock,
        });
        let acceptor = Arc::clone(&shared);
        let mut threads = vec![thread::spawn(move || accept(&listener, &acceptor))];
        if shared.clock.is_some() {
            let ticker = Arc::clone(&shared);
            threads.push(thread::spawn(move || tick(&ticker)));
        }
        Ok(Server { addr, admin_addr: None, shared, threads })
    }

    /// Opens the admin socket: commands a line each.
    ///
    /// # Errors
    /// [`ServerError::Bind`].
    pub fn open_admin(&mut self, port: u16) -> Result<SocketAddr, ServerError> {
        let (listener, addr) = listen(port)?;
        let shared = Arc::clone(&self.shared);
        self.threads.push(thread::spawn(move || admin::accept(&listener, &shared)));
        self.admin_addr = Some(addr);
        Ok(addr)
    }

    /// Returns the address listened on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Runs a command of the admin socket.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn command(&self, line: &str) -> Result<String, String> {
        self.shared.command(line)
    }

    /// Lends the gateway: to read what is really so, or to let a standing clock go on.
    pub fn with<T>(&self, f: impl FnOnce(&mut Gateway) -> T) -> T {
        let result = f(&mut self.shared.gateway());
        self.shared.changed.notify_all();
        result
    }

    /// Waits for ever: the command's main thread.
    pub fn join(mut self) {
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        for addr in [Some(self.addr), self.admin_addr].into_iter().flatten() {
            // Wakes an acceptor; it then sees the flag.
            let _ = TcpStream::connect_timeout(&addr, Duration::from_secs(1));
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn listen(port: u16) -> Result<(TcpListener, SocketAddr), ServerError> {
    let bind = |source| ServerError::Bind { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;
    Ok((listener, addr))
}

impl Shared {
    fn gateway(&self) -> MutexGuard<'_, Gateway> {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command at the present time.
    pub(crate) fn command(&self, line: &str) -> Result<String, String> {
        let mut gateway = self.gateway();
        if let Some(clock) = &self.clock {
            let now_ns = clock.now_ns().min(gateway.now_ns().saturating_add(STEP_NS));
            gateway.advance(now_ns);
        }
        let said = gateway.command(line);
        drop(gateway);
        self.changed.notify_all();
        said
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Lets the running clock go on.
fn tick(shared: &Shared) {
    let Some(clock) = &shared.clock else { return };
    while !shared.stopped() {
        let mut gateway = shared.gateway();
        let target = clock.now_ns();
        let behind = target > gateway.now_ns().saturating_add(STEP_NS);
        let to = if behind { gateway.now_ns() + STEP_NS } else { target };
        gateway.advance(to);
        let due = gateway.next_due();
        drop(gateway);
        shared.changed.notify_all();
        if !behind {
            let left_ns = due.map_or(u64::MAX, |ns| ns.saturating_sub(clock.now_ns()));
            let real = Duration::from_nanos((left_ns as f64 / clock.speed) as u64);
            thread::sleep(real.clamp(Duration::from_micros(100), Duration::from_millis(2)));
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if shared.stopped() {
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
            // A connection that breaks concerns its client alone.
            let _ = serve(stream, &shared);
            shared.connections.fetch_sub(1, Ordering::SeqCst);
        }));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn serve(mut stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(POLL))?;
    stream.set_write_timeout(Some(GREETING_TIMEOUT))?;
    let mut input = Vec::new();
    let Some(version) = greet(&mut stream, shared, &mut input)? else { return Ok(()) };
    let Some(conn) = shared.gateway().connect(version) else { return Ok(()) };
    let writer = {
        let (stream, shared) = (stream.try_clone()?, Arc::clone(shared));
        thread::spawn(move || write(stream, &shared, conn))
    };
    let read = read(&mut stream, shared, conn, &mut input);
    shared.gateway().hang_up(conn);
    shared.changed.notify_all();
    let _ = writer.join();
    read
}

/// Returns the version agreed on; `None` if the client is to be closed.
fn greet(stream: &mut TcpStream, shared: &Shared, input: &mut Vec<u8>) -> io::Result<Option<u32>> {
    let end = Instant::now() + GREETING_TIMEOUT;
    loop {
        match greeting::read(input, shared.version) {
            Greeting::Refuse => return Ok(None),
            Greeting::Accept { version, consumed } => {
                input.drain(..consumed);
                let now_ns = shared.gateway().now_ns();
                stream.write_all(&greeting::answer(version, &time::stamp(now_ns)))?;
                return Ok(Some(version));
            }
            Greeting::NeedMore if Instant::now() >= end => return Ok(None),
            Greeting::NeedMore => {}
        }
        if !receive(stream, shared, input)? {
            return Ok(None);
        }
    }
}

fn read(
    stream: &mut TcpStream,
    shared: &Shared,
    conn: ConnId,
    input: &mut Vec<u8>,
) -> io::Result<()> {
    loop {
        let mut done = 0;
        let mut broken = false;
        while !broken {
            match read_frame(&input[done..]) {
                Incoming::NeedMore => break,
                Incoming::Broken => broken = true,
                Incoming::Frame { id, body, consumed } => {
                    let mut gateway = shared.gateway();
                    if let Some(clock) = &shared.clock {
                        let now_ns = clock.now_ns().min(gateway.now_ns().saturating_add(STEP_NS));
                        gateway.advance(now_ns);
                    }
                    gateway.request(conn, id, body);
                    drop(gateway);
                    shared.changed.notify_all();
                    done += consumed;
                }
            }
        }
        input.drain(..done);
        if broken || !receive(stream, shared, input)? {
            return Ok(());
        }
    }
}

/// Sends what the gateway has for a connection until either of them ends it.
fn write(mut stream: TcpStream, shared: &Shared, conn: ConnId) {
    loop {
        let mut gateway = shared.gateway();
        let mut output = gateway.take_output(conn);
        while output.bytes.is_empty() && !output.close && !shared.stopped() {
            let waited = shared.changed.wait_timeout(gateway, POLL);
            gateway = waited.unwrap_or_else(PoisonError::into_inner).0;
            output = gateway.take_output(conn);
        }
        drop(gateway);
        let sent = stream.write_all(&output.bytes);
        if sent.is_err() || output.close || shared.stopped() {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// Waits one poll for more input; returns whether the connection goes on.
fn receive(stream: &mut TcpStream, shared: &Shared, input: &mut Vec<u8>) -> io::Result<bool> {
    if shared.stopped() || input.len() > FRAME_BYTES_MAX + 8 {
        return Ok(false);
    }
    let mut buf = [0; 16_384];
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
