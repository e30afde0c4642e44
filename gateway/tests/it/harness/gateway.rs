//! The built programs as processes: started with a configuration, asked until ready, killed when dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{Client, eventually, within};

/// A process that is killed when dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    /// Where stderr goes, to be shown when something fails.
    log: PathBuf,
}

impl Process {
    fn spawn(mut command: Command, log: PathBuf) -> Self {
        let stderr = std::fs::File::create(&log).expect("a log file");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", command.get_program().display()));
        let stdout = child.stdout.take().expect("stdout");
        let (sender, lines) = mpsc::unbounded_channel();
        // Reads to the end, so that the process never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines, log }
    }

    /// The address at the end of the first line that begins with `prefix`.
    async fn address(&mut self, prefix: &str) -> SocketAddr {
        let found = within(&format!("`{prefix}` on stdout"), async {
            while let Some(line) = self.lines.recv().await {
                if let Some(addr) = line.strip_prefix(prefix) {
                    return Some(addr.trim().parse().expect("an address"));
                }
            }
            None
        })
        .await;
        found.unwrap_or_else(|| panic!("no `{prefix}` on stdout; stderr:\n{}", self.log()))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// Where clients connect.
    pub(crate) addr: SocketAddr,
    /// The admin listener.
    pub(crate) admin: SocketAddr,
    process: Process,
    folder: TempDir,
}

impl Gateway {
    /// Starts `gateway serve` with this configuration file and these further arguments, on free ports and
    /// a data folder of its own, and waits until it is ready.
    pub(crate) async fn start(config: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .args(arguments)
            .env_clear()
            .env("GATEWAY_SERVER_ADMIN_LISTEN", "127.0.0.1:0")
            .env("GATEWAY_SERVER_DATA_DIR", folder.path().join("data"))
            .current_dir(folder.path());
        let mut process = Process::spawn(command, folder.path().join("stderr"));
        let addr = process.address("listening on ").await;
        let admin = process.address("admin on ").await;
        let gateway = Self {
            addr,
            admin,
            process,
            folder,
        };
        eventually("the gateway to be ready", async || {
            (gateway.admin("/readyz").await.status == 200).then_some(())
        })
        .await;
        gateway
    }

    /// The gateway's own folder: `gateway.toml`, `data/`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// Reads a page of the admin listener.
    pub(crate) async fn admin(&self, path: &str) -> super::Response {
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        Client::connect(self.admin).await.request(request).await
    }

    /// What it has written to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// The number of the process, for signals.
    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }
}

/// A running task-service.
#[derive(Debug)]
pub(crate) struct TaskService {
    /// Where the gateway connects.
    pub(crate) addr: SocketAddr,
    process: Process,
    folder: TempDir,
}

impl TaskService {
    /// Starts `task-service serve` with this configuration file, on a free port and a data folder of its
    /// own. `None` where the program is not built in the same target folder.
    pub(crate) async fn start(config: &str) -> Option<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_gateway")).with_file_name("task-service");
        if !program.exists() {
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("task-service.toml");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new(program);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .env_clear()
            .current_dir(folder.path());
        let mut process = Process::spawn(command, folder.path().join("stderr"));
        let addr = process.address("listening on ").await;
        Some(Self {
            addr,
            process,
            folder,
        })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What it has written to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }
}
