//! In-memory model of the store, for its laws.
