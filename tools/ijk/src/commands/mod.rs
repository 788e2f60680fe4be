//! One file a command.

pub mod bench;
pub mod book;
pub mod config;
pub mod dead_man;
pub mod desk;
pub mod doctor;
pub mod execution_study;
pub mod explain;
pub mod features;
pub mod forecast;
pub mod ib_check;
pub mod ib_code;
pub mod import;
pub mod journal;
pub mod kill;
pub mod live;
pub mod replay;
pub mod report;
pub mod status;
pub mod vram;
