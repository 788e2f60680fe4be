//! Real processes, really killed: the kernel against a broker process, again and again.

pub mod broker;
