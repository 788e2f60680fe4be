//! The sans-IO decision core and the pinned runtime that feeds it.
