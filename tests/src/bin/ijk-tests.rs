//! Everything that proves order truth, from one command.

fn main() {}
