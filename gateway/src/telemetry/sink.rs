//! Where log lines go: stderr, the access log behind a buffer.
//!
//! A write for each request would cost more than judging it. Access lines are gathered and written together,
//! at the latest after `PAUSE`; every other record is written at once, after the lines before it, so that
//! the order stays. What a killed process loses is the access lines of that pause.
//!
//! Invariants: one thread writes, and nobody waits for a log that nobody reads (a record that is due at once
//! waits for a moment, and not at all behind a write that does not end); lines stay whole and in order;
//! the buffer is bounded, and lines that find no room are counted, and the count is told once somebody reads.

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

/// How long a record that is due at once waits to be written.
const MOMENT: Duration = Duration::from_millis(50);

/// How long the end of the process waits for the rest of the log.
const LAST: Duration = Duration::from_secs(1);

/// When to try again where a log takes nothing now (a pipe that does not block).
const AGAIN: Duration = Duration::from_millis(10);

type Out = Box<dyn Write + Send>;

/// The way to the log. Clones lead to the same place.
#[derive(Clone)]
pub struct Sink(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// Something was written, or the thread has ended.
    written: Condvar,
    notice: Notice,
}

/// The line that tells of lines that were lost.
type Notice = fn(u64) -> String;

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    lost: u64,
    /// A line that is due at once is among them.
    urgent: bool,
    /// Lines are being written.
    writing: bool,
    closed: bool,
    ended: bool,
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
            written: Condvar::new(),
            notice,
        });
        let writer = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.keep_writing(out))?;
        let guard = LogGuard(Arc::clone(&shared));
        Ok((Self(shared), guard))
    }
}

impl Shared {
    fn keep_writing(&self, mut out: Out) {
        loop {
            let mut waiting = self.waiting.lock();
            if waiting.lines.is_empty() && !waiting.closed {
                self.wake.wait(&mut waiting);
            }
            if waiting.lines.len() < FULL && !waiting.closed && !waiting.urgent {
                self.wake.wait_for(&mut waiting, PAUSE);
            }
            let room = Vec::with_capacity(waiting.lines.capacity().min(2 * FULL));
            let mut lines = std::mem::replace(&mut waiting.lines, room);
            let lost = std::mem::take(&mut waiting.lost);
            let closed = waiting.closed;
            waiting.urgent = false;
            waiting.writing = true;
            drop(waiting);
            if lost > 0 {
                lines.extend((self.notice)(lost).bytes());
                lines.push(b'\n');
            }
            self.write(&mut out, &lines);
            let mut waiting = self.waiting.lock();
            waiting.writing = false;
            waiting.ended = closed;
            drop(waiting);
            self.written.notify_all();
            if closed {
                return;
            }
        }
    }

    /// Writes all of it, however long that takes: a line that is begun is ended.
    fn write(&self, out: &mut Out, mut lines: &[u8]) {
        while !lines.is_empty() {
            match out.write(lines) {
                Ok(n) if n > 0 => lines = lines.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let mut waiting = self.waiting.lock();
                    self.wake.wait_for(&mut waiting, AGAIN);
                }
                // Nobody reads any more; that is no reason not to serve.
                Ok(_) | Err(_) => return,
            }
        }
        let _ = out.flush();
    }

    fn leave(&self, line: &[u8], at_once: bool) {
        let mut waiting = self.waiting.lock();
        if waiting.lines.len() + line.len() > MOST {
            waiting.lost += 1;
            return;
        }
        let was = waiting.lines.len();
        waiting.lines.extend_from_slice(line);
        waiting.urgent |= at_once;
        if was == 0 || at_once || (was < FULL && waiting.lines.len() >= FULL) {
            self.wake.notify_one();
        }
        if at_once && !waiting.writing {
            self.written.wait_for(&mut waiting, MOMENT);
        }
    }
}

/// Writes what is left of the log when it is dropped.
pub struct LogGuard(Arc<Shared>);

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogGuard").finish_non_exhaustive()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.lock();
        waiting.closed = true;
        self.0.wake.notify_one();
        self.0
            .written
            .wait_while_for(&mut waiting, |waiting| !waiting.ended, LAST);
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
        self.sink.0.leave(line, self.at_once);
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
            sink.0.leave(format!("{n}\n").as_bytes(), false);
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
            sink.0.leave(&line, false);
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

    #[test]
    fn nobody_waits_for_a_log_that_nobody_reads() {
        let (sink, guard, written, go) = sink();
        let began = std::time::Instant::now();
        for n in 0..100 {
            sink.0.leave(format!("{n}\n").as_bytes(), true);
        }
        drop(guard);
        // One moment until the write that does not end, and the wait at the end.
        assert!(
            began.elapsed() < LAST + 10 * MOMENT,
            "{:?}",
            began.elapsed()
        );
        assert!(written.try_recv().is_err());
        drop(go);
    }

    /// Takes some bytes, then none for a while, as a pipe that does not block.
    struct Pipe(mpsc::Sender<Vec<u8>>, usize);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if !self.1.is_multiple_of(3) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let some = bytes.get(..bytes.len().min(7)).unwrap_or_default();
            let _ = self.0.send(some.to_vec());
            Ok(some.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_is_begun_is_ended() {
        let (taken, written) = mpsc::channel();
        let (sink, guard) = Sink::new(Box::new(Pipe(taken, 0)), |_| String::new()).unwrap();
        sink.0
            .leave(b"one line that is longer than a piece\n", false);
        sink.0.leave(b"and another\n", true);
        drop(guard);
        let text = String::from_utf8(written.try_iter().collect::<Vec<_>>().concat()).unwrap();
        assert_eq!(text, "one line that is longer than a piece\nand another\n");
    }
}
