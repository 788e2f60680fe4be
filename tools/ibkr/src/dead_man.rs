//! The dead man's switch: a process of its own, with a connection of its own, that cancels every
//! open order when the kernel's process ends without saying goodbye.
//!
//! The kernel holds the writing end of a pipe. However its process dies, the system closes that
//! end; nothing has to run in the dying process. A goodbye, or a kernel that never said it was
//! armed, ends this quietly.

use crate::connection::{Connection, GatewaySettings, connect};
use ibapi::Error;
use ibapi::orders::Orders;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The line that disarms.
pub const GOODBYE: &str = "goodbye";
/// The line this process prints once its connection stands.
pub const READY: &str = "ready";
/// How long it keeps trying to cancel.
const TRY: Duration = Duration::from_secs(120);
/// Pause between two looks at what is open.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest wait for one list of open orders.
const ANSWER: Duration = Duration::from_millis(500);

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel said goodbye.
    Goodbye,
    /// The kernel died, and no order of the account is open any more.
    Cancelled {
        /// Milliseconds from the kernel's death to the list that showed nothing.
        after_ms: u64,
    },
    /// The kernel died and nobody confirmed in time: orders may work.
    Unconfirmed,
}

/// Waits for the end of `input` and acts on it. `ready` is called once the connection stands.
///
/// # Errors
/// Why the first connection cannot be opened; afterwards it is opened again for ever.
pub fn stand_by(
    settings: &GatewaySettings,
    input: impl Read + Send + 'static,
    ready: impl FnOnce(),
) -> Result<Outcome, crate::connection::ConnectError> {
    let client_id = settings.config.dead_man_client_id;
    let mut connection = Some(connect(settings, client_id)?);
    let (tell, ends) = channel();
    std::thread::spawn(move || {
        // Whatever becomes of the pipe is told by dropping the sender.
        let lines = BufReader::new(input).lines().map_while(Result::ok);
        for line in lines {
            if line.trim() == GOODBYE {
                let _ = tell.send(());
                return;
            }
        }
    });
    ready();
    if wait_for_end(settings, &ends, &mut connection) {
        return Ok(Outcome::Goodbye);
    }
    Ok(cancel_all(settings, connection))
}

/// Keeps the connection alive; true for a goodbye, false for a death.
fn wait_for_end(
    settings: &GatewaySettings,
    ends: &Receiver<()>,
    connection: &mut Option<Connection>,
) -> bool {
    let beat = settings.heartbeat.max(Duration::from_millis(200));
    loop {
        match ends.recv_timeout(beat) {
            Ok(()) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let lives = connection.as_ref().is_some_and(|c| match c.client.server_time() {
            Ok(_) | Err(Error::Timeout) => true,
            Err(_) => false,
        });
        if !lives {
            *connection = connect(settings, settings.config.dead_man_client_id).ok();
        }
    }
}

/// Cancels everything until nothing is open.
fn cancel_all(settings: &GatewaySettings, mut connection: Option<Connection>) -> Outcome {
    let began = Instant::now();
    let mut asked_at: Option<Instant> = None;
    while began.elapsed() < TRY {
        let Some(c) = &connection else {
            connection = connect(settings, settings.config.dead_man_client_id).ok();
            if connection.is_none() {
                std::thread::sleep(PAUSE);
            }
            continue;
        };
        // Asked again from time to time: an order may have been on its way to the exchange.
        if asked_at.is_none_or(|t| t.elapsed() > Duration::from_millis(500)) {
            if c.client.global_cancel().is_err() {
                connection = None;
                continue;
            }
            asked_at = Some(Instant::now());
        }
        std::thread::sleep(PAUSE);
        let open = c.client.all_open_orders().and_then(|s| s.collect_to_end_within(ANSWER));
        match open {
            Ok(list) => {
                let mine = |o: &Orders| match o {
                    Orders::OrderData(d) => d.order.account == c.account && lives(d),
                    Orders::OrderStatus(_) => false,
                };
                if !list.iter().any(mine) {
                    let after_ms = began.elapsed().as_millis() as u64;
                    return Outcome::Cancelled { after_ms };
                }
            }
            Err(Error::Timeout) => {}
            Err(_) => connection = None,
        }
    }
    Outcome::Unconfirmed
}

fn lives(data: &ibapi::orders::OrderData) -> bool {
    !data.order_state.status.is_terminal()
}
