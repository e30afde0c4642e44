//! Arguments in, exit code out.

use std::process::ExitCode;

/// A request makes over a hundred small allocations, most of them in libraries; the system's allocator takes
/// about a tenth of its time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gateway::cli::main()
}
