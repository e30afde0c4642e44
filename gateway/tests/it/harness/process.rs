//! The built programs as processes: started, watched, signalled, and killed when dropped.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{eventually, within};

/// A running process. Its output goes to two files.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// Memory of a process in KiB, at its highest.
pub(crate) fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).expect("a number")
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Everything on stdout.
    pub(crate) out: String,
    /// Everything on stderr.
    pub(crate) err: String,
}

impl Ended {
    /// Both outputs, for messages and for searches.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// What it wrote to stdout, where it ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.text());
        self.out
    }

    /// What it wrote to stdout as JSON, where it ended well.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("no JSON ({e}): {out}"))
    }
}

impl Process {
    /// Starts a program that writes to `stem.out` and `stem.err`.
    pub(crate) fn spawn(mut command: Command, stem: &std::path::Path) -> Self {
        let (out, err) = (stem.with_extension("out"), stem.with_extension("err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("a file"))
            .stderr(File::create(&err).expect("a file"))
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", command.get_program().display()));
        Self { child, out, err }
    }

    /// The address at the end of the first line on stdout that begins with `prefix`.
    pub(crate) async fn address(&mut self, prefix: &str) -> SocketAddr {
        let what = format!("`{prefix}` on stdout");
        let found = eventually(&what, async || {
            let ended = self.child.try_wait().expect("a process").is_some();
            let out = self.stdout();
            let whole = out.rfind('\n').map_or("", |end| &out[..end]);
            let line = whole.lines().find_map(|line| line.strip_prefix(prefix));
            match line {
                Some(addr) => Some(Some(addr.trim().parse().expect("an address"))),
                None => ended.then_some(None),
            }
        })
        .await;
        found.unwrap_or_else(|| panic!("no {what}; stderr:\n{}", self.stderr()))
    }

    /// What it has written to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        read(&self.out)
    }

    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.err)
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a process").is_none()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a number");
        let pid = Pid::from_raw(pid).expect("a process");
        kill_process(pid, signal).expect("a signal");
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        eventually("the process to end", async || {
            self.child.try_wait().expect("a process")
        })
        .await
    }

    /// Sends SIGTERM and waits; how it ended and how long that took.
    pub(crate) async fn stop(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        self.signal(Signal::TERM);
        (self.ended().await, started.elapsed())
    }

    /// `kill -9`
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &std::path::Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Runs a program to its end with this input. A program that does not end is killed.
pub(crate) async fn run(mut command: Command, input: &str) -> Ended {
    let input = input.to_owned();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}", command.get_program().display()));
    let pid = Pid::from_child(&child);
    let waiting = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        // A program that reads no input may be gone already.
        let _ = child
            .stdin
            .take()
            .expect("stdin")
            .write_all(input.as_bytes());
        child.wait_with_output().expect("its output")
    });
    let limit = tokio::time::timeout(super::PATIENCE, waiting).await;
    let Ok(output) = limit else {
        let _ = kill_process(pid, Signal::KILL);
        panic!("{command:?} does not end");
    };
    let output = output.expect("its output");
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits for all of `steps`, each with the usual patience.
pub(crate) async fn all<T: 'static + Send>(
    what: &str,
    steps: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = steps.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(within(what, task).await.expect(what));
    }
    done
}
