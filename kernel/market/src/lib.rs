//! Order books by level and by order, and the twelve streaming features.
