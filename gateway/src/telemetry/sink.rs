//! Where log lines go: stderr, the access log behind a buffer.
//!
//! A write for each request would cost more than judging it. Access lines are gathered and written together,
//! at the latest after `PAUSE`; every other record is written at once, after the lines before it, so that
//! the order stays. What a killed process loses is the access lines of that pause.
//!
//! Invariants: lines stay whole and in order; the buffer is bounded, and lines that find no room because
//! nobody reads are counted, and the count is told once somebody does.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::ACCESS_TARGET;

/// How long an access line may wait.
const PAUSE: Duration = Duration::from_millis(50);

/// So many bytes are written without waiting for more.
const FULL: usize = 32 * 1024;

/// So many bytes may wait for somebody who does not read.
const MOST: usize = 1024 * 1024;

type Out = Box<dyn Write + Send>;

/// The way to the log. Clones lead to the same place.
#[derive(Clone)]
pub struct Sink(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// Held while writing, so that a slow reader holds up nobody who only leaves a line.
    out: Mutex<Out>,
    notice: Notice,
}

/// The line that tells of lines that were lost.
type Notice = fn(u64) -> String;

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    lost: u64,
    closed: bool,
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").finish_non_exhaustive()
    }
}

impl Sink {
    /// A sink that leads to `out`, and the guard that writes what is left when it is dropped.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn new(out: Out, notice: Notice) -> io::Result<(Self, LogGuard)> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            out: Mutex::new(out),
            notice,
        });
        let writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.keep_writing())?;
        let guard = LogGuard {
            shared: Arc::clone(&shared),
            thread: Some(thread),
        };
        Ok((Self(shared), guard))
    }
}

impl Shared {
    fn keep_writing(&self) {
        loop {
            let mut waiting = self.waiting.lock();
            if waiting.lines.is_empty() && !waiting.closed {
                self.wake.wait(&mut waiting);
            }
            if waiting.lines.len() < FULL && !waiting.closed {
                self.wake.wait_for(&mut waiting, PAUSE);
            }
            let closed = waiting.closed;
            drop(waiting);
            self.write_out();
            if closed {
                return;
            }
        }
    }

    /// Writes what waits.
    fn write_out(&self) {
        let mut out = self.out.lock();
        let (lines, lost) = {
            let mut waiting = self.waiting.lock();
            let room = Vec::with_capacity(waiting.lines.capacity().min(2 * FULL));
            (
                std::mem::replace(&mut waiting.lines, room),
                std::mem::take(&mut waiting.lost),
            )
        };
        // Nobody may be reading; that is no reason not to serve.
        let _ = out.write_all(&lines);
        if lost > 0 {
            let _ = writeln!(out, "{}", (self.notice)(lost));
        }
        let _ = out.flush();
    }

    fn leave(&self, line: &[u8]) {
        let mut waiting = self.waiting.lock();
        if waiting.lines.len() + line.len() > MOST {
            waiting.lost += 1;
            return;
        }
        let was = waiting.lines.len();
        waiting.lines.extend_from_slice(line);
        let (first, full) = (was == 0, was < FULL && waiting.lines.len() >= FULL);
        drop(waiting);
        if first || full {
            self.wake.notify_one();
        }
    }
}

/// Writes what is left of the log when it is dropped.
pub struct LogGuard {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogGuard").finish_non_exhaustive()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.shared.waiting.lock().closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes one record; the formatter hands a whole line in one write.
#[derive(Debug)]
pub struct Record<'a> {
    sink: &'a Sink,
    at_once: bool,
}

impl Write for Record<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink.0.leave(line);
        if self.at_once {
            self.sink.0.write_out();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Record<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Record {
            sink: self,
            at_once: true,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Record {
            sink: self,
            at_once: metadata.target() != ACCESS_TARGET,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Counts writes and keeps their bytes; takes none before it is let.
    struct Reader {
        taken: mpsc::Sender<Vec<u8>>,
        let_go: mpsc::Receiver<()>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.let_go.recv();
            let _ = self.taken.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sink() -> (Sink, LogGuard, mpsc::Receiver<Vec<u8>>, mpsc::Sender<()>) {
        let ((taken, written), (go, let_go)) = (mpsc::channel(), mpsc::channel());
        let notice = |lost| format!("\"lost\":{lost}}}");
        let (sink, guard) = Sink::new(Box::new(Reader { taken, let_go }), notice).unwrap();
        (sink, guard, written, go)
    }

    #[test]
    fn access_lines_are_written_together_and_the_rest_at_the_end() {
        let (sink, guard, written, go) = sink();
        drop(go);
        for n in 0..1_000 {
            sink.0.leave(format!("{n}\n").as_bytes());
        }
        drop(guard);
        let pieces: Vec<Vec<u8>> = written.try_iter().collect();
        assert!(pieces.len() < 20, "{} writes", pieces.len());
        let text = String::from_utf8(pieces.concat()).unwrap();
        let wanted: String = (0..1_000).map(|n| format!("{n}\n")).collect();
        assert_eq!(text, wanted);
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_counted() {
        let (sink, guard, written, go) = sink();
        let line = [b'x'; 1_024];
        for _ in 0..5_000 {
            sink.0.leave(&line);
        }
        assert!(sink.0.waiting.lock().lines.len() <= MOST);
        drop(go);
        drop(guard);
        let text = String::from_utf8(written.try_iter().collect::<Vec<_>>().concat()).unwrap();
        let kept = text.matches('x').count() / line.len();
        let lost: usize = text
            .split("\"lost\":")
            .skip(1)
            .filter_map(|rest| rest.split('}').next()?.parse::<usize>().ok())
            .sum();
        assert_eq!(kept + lost, 5_000, "{kept} kept, {lost} lost");
        assert!(lost > 2_000, "{lost}");
    }
}
