//! One argon2id computation at a time, in memory that is used again.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize;

use super::{Verdict, normal};
use crate::config::PasswordConfig;

/// What a stored hash may ask for; more is refused, not executed: an imported hash must not be a way to
/// take the machine's memory.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_ITERATIONS: u32 = 10;
const MAX_LANES: u32 = 16;

/// Fewer bytes than this in a stored hash can be guessed without the password.
const MIN_OUTPUT_BYTES: usize = 16;

/// Bytes of salt and hash in what we make (RFC 9106 §4).
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// Why a hash was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// More than `auth.password.max_bytes`.
    #[error("the password is longer than auth.password.max_bytes")]
    TooLong,
    /// Outside of what argon2 defines (RFC 9106 §3.1).
    #[error(
        "argon2id has no such parameters: auth.password.memory_kib must be at least 8 × parallelism, iterations and parallelism at least 1"
    )]
    Parameters,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// Why a stored hash was not executed; for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("not an argon2id hash in PHC form, version 19")]
    Format,
    #[error("its parameters are above m={MAX_MEMORY_KIB}, t={MAX_ITERATIONS}, p={MAX_LANES}")]
    Ceiling,
}

/// Argon2's working memory, kept between computations.
#[derive(Default)]
pub(super) struct Memory {
    blocks: Vec<Block>,
}

impl Memory {
    fn take(&mut self, params: &Params) -> &mut [Block] {
        let count = params.block_count();
        if self.blocks.len() > count {
            // After one larger imported hash, back to what is configured.
            self.blocks.truncate(count);
            self.blocks.shrink_to_fit();
        }
        self.blocks.resize(count, Block::new());
        &mut self.blocks
    }

    /// Overwrites what the last computation left.
    pub(super) fn wipe(&mut self) {
        self.blocks.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// The configured parameters and a hash that nothing matches.
pub(super) struct Hasher {
    params: Params,
    dummy: PasswordHash,
    max_bytes: usize,
}

impl Hasher {
    pub(super) fn new(config: &PasswordConfig) -> Result<Self, HashError> {
        let params = Params::new(
            config.memory_kib,
            config.iterations,
            config.parallelism,
            Some(OUTPUT_BYTES),
        )
        .map_err(|_| HashError::Parameters)?;
        // A random output stands for no password, and needs no hashing to make.
        let dummy = phc(
            &params,
            &random::<SALT_BYTES>()?,
            &random::<OUTPUT_BYTES>()?,
        )?;
        Ok(Self {
            params,
            dummy,
            max_bytes: config.max_bytes,
        })
    }

    /// Says whether the password is short enough to hash, as it came and as it is hashed.
    pub(super) fn takes(&self, password: &SecretString) -> bool {
        password.expose_secret().len() <= self.max_bytes && normal(password).len() <= self.max_bytes
    }

    pub(super) fn verify(
        &self,
        password: &SecretString,
        hash: Option<&SecretString>,
        memory: &mut Memory,
    ) -> Verdict {
        let stored = match hash.map(|hash| parse(hash.expose_secret())) {
            Some(Ok(stored)) => Some(stored),
            Some(Err(cause)) => {
                tracing::warn!(%cause, "a stored password hash is refused; set that password again");
                None
            }
            None => None,
        };
        let Some((stored, params)) = stored else {
            compute(password, &self.dummy, &self.params, memory);
            return Verdict::WRONG;
        };
        if !compute(password, &stored, &params, memory) {
            return Verdict::WRONG;
        }
        let rehash = if self.is_weaker(&params) {
            self.hash(password, memory)
                .inspect_err(|error| tracing::warn!(%error, "a weak hash stays as it is"))
                .ok()
        } else {
            None
        };
        Verdict { ok: true, rehash }
    }

    pub(super) fn hash(
        &self,
        password: &SecretString,
        memory: &mut Memory,
    ) -> Result<SecretString, HashError> {
        let salt = random::<SALT_BYTES>()?;
        let mut output = [0; OUTPUT_BYTES];
        argon2id(&self.params)
            .hash_password_into_with_memory(
                normal(password).as_bytes(),
                &salt,
                &mut output,
                memory.take(&self.params),
            )
            .map_err(|_| HashError::Parameters)?;
        let hash = phc(&self.params, &salt, &output)?;
        output.zeroize();
        Ok(hash.to_string().into())
    }

    fn is_weaker(&self, stored: &Params) -> bool {
        stored.m_cost() < self.params.m_cost()
            || stored.t_cost() < self.params.t_cost()
            || stored.p_cost() < self.params.p_cost()
            || stored.output_len() < self.params.output_len()
    }
}

/// Computes the hash of `password` as `stored` asks and compares, in constant time.
fn compute(
    password: &SecretString,
    stored: &PasswordHash,
    params: &Params,
    memory: &mut Memory,
) -> bool {
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return false;
    };
    let mut buffer = zeroize::Zeroizing::new([0; Output::MAX_LENGTH]);
    let Some(out) = buffer.get_mut(..expected.len()) else {
        return false;
    };
    let computed = argon2id(params).hash_password_into_with_memory(
        normal(password).as_bytes(),
        salt,
        out,
        memory.take(params),
    );
    // The comparison of two outputs takes the same time wherever they differ.
    computed.is_ok() && Output::new(out).is_ok_and(|computed| computed == *expected)
}

fn argon2id(params: &Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
}

fn parse(text: &str) -> Result<(PasswordHash, Params), Refused> {
    let hash = PasswordHash::new(text).map_err(|_| Refused::Format)?;
    let params = Params::try_from(&hash).map_err(|_| Refused::Format)?;
    let is_ours = hash.algorithm == ARGON2ID_IDENT
        && hash.version == Some(Version::V0x13.into())
        && hash.salt.is_some()
        && hash.hash.is_some_and(|out| out.len() >= MIN_OUTPUT_BYTES);
    if !is_ours {
        return Err(Refused::Format);
    }
    if params.m_cost() > MAX_MEMORY_KIB
        || params.t_cost() > MAX_ITERATIONS
        || params.p_cost() > MAX_LANES
    {
        return Err(Refused::Ceiling);
    }
    Ok((hash, params))
}

fn phc(params: &Params, salt: &[u8], output: &[u8]) -> Result<PasswordHash, HashError> {
    Ok(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| HashError::Parameters)?,
        salt: Some(Salt::new(salt).map_err(|_| HashError::Parameters)?),
        hash: Some(Output::new(output).map_err(|_| HashError::Parameters)?),
    })
}

fn random<const N: usize>() -> Result<[u8; N], HashError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| HashError::Random)?;
    Ok(bytes)
}
