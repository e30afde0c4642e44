//! A gateway and a task-service with folders of their own, and how they are started there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::ask::ask;
use super::process::{Ended, Process, run};
use super::{Client, Response, eventually};

/// The configuration that is shipped.
pub(crate) const SHIPPED: &str = include_str!("../../../../config/gateway.toml");

/// Where a gateway lives: configuration, environment, flags, data folder. Outlives the process.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    env: BTreeMap<String, String>,
    flags: Vec<String>,
    runs: AtomicUsize,
}

impl Home {
    fn empty() -> Self {
        let folder = TempDir::new().expect("a folder");
        let data = folder.path().join("data").display().to_string();
        let env = [
            ("GATEWAY_SERVER_LISTEN", "127.0.0.1:0"),
            ("GATEWAY_SERVER_ADMIN_LISTEN", "127.0.0.1:0"),
            ("GATEWAY_SERVER_DATA_DIR", &data),
        ];
        Self {
            env: env
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into_iter()
                .collect(),
            folder,
            flags: Vec::new(),
            runs: AtomicUsize::new(0),
        }
    }

    /// With this configuration file, on free ports.
    pub(crate) fn new(config: &str) -> Self {
        let home = Self::empty();
        std::fs::write(home.file(), config).expect("a file");
        let file = home.file().display().to_string();
        home.env("GATEWAY_CONFIG", &file)
    }

    /// With the shipped configuration, in front of this upstream, in development mode (`admin`/`admin`).
    pub(crate) fn shipped(upstream: &str) -> Self {
        let home = Self::new(SHIPPED).flag("--insecure-dev");
        let secret = home.secret_file().display().to_string();
        home.env("GATEWAY_UPSTREAMS_TASKS_URLS", upstream)
            .env("GATEWAY_UPSTREAMS_TASKS_SECRET_FILE", &secret)
    }

    /// Without a file: `--upstream`.
    pub(crate) fn zero_config(upstream: &str) -> Self {
        Self::empty().flag("--upstream").flag(upstream)
    }

    /// Sets a variable, for the server and for commands.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Unsets a variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Adds a flag of `serve`.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Takes a flag of `serve` away.
    pub(crate) fn without_flag(mut self, flag: &str) -> Self {
        self.flags.retain(|f| f != flag);
        self
    }

    /// The folder of all.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder().join("gateway.toml")
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Where the shipped configuration's shared secret is made.
    pub(crate) fn secret_file(&self) -> PathBuf {
        self.folder().join("shared-secret")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command
            .args(arguments)
            .env_clear()
            .envs(&self.env)
            .current_dir(self.folder());
        command
    }

    fn serve_command(&self) -> Command {
        let mut command = self.command(&["serve"]);
        command.args(&self.flags);
        command
    }

    /// Runs another command than `serve`.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        run(self.command(arguments), "").await
    }

    /// Runs a command that reads its standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        run(self.command(arguments), input).await
    }

    /// Runs `serve` where it is expected to end by itself.
    pub(crate) async fn serve_in_vain(&self) -> Ended {
        run(self.serve_command(), "").await
    }

    /// Starts `serve` and waits for nothing.
    pub(crate) fn launch(&self) -> Process {
        let n = self.runs.fetch_add(1, Ordering::SeqCst);
        Process::spawn(
            self.serve_command(),
            &self.folder().join(format!("run-{n}")),
        )
    }

    /// Starts `serve` and waits until it is ready.
    pub(crate) async fn serve(&self) -> Gateway {
        let mut process = self.launch();
        let addr = process.address("listening on ").await;
        let admin = process.address("admin on ").await;
        let gateway = Gateway {
            addr,
            admin,
            process,
        };
        eventually("the gateway to be ready", async || {
            (gateway.admin("/readyz").await.status == 200).then_some(())
        })
        .await;
        gateway
    }

    /// Adds a user by the command line; gives its number.
    pub(crate) async fn add_user(&self, name: &str, password: &str) -> u64 {
        let arguments = ["user", "add", name, "--password-stdin", "--json"];
        let user = self.run_with(&arguments, password).await.json();
        user["id"].as_u64().expect("a number")
    }
}

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// Where clients connect.
    pub(crate) addr: SocketAddr,
    /// The admin listener.
    pub(crate) admin: SocketAddr,
    /// The process.
    pub(crate) process: Process,
}

impl Gateway {
    /// A new connection.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn ask(&self, bytes: impl AsRef<[u8]>) -> Response {
        self.connect().await.request(bytes).await
    }

    /// Reads a page of the admin listener.
    pub(crate) async fn admin(&self, path: &str) -> Response {
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        Client::connect(self.admin).await.request(request).await
    }

    /// The sum of a metric's samples whose labels hold all of `labels`.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let page = self.admin("/metrics").await;
        page.text()
            .lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Asks for a token.
    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Response {
        let body = serde_json::json!({ "username": name, "password": password });
        self.ask(ask("POST /api-auth/").json(&body)).await
    }

    /// A token.
    pub(crate) async fn token(&self, name: &str, password: &str) -> String {
        let answer = self.log_in(name, password).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let token = answer.json()["token"].as_str().expect("a token").to_owned();
        assert!(token.starts_with("eyJ"), "{token}");
        token
    }

    /// What it has written to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.process.stderr()
    }
}

/// Where a task-service lives.
#[derive(Debug)]
pub(crate) struct TaskHome {
    folder: TempDir,
    env: BTreeMap<String, String>,
    runs: AtomicUsize,
}

impl TaskHome {
    /// A place that trusts a gateway by the secret in this file, once it is there.
    pub(crate) fn new(secret_file: Option<&Path>) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut env = BTreeMap::new();
        env.insert(
            "TASK_SERVICE_SERVER_DATA_DIR".to_owned(),
            folder.path().join("data").display().to_string(),
        );
        if let Some(file) = secret_file {
            env.insert(
                "TASK_SERVICE_GATEWAY_SECRET_FILE".to_owned(),
                file.display().to_string(),
            );
        }
        Self {
            folder,
            env,
            runs: AtomicUsize::new(0),
        }
    }

    /// Starts it on this address.
    pub(crate) async fn serve_on(&self, addr: SocketAddr) -> TaskService {
        let program = Path::new(env!("CARGO_BIN_EXE_gateway")).with_file_name("task-service");
        assert!(
            program.exists(),
            "{} is missing: run `cargo build --bins` first",
            program.display()
        );
        let mut command = Command::new(program);
        command
            .args(["serve", "--listen", &addr.to_string()])
            .env_clear()
            .envs(&self.env)
            .current_dir(self.folder.path());
        let n = self.runs.fetch_add(1, Ordering::SeqCst);
        let mut process = Process::spawn(command, &self.folder.path().join(format!("run-{n}")));
        let addr = process.address("listening on ").await;
        TaskService { addr, process }
    }

    /// Starts it on a free port.
    pub(crate) async fn serve(&self) -> TaskService {
        self.serve_on("127.0.0.1:0".parse().expect("an address"))
            .await
    }
}

/// A running task-service.
#[derive(Debug)]
pub(crate) struct TaskService {
    /// Where the gateway connects.
    pub(crate) addr: SocketAddr,
    /// The process.
    pub(crate) process: Process,
}

impl TaskService {
    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// Gateway and task-service together, as they are shipped.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The gateway.
    pub(crate) gateway: Gateway,
    /// The service behind it.
    pub(crate) tasks: TaskService,
    /// Where the gateway lives.
    pub(crate) home: Home,
    /// Where the service lives.
    pub(crate) task_home: TaskHome,
}

impl Pair {
    /// Both, in development mode.
    pub(crate) async fn start() -> Self {
        Self::start_with(|home| home).await
    }

    /// Both, with the gateway's home changed.
    pub(crate) async fn start_with(change: impl FnOnce(Home) -> Home) -> Self {
        // The service must know where the secret will be before the gateway makes it.
        let home = Home::shipped("");
        let task_home = TaskHome::new(Some(&home.secret_file()));
        let tasks = task_home.serve().await;
        let home = change(home.env("GATEWAY_UPSTREAMS_TASKS_URLS", &tasks.url()));
        let gateway = home.serve().await;
        let pair = Self {
            gateway,
            tasks,
            home,
            task_home,
        };
        pair.knows_person(1).await;
        pair
    }

    /// Waits until the service shows a person.
    pub(crate) async fn knows_person(&self, id: u64) {
        let request = ask(&format!("GET /users/{id}/")).end();
        eventually("the person at the service", async || {
            (self.gateway.ask(&request).await.status == 200).then_some(())
        })
        .await;
    }
}

/// The body of a task for a person.
pub(crate) fn task(title: &str, person: u64) -> serde_json::Value {
    serde_json::json!({ "title": title, "person": person, "due_to": "2016-10-18T19:12:01Z" })
}
