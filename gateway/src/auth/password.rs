//! Password checks: argon2id on threads of its own.
//!
//! Invariants: hashing never runs on a thread that serves requests; at most `workers` hashes run at once,
//! each in a block of memory that its thread keeps, so memory is bounded by `workers × memory_kib`; an
//! unknown name costs what a known one costs; what is stored is executed only below a ceiling.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization;

use crate::config::PasswordConfig;

mod hasher;
mod rules;

pub use hasher::HashError;
pub use rules::{PasswordRule, check_new};

use hasher::Hasher;

/// What a password check found.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The password is right.
    pub ok: bool,
    /// The right password, hashed anew because the stored hash is weaker than the configuration asks for.
    /// Store it with `keep_sessions`.
    pub rehash: Option<SecretString>,
}

impl Verdict {
    const WRONG: Self = Self {
        ok: false,
        rehash: None,
    };
}

/// Every hashing thread is taken and the queue is full: answer 503 and ask to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins at once")]
pub struct Busy;

/// Why a new password was not hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NewHashError {
    /// See [`Busy`].
    #[error(transparent)]
    Busy(#[from] Busy),
    /// See [`HashError`].
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// The hashing threads. They start when first needed and end with the last handle.
#[derive(Debug)]
pub struct PasswordWorkers {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    hasher: Hasher,
    workers: usize,
    capacity: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("workers", &self.workers)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that live.
    started: usize,
    /// Those of them that hash.
    busy: usize,
    closed: bool,
}

enum Job {
    Verify {
        password: SecretString,
        hash: Option<SecretString>,
        answer: oneshot::Sender<Verdict>,
    },
    Hash {
        password: SecretString,
        answer: oneshot::Sender<Result<SecretString, HashError>>,
    },
}

impl PasswordWorkers {
    /// Workers with the parameters of `config`. No thread starts yet.
    ///
    /// # Errors
    /// [`HashError::Parameters`] where argon2 has no such parameters.
    pub fn new(config: &PasswordConfig) -> Result<Self, HashError> {
        Ok(Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                wake: Condvar::new(),
                hasher: Hasher::new(config)?,
                workers: config.workers.max(1),
                capacity: config.queue,
            }),
        })
    }

    /// Checks `password` against `hash`, a PHC string. `None` stands for a user that is not there: it costs
    /// the same and is never right.
    ///
    /// # Errors
    /// [`Busy`] at once where the queue is full.
    pub async fn verify(
        &self,
        password: SecretString,
        hash: Option<SecretString>,
    ) -> Result<Verdict, Busy> {
        if !self.shared.hasher.takes(&password) {
            return Ok(Verdict::WRONG);
        }
        let (answer, verdict) = oneshot::channel();
        self.push(Job::Verify {
            password,
            hash,
            answer,
        })?;
        // A dropped sender is a worker that ended: nobody can say that the password is right.
        verdict.await.map_err(|_| Busy)
    }

    /// Hashes a new password with the configured parameters. [`check_new`] judges it, not this.
    ///
    /// # Errors
    /// [`NewHashError`]
    pub async fn hash(&self, password: SecretString) -> Result<SecretString, NewHashError> {
        if !self.shared.hasher.takes(&password) {
            return Err(HashError::TooLong.into());
        }
        let (answer, hash) = oneshot::channel();
        self.push(Job::Hash { password, answer })?;
        Ok(hash.await.map_err(|_| Busy)??)
    }

    /// Jobs that wait for a thread, for metrics.
    pub fn waiting(&self) -> usize {
        self.shared.queue.lock().jobs.len()
    }

    fn push(&self, job: Job) -> Result<(), Busy> {
        let mut queue = self.shared.queue.lock();
        // Jobs that a free thread is about to take do not wait.
        let free = self.shared.workers.saturating_sub(queue.busy);
        if queue.jobs.len() >= self.shared.capacity.saturating_add(free) {
            return Err(Busy);
        }
        let ready = queue.started.saturating_sub(queue.busy);
        if ready <= queue.jobs.len() && queue.started < self.shared.workers {
            let shared = Arc::clone(&self.shared);
            let spawned = std::thread::Builder::new()
                .name("password".to_owned())
                .spawn(move || shared.work());
            match spawned {
                Ok(_) => queue.started += 1,
                Err(error) if queue.started == 0 => {
                    tracing::error!(%error, "no thread for password checks");
                    return Err(Busy);
                }
                Err(error) => tracing::warn!(%error, "fewer password threads than configured"),
            }
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.wake.notify_one();
        Ok(())
    }
}

impl Drop for PasswordWorkers {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        let _alive = Alive(self);
        step_back();
        let mut memory = hasher::Memory::default();
        while let Some(job) = self.next(&mut memory) {
            match job {
                // The client is gone: what it asked is worth no hash.
                Job::Verify { answer, .. } if answer.is_closed() => {}
                Job::Hash { answer, .. } if answer.is_closed() => {}
                Job::Verify {
                    password,
                    hash,
                    answer,
                } => {
                    let verdict = self.hasher.verify(&password, hash.as_ref(), &mut memory);
                    let _ = answer.send(verdict);
                }
                Job::Hash { password, answer } => {
                    let _ = answer.send(self.hasher.hash(&password, &mut memory));
                }
            }
            self.queue.lock().busy -= 1;
        }
    }

    fn next(&self, memory: &mut hasher::Memory) -> Option<Job> {
        let mut queue = self.queue.lock();
        if queue.jobs.is_empty() {
            // Traces of passwords do not outlive the rush; while logins wait, speed comes first.
            parking_lot::MutexGuard::unlocked(&mut queue, || memory.wipe());
        }
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                queue.busy += 1;
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            self.wake.wait(&mut queue);
        }
    }
}

/// Counts a thread out when it ends, also by a panic, so that another takes its place.
struct Alive<'a>(&'a Shared);

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.started -= 1;
        if std::thread::panicking() {
            queue.busy = queue.busy.saturating_sub(1);
        }
    }
}

/// A flood of logins takes what processor time the requests leave: on Linux this is the priority of the
/// calling thread alone (setpriority(2), "C library/kernel differences").
fn step_back() {
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "password checks run at the priority of requests");
    }
}

/// Hashes on the calling thread, with memory of its own: for first start and the command line, which have
/// no workers. Blocks for tens of milliseconds.
///
/// # Errors
/// [`HashError`]
pub fn hash_now(
    password: &SecretString,
    config: &PasswordConfig,
) -> Result<SecretString, HashError> {
    let hasher = Hasher::new(config)?;
    if !hasher.takes(password) {
        return Err(HashError::TooLong);
    }
    let mut memory = hasher::Memory::default();
    let hash = hasher.hash(password, &mut memory);
    memory.wipe();
    hash
}

/// One password, one form: the same keys pressed on two systems may send two compositions.
fn normal(password: &SecretString) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(password.expose_secret().nfc().collect())
}

#[cfg(test)]
mod tests;
