//! The admin socket: a command a line, on loopback. The answer is what the command says, then a
//! line `ok` or `error: ...`.

use crate::server::{POLL, Shared};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

/// Longest line.
const LINE_BYTES_MAX: usize = 4_096;
/// Admin connections at once.
const CONNECTION_COUNT_MAX: usize = 8;

pub(crate) fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<thread::JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        threads.retain(|t| !t.is_finished());
        let Ok(stream) = stream else {
            thread::sleep(POLL);
            continue;
        };
        if threads.len() < CONNECTION_COUNT_MAX {
            let shared = Arc::clone(shared);
            threads.push(thread::spawn(move || _ = serve(stream, &shared)));
        }
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(POLL))?;
    let mut input: Vec<u8> = Vec::new();
    let mut buf = [0; 1_024];
    while !shared.stop.load(Ordering::SeqCst) {
        match stream.read(&mut buf) {
            Ok(0) => return Ok(()),
            Ok(n) => input.extend_from_slice(&buf[..n]),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(e) => return Err(e),
        }
        while let Some(end) = input.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = input.drain(..=end).collect();
            let answer = match shared.command(String::from_utf8_lossy(&line).trim()) {
                Ok(said) if said.is_empty() => "ok\n".to_string(),
                Ok(said) => format!("{said}\nok\n"),
                Err(error) => format!("error: {error}\n"),
            };
            stream.write_all(answer.as_bytes())?;
        }
        if input.len() > LINE_BYTES_MAX {
            stream.write_all(b"error: the line is too long\n")?;
            return Ok(());
        }
    }
    Ok(())
}
