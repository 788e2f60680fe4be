//! The models: each runs the product's code between a few threads and asserts what is claimed of
//! it. Sizes are the checker's: loom goes through all orders of a few steps, shuttle through many
//! orders of many.

mod counters;
mod feed;
mod journal;
mod socket;
mod spares;

/// One claim about code that several threads run.
pub struct Model {
    pub name: &'static str,
    /// Runs it once; the number scales it.
    pub body: fn(u64),
    /// Sizes for loom and for shuttle.
    pub sizes: (u64, u64),
    /// Weakenings that orders of steps alone show.
    pub planted: &'static [&'static str],
    /// Weakenings that take more steps than loom gets through: shuttle looks for them.
    #[allow(dead_code)]
    pub planted_long: &'static [&'static str],
    /// Weakenings that only a weaker memory shows, and so only loom.
    #[allow(dead_code)] // shuttle's memory is never weak
    pub planted_memory: &'static [&'static str],
}

pub const MODELS: &[Model] = &[
    Model {
        name: "journal: durable mark seen => record on the device",
        body: journal::durable_mark,
        sizes: (2, 6),
        planted: &["watermark-early"],
        planted_long: &["answered-late"],
        planted_memory: &["watermark-relaxed"],
    },
    Model {
        name: "journal: waited for => on the device",
        body: journal::waited,
        sizes: (1, 6),
        planted: &["watermark-early"],
        planted_long: &["wait-unrung"],
        planted_memory: &["watermark-relaxed"],
    },
    Model {
        name: "journal: full ring waits, wraps, loses nothing",
        body: journal::full_ring,
        sizes: (3, 12),
        planted: &[],
        planted_long: &["full-unrung"],
        planted_memory: &["ring-tail", "ring-head"],
    },
    Model {
        name: "journal: dropped port => everything taken",
        body: journal::everything_taken,
        sizes: (1, 6),
        planted: &["end-asked-late"],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "journal: death is seen, what was durable stays",
        body: journal::death,
        sizes: (2, 6),
        planted: &["death-asked-late"],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "journal: samples written + dropped = pushed",
        body: journal::samples,
        sizes: (2, 8),
        planted: &[],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "feed: ended only when all is taken",
        body: feed::ended,
        sizes: (2, 8),
        planted: &["emptiness-first"],
        planted_long: &[],
        planted_memory: &["ring-tail"],
    },
    Model {
        name: "feed: drops are counted and announced",
        body: feed::gaps,
        sizes: (4, 12),
        planted: &["gap-unannounced"],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "feed: the kernel's end ends the feed thread",
        body: feed::kernel_gone,
        sizes: (3, 12),
        planted: &[],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "counters: one kill, latched, nothing sent after",
        body: counters::kill,
        sizes: (2, 8),
        planted: &["kill-unlatched", "kill-recorded-first"],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "counters: a kill shows what was done before it",
        body: counters::kill_after_deed,
        sizes: (2, 8),
        planted: &[],
        planted_long: &[],
        planted_memory: &["kill-relaxed"],
    },
    Model {
        name: "counters: one writer loses nothing, readers go forward",
        body: counters::single_writer,
        sizes: (2, 8),
        planted: &["two-writers"],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "spares: prepared => on the device; alarm before result",
        body: spares::handshake,
        sizes: (2, 6),
        planted: &["alarm-late", "jobs-kept"],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "socket: bytes stay in their connection (venue breaks)",
        body: socket::venue_breaks,
        sizes: (1, 3),
        planted: &["close-unseen"],
        planted_long: &["next-undrained", "counted-late"],
        planted_memory: &["ring-tail"],
    },
    Model {
        name: "socket: a connection given up delivers nothing more",
        body: socket::given_up,
        sizes: (1, 3),
        planted: &["close-forgotten"],
        planted_long: &[],
        planted_memory: &[],
    },
    Model {
        name: "socket: the last bytes leave before the end",
        body: socket::last_bytes,
        sizes: (1, 4),
        planted: &[],
        planted_long: &["left-early"],
        planted_memory: &[],
    },
];
