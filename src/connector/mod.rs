//! 1 CONNECTOR. Reads a source and yields record batches. It never writes.

pub mod contract;
