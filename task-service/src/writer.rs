//! The one place that changes the store: a thread that commits in groups.
//!
//! A durable commit costs a flush to disk, whatever its size. Changes that
//! arrive while one commit is under way wait in a bounded queue and are then
//! committed together. Nobody is made to wait for company: with one client a
//! group is one change, and with many the disk itself sets the group's size.
//! A change is answered after the commit that holds it, never before.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use crate::error::Refusal;
use crate::store::{Change, Outcome, Store};

/// The largest group.
const GROUP_MAX: usize = 256;

/// Hands changes to the writer thread.
#[derive(Debug, Clone)]
pub struct Writer {
    orders: mpsc::Sender<Order>,
    failed: Arc<AtomicBool>,
}

/// The running writer thread.
#[derive(Debug)]
pub struct WriterThread {
    thread: JoinHandle<()>,
    orders: mpsc::Sender<Order>,
}

#[derive(Debug)]
enum Order {
    Change(Change, oneshot::Sender<Option<Outcome>>),
    Stop,
}

impl Writer {
    /// Starts the thread, with a queue of `queue` changes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Arc<Store>, queue: usize) -> io::Result<(Self, WriterThread)> {
        let (orders, inbox) = mpsc::channel(queue.max(1));
        let failed = Arc::new(AtomicBool::new(false));
        let writer = Self {
            orders: orders.clone(),
            failed: Arc::clone(&failed),
        };
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || run(&store, inbox, &failed))?;
        Ok((writer, WriterThread { thread, orders }))
    }

    /// Makes a change, and returns when it is durable.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when the queue is full, [`Refusal::Internal`] when the
    /// store failed.
    pub async fn change(&self, change: Change) -> Result<Outcome, Refusal> {
        let (answer, outcome) = oneshot::channel();
        self.orders
            .try_send(Order::Change(change, answer))
            .map_err(|_| Refusal::Busy)?;
        outcome.await.ok().flatten().ok_or(Refusal::Internal)
    }

    /// Whether the last commit failed, or the thread is gone.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.orders.is_closed()
    }
}

impl WriterThread {
    /// Lets the thread finish what is queued, and waits for it.
    pub async fn stop(self) {
        // A closed queue means that the thread is gone already.
        let _ = self.orders.send(Order::Stop).await;
        let joined = tokio::task::spawn_blocking(|| self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the writer thread did not end well");
        }
    }
}

fn run(store: &Store, mut inbox: mpsc::Receiver<Order>, failed: &AtomicBool) {
    let mut changes = Vec::with_capacity(GROUP_MAX);
    let mut answers = Vec::with_capacity(GROUP_MAX);
    let mut stopping = false;
    while !stopping {
        let Some(first) = inbox.blocking_recv() else {
            return;
        };
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Change(change, answer) => {
                    changes.push(change);
                    answers.push(answer);
                }
                Order::Stop => {
                    stopping = true;
                    break;
                }
            }
            next = (changes.len() < GROUP_MAX)
                .then(|| inbox.try_recv().ok())
                .flatten();
        }
        commit(store, &mut changes, &mut answers, failed);
    }
}

fn commit(
    store: &Store,
    changes: &mut Vec<Change>,
    answers: &mut Vec<oneshot::Sender<Option<Outcome>>>,
    failed: &AtomicBool,
) {
    if changes.is_empty() {
        return;
    }
    let committed = store.apply(changes);
    changes.clear();
    failed.store(committed.is_err(), Ordering::Relaxed);
    // A receiver that is gone belongs to a client that is gone.
    match committed {
        Ok(outcomes) => {
            for (answer, outcome) in answers.drain(..).zip(outcomes) {
                let _ = answer.send(Some(outcome));
            }
        }
        Err(error) => {
            tracing::error!(%error, changes = answers.len(), "nothing of a group was committed");
            for answer in answers.drain(..) {
                let _ = answer.send(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::PersonId;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let (orders, _inbox) = mpsc::channel(1);
        let failed = Arc::new(AtomicBool::new(false));
        let writer = Writer { orders, failed };
        let change = || Change::RemovePerson(PersonId(1));
        let other = writer.clone();
        let waiting = tokio::spawn(async move { other.change(change()).await });
        while writer.orders.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(writer.change(change()).await, Err(Refusal::Busy));
        waiting.abort();
    }

    #[tokio::test]
    async fn what_is_queued_is_made_before_the_thread_stops() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path(), 1 << 20).unwrap());
        let (writer, thread) = Writer::start(Arc::clone(&store), 1000).unwrap();
        let (answer, outcome) = oneshot::channel();
        let change = Change::RemovePerson(PersonId(1));
        writer
            .orders
            .try_send(Order::Change(change, answer))
            .unwrap();
        thread.stop().await;
        assert_eq!(outcome.await.unwrap(), Some(Outcome::NotFound));
        let late = writer.change(Change::RemovePerson(PersonId(1))).await;
        assert_eq!(late, Err(Refusal::Busy));
    }
}
