//! The command `task-service`: arguments, configuration, service, exit status.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use task_service::cli::Cli;

fn main() -> ExitCode {
    let Err(error) = Cli::parse().run() else {
        return ExitCode::SUCCESS;
    };
    let mut stderr = std::io::stderr().lock();
    // Nobody to tell is no reason to end otherwise.
    let _ = writeln!(stderr, "error: {error}");
    if let Some(remedy) = error.remedy() {
        let _ = writeln!(stderr, "remedy: {remedy}");
    }
    ExitCode::from(error.exit_code())
}
