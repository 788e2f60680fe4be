//! The weights file and the streaming attention encoder.
