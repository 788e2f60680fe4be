//! Makes the models' modules out of the product's own source: standard threads, atomics, clock,
//! sockets and files are replaced by those of `src/world`, and planted weakenings are put in.
//! Whatever is replaced must be there exactly as often as said, or the build fails: a model never
//! quietly speaks of code that is gone.

use std::path::{Path, PathBuf};

/// Of the version in Cargo.toml.
const RTRB: &str = "0.4.1";

/// One module under way.
struct Source {
    name: String,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Source {
        println!("cargo:rerun-if-changed={}", path.display());
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Source { name: path.display().to_string(), text }
    }

    /// Replaces what is there `count` times.
    fn swap(mut self, count: usize, from: &str, to: &str) -> Source {
        let found = self.text.matches(from).count();
        assert!(
            found == count,
            "{}: expected {count} times, found {found} times: {from}\nThe code has changed: \
             adapt the models in tests/concurrency to it.",
            self.name
        );
        self.text = self.text.replace(from, to);
        self
    }

    /// Puts `before` in front of what is there once.
    fn ahead(self, of: &str, before: &str) -> Source {
        let to = format!("{before}{of}");
        self.swap(1, of, &to)
    }

    /// Keeps the piece from `from` to the first `to` after it.
    fn cut(mut self, from: &str, to: &str) -> Source {
        let begin = self.text.find(from).unwrap_or_else(|| panic!("{}: no {from}", self.name));
        let len = self.text[begin..].find(to).unwrap_or_else(|| panic!("{}: no {to}", self.name));
        self.text = self.text[begin..begin + len + to.len()].to_string();
        self
    }

    /// Replaces the world and leaves the tests out.
    fn world(mut self) -> Source {
        if let Some(tests) = self.text.find("\n#[cfg(test)]\nmod tests {") {
            self.text.truncate(tests);
        }
        let text = self.text.lines().map(|line| match line.strip_prefix("//!") {
            Some(rest) => format!("//{rest}\n"),
            None => format!("{line}\n"),
        });
        self.text = text.collect();
        for (from, to) in [
            ("std::sync::atomic", "crate::world::atomic"),
            ("std::sync::mpsc", "crate::mpsc"),
            ("std::sync::", "crate::world::sync::"),
            ("std::thread", "crate::world::thread"),
            ("std::time", "crate::world::time"),
            ("std::net", "crate::net"),
            ("std::os::unix::net", "crate::net"),
            ("rtrb::", "crate::product::rtrb::"),
            ("ijk_journal::", "crate::device::"),
            ("ijk_venue::link", "crate::product::link"),
            ("memmap2::", "crate::device::"),
        ] {
            self.text = self.text.replace(from, to);
        }
        self
    }

    fn write(self, name: &str) {
        let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo says where"));
        std::fs::write(out.join(name), self.text).expect("the folder can be written");
    }
}

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where"));
    let root = here.join("../..");
    println!("cargo:rerun-if-changed=build.rs");
    ring(&ring_folder(&root));
    let runtime = root.join("kernel/engine/src/runtime");
    journal_port(&runtime);
    feed(&runtime);
    kill(&runtime);
    spares(&runtime);
    socket(&runtime);
    Source::read(&root.join("kernel/venue/src/link/transport.rs")).world().write("transport.rs");
}

/// Returns where the ring's source is, after a look at whether the product uses that version.
fn ring_folder(root: &Path) -> PathBuf {
    let lock = Source::read(&root.join("Cargo.lock"));
    let entry = format!("name = \"rtrb\"\nversion = \"{RTRB}\"\n");
    assert!(lock.text.contains(&entry), "the product uses another rtrb than {RTRB}: model that");
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let sources = home.expect("there is a cargo home").join("registry/src");
    std::fs::read_dir(&sources)
        .unwrap_or_else(|e| panic!("{}: {e}", sources.display()))
        .filter_map(|index| Some(index.ok()?.path().join(format!("rtrb-{RTRB}/src"))))
        .find(|path| path.is_dir())
        .expect("cargo has unpacked the ring's source")
}

/// The ring, as it is published: its atomics become the checker's, and each touch of a slot is
/// told to the checker.
fn ring(folder: &Path) {
    let adapt = |name: &str| {
        let mut source = Source::read(&folder.join(name)).world();
        for (from, to) in [
            ("core::sync::atomic", "crate::world::atomic"),
            ("use alloc::", "use std::"),
            ("use crate::{", "use crate::product::rtrb::{"),
            ("use crate::RingBuffer", "use crate::product::rtrb::RingBuffer"),
            ("#[cfg(feature = \"std\")]", ""),
        ] {
            source.text = source.text.replace(from, to);
        }
        source
    };
    let tail = "tail.store(tail, Ordering::Release)";
    let weak_tail = "tail.store(tail, crate::planted::release(\"ring-tail\"))";
    let head = "head.store(head, Ordering::Release)";
    let weak_head = "head.store(head, crate::planted::release(\"ring-head\"))";
    let mut lib = adapt("lib.rs");
    let begin = lib.text.find("extern crate alloc;").expect("the ring's attributes end");
    lib.text = lib.text[begin..].replace("extern crate alloc;", "");
    lib.swap(
        1,
        "    data_ptr: *mut T,\n",
        "    data_ptr: *mut T,\n    cells: crate::world::Cells,\n",
    )
    .ahead(
        "            data_ptr: ManuallyDrop::new(",
        "cells: crate::world::Cells::new(capacity),\n",
    )
    .ahead(
        "// SAFETY: tail points to an empty slot.",
        "self.buffer.cells.write(self.buffer.collapse_position(tail));\n",
    )
    .ahead(
        "// SAFETY: head points to an initialized slot.\n            let value",
        "self.buffer.cells.read(self.buffer.collapse_position(head));\n",
    )
    .ahead(
        "// SAFETY: head points to an initialized slot.\n            Ok(unsafe",
        "self.buffer.cells.read(self.buffer.collapse_position(head));\n",
    )
    .swap(1, &format!("self.buffer.{tail}"), &format!("self.buffer.{weak_tail}"))
    .swap(1, &format!("self.buffer.{head}"), &format!("self.buffer.{weak_head}"))
    .swap(1, "mod arc_ring_buffer;", &module("arc_ring_buffer"))
    .swap(1, "pub mod chunks;", &format!("pub {}", module("chunks")))
    .swap(1, "mod cache_padded;", &module("cache_padded"))
    .write("rtrb.rs");
    adapt("arc_ring_buffer.rs").write("arc_ring_buffer.rs");
    adapt("cache_padded.rs").write("cache_padded.rs");
    adapt("chunks.rs")
        .ahead(
            "Ok(WriteChunkUninit {",
            "for i in 0..n {
                self.buffer.cells.write((tail + i) % self.buffer.capacity);
            }
            ",
        )
        .ahead(
            "Ok(ReadChunk {",
            "for i in 0..n {
                self.buffer.cells.read((head + i) % self.buffer.capacity);
            }
            ",
        )
        .swap(1, &format!("p.buffer.{tail}"), &format!("p.buffer.{weak_tail}"))
        .swap(2, &format!("c.buffer.{head}"), &format!("c.buffer.{weak_head}"))
        .write("chunks.rs");
}

fn module(name: &str) -> String {
    format!("mod {name} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{name}.rs\")); }}")
}

/// Weakenings of the bell between kernel thread and journal thread.
fn bell(port: Source) -> Source {
    port.swap(
        1,
        "self.stalls += 1;
            self.shared.bell.ring();",
        "self.stalls += 1;
            if !crate::planted::on(\"full-unrung\") {
                self.shared.bell.ring();
            }",
    )
    .swap(
        1,
        "self.shared.wanted.store(true, Ordering::Release);
            self.shared.bell.ring();",
        "self.shared.wanted.store(true, Ordering::Release);
            if !crate::planted::on(\"wait-unrung\") {
                self.shared.bell.ring();
            }",
    )
    .swap(
        1,
        "            self.shared.bell.answer();
            let moved = self.move_entries(&mut writer, &mut scratch)?;",
        "            if !crate::planted::on(\"answered-late\") {
                self.shared.bell.answer();
            }
            let moved = self.move_entries(&mut writer, &mut scratch)?;
            if crate::planted::on(\"answered-late\") {
                self.shared.bell.answer();
            }",
    )
}

fn journal_port(runtime: &Path) {
    Source::read(&runtime.join("entry.rs"))
        .world()
        .swap(1, "#![allow(unsafe_code)]", "")
        .write("entry.rs");
    bell(Source::read(&runtime.join("journal_port.rs")).world())
        // Small rings, so that they fill up and wrap around.
        .swap(1, "options.ring_bytes.max(4 * largest)", "options.ring_bytes")
        .swap(1, "let largest = ENTRY_BYTES + RECORD_PAYLOAD_BYTES_MAX;", "")
        .swap(1, "const SAMPLE_SLOTS: usize = 1 << 12;", "const SAMPLE_SLOTS: usize = 1;")
        .swap(1, "self.last_commit.elapsed() >= LAZY", "crate::world::thread::late()")
        .swap(
            1,
            "since.elapsed() >= REST",
            "since.elapsed() >= REST || crate::world::thread::late()",
        )
        // Spares have a model of their own.
        .swap(1, "super::spares::ColdSpares", "crate::device::NoSpares as ColdSpares")
        .swap(
            1,
            "self.shared.durable.store(durable, Ordering::Release)",
            "self.shared.durable.store(durable, crate::planted::release(\"watermark-relaxed\"))",
        )
        .ahead(
            "let durable = writer.commit()?;",
            "if crate::planted::on(\"watermark-early\") {
                self.shared.durable.store(writer.next_seq(), Ordering::Release);
            }
            ",
        )
        .swap(
            1,
            "let moved = self.move_entries(&mut writer, &mut scratch)?;",
            "let moved = self.move_entries(&mut writer, &mut scratch)?;
            let last_round = if crate::planted::on(\"end-asked-late\") {
                self.entries.is_abandoned()
            } else {
                last_round
            };",
        )
        .ahead(
            "if gone || self.failed {",
            "let gone = if crate::planted::on(\"death-asked-late\") {
                self.entries.is_abandoned()
            } else {
                gone
            };
            ",
        )
        .write("journal_port.rs");
}

fn feed(runtime: &Path) {
    Source::read(&runtime.join("pump.rs"))
        .world()
        .swap(
            1,
            "self.lost[ev.instrument.index()] = true",
            "self.lost[ev.instrument.index()] = !crate::planted::on(\"gap-unannounced\")",
        )
        .cut("use super::wait", "/// Returns a record that ends nothing")
        .swap(1, "/// Returns a record that ends nothing", "")
        .write("pump.rs");
    let ports = runtime.join("ports.rs");
    let mut states = Source::read(&ports).world().cut("/// What a feed has.", "\n}\n");
    let port = Source::read(&ports).world().cut("/// Market records in order", "\n}\n");
    let taken = Source::read(&ports)
        .world()
        .cut("impl FeedPort for Consumer<MarketEvent> {", "\n}\n")
        .swap(
            1,
            "if self.is_abandoned() && self.is_empty() {",
            "if crate::planted::on(\"emptiness-first\") {
                return if self.is_empty() && self.is_abandoned() {
                    FeedState::Ended
                } else {
                    FeedState::Empty
                };
            }
            if self.is_abandoned() && self.is_empty() {",
        );
    states.text = format!("{}{}{}", states.text, port.text, taken.text);
    states.write("feed_port.rs");
}

fn kill(runtime: &Path) {
    let mut counters = Source::read(&runtime.join("counters.rs"))
        .world()
        .swap(
            1,
            "unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(offset).cast()) }",
            "self.map.word(offset)",
        )
        .swap(
            1,
            "self.word(KILL_OFFSET).store(1, Ordering::Release)",
            "self.word(KILL_OFFSET).store(1, crate::planted::release(\"kill-relaxed\"))",
        );
    counters.text.push_str(
        "\nimpl Counters {\n    pub fn of(map: MmapRaw) -> Counters {\n        \
         Counters { map, own: None }\n    }\n}\n",
    );
    counters.write("counters.rs");
    let mut obey = Source::read(&runtime.join("session.rs"))
        .cut("    fn obey_kill(&mut self) {", "\n    }\n")
        .swap(
            1,
            "if !self.killed &&",
            "if (!self.killed || crate::planted::on(\"kill-unlatched\")) &&",
        )
        .ahead(
            "// First in memory,",
            "if crate::planted::on(\"kill-recorded-first\") {
                self.control(ControlKind::Kill);
                self.s.outbox.kill(self.now);
                return;
            }
            ",
        );
    obey.text = format!("impl Driver {{\n    pub {}}}\n", obey.text.trim_start());
    obey.write("obey_kill.rs");
}

fn spares(runtime: &Path) {
    Source::read(&runtime.join("spares.rs"))
        .world()
        .swap(
            1,
            "alarm.fetch_or(result.is_err(), Ordering::Release);",
            "let bad = result.is_err();
                if !crate::planted::on(\"alarm-late\") {
                    alarm.fetch_or(bad, Ordering::Release);
                }",
        )
        .swap(
            1,
            "if results_in.send((job.salt.segment, result)).is_err() {
                    return;
                }",
            "if results_in.send((job.salt.segment, result)).is_err() {
                    return;
                }
                if crate::planted::on(\"alarm-late\") {
                    alarm.fetch_or(bad, Ordering::Release);
                }",
        )
        .swap(1, "self.jobs = None;", "if !crate::planted::on(\"jobs-kept\") { self.jobs = None; }")
        .write("spares.rs");
}

fn socket(runtime: &Path) {
    let here = runtime.join("socket");
    Source::read(&runtime.join("socket.rs"))
        .world()
        .swap(1, "const RING_BYTES_MIN: usize = 4_096;", "const RING_BYTES_MIN: usize = 2;")
        .swap(1, "\nmod address;", &format!("\n{}", module("address")))
        .swap(1, "\nmod threads;", &format!("\n{}", module("threads")))
        .swap(
            1,
            "count = count.min(before);\n        }",
            "count = count.min(before);
        } else if crate::planted::on(\"counted-late\") {
            count = self.received.slots();
        }",
        )
        .swap(
            1,
            "if self.is_closing {",
            "if self.is_closing && !crate::planted::on(\"close-forgotten\") {",
        )
        .write("socket.rs");
    Source::read(&here.join("address.rs")).world().write("address.rs");
    Source::read(&here.join("threads.rs"))
        .world()
        .swap(1, "const READ_BYTES: usize = 1 << 14;", "const READ_BYTES: usize = 4;")
        .swap(
            1,
            "            outgoing.drain();\n            outgoing.stream = Some(out);",
            "            if !crate::planted::on(\"next-undrained\") {
                outgoing.drain();
            }
            outgoing.stream = Some(out);",
        )
        .swap(
            1,
            "while self.shared.closes_seen.load(Ordering::Acquire) < self.closes",
            "while !crate::planted::on(\"close-unseen\")
            && self.shared.closes_seen.load(Ordering::Acquire) < self.closes",
        )
        .ahead(
            "    let written = open.write_all(first)",
            "    if crate::planted::on(\"left-early\") {
        let bytes = [first, second].concat();
        chunk.commit_all();
        let _ = open.write_all(&bytes);
        return true;
    }
",
        )
        .write("threads.rs");
}
