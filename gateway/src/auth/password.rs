//! Argon2id workers.
