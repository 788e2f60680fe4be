//! Files as bounded-memory byte streams, whatever their compression, and lines out of them.
//!
//! [`open`] looks at the first bytes of a file, not at its name: plain text, gzip (several
//! members too), zstd, and one member of a zip archive all come out as the same stream. A zip
//! member that is itself gzip or zstd is opened too. [`LineReader`] makes lines of a stream, and
//! [`Row`] makes errors that name file, line and field.

mod archive;
mod line;
mod row;
mod stream;

pub use archive::{is_archive, member_names, open_member};
pub use line::LineReader;
pub use row::{Row, show};
pub use stream::{ByteStream, Input, Progress, open, open_where, stream_error};
