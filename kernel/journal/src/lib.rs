//! The write-ahead journal: records, writer on io_uring with a fallback, reader.
