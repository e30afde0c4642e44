//! Completion scripts and manual pages, made from the same definition as the parser.

use std::io;
use std::path::Path;

use clap::CommandFactory as _;

use super::{Cli, Exit, Streams};

pub(super) fn completions(
    shell: clap_complete::Shell,
    streams: &mut Streams<'_>,
) -> io::Result<Exit> {
    // `generate` ends the process where writing fails, so it writes into memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "gateway", &mut script);
    streams.out.write_all(&script)?;
    Ok(Exit::Ok)
}

pub(super) fn man(dir: &Path, streams: &mut Streams<'_>) -> io::Result<Exit> {
    match clap_mangen::generate_to(Cli::command(), dir) {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => {
            writeln!(
                streams.err,
                "the manual pages could not be written into {}: {error}\nname a folder that exists and that you may write into",
                dir.display()
            )?;
            Ok(Exit::Failed)
        }
    }
}
