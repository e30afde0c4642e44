//! How many passwords one core checks a second with argon2id and nothing around it, in memory that is used
//! again, as the gateway does it.
//!
//!     bench-logins MEMORY_KIB ITERATIONS PARALLELISM SECONDS

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Bytes of a hash, as the gateway makes them.
const OUTPUT_BYTES: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [memory, iterations, parallelism, seconds] = words.as_slice() else {
        return Err("usage: bench-logins MEMORY_KIB ITERATIONS PARALLELISM SECONDS".into());
    };
    let params = Params::new(
        memory.parse()?,
        iterations.parse()?,
        parallelism.parse()?,
        Some(OUTPUT_BYTES),
    )?;
    let mut blocks = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = [0; OUTPUT_BYTES];
    let mut hash = || {
        argon2.hash_password_into_with_memory(
            b"a passphrase of some length",
            b"sixteen bytes!!!",
            &mut output,
            &mut blocks,
        )
    };
    // The first one pays for the pages.
    hash()?;
    let (begin, limit) = (Instant::now(), Duration::from_secs_f64(seconds.parse()?));
    let mut count = 0_u32;
    while begin.elapsed() < limit {
        hash()?;
        count += 1;
    }
    println!("{:.2}", f64::from(count) / begin.elapsed().as_secs_f64());
    Ok(())
}
