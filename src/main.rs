//! The thin binary: everything is in the library.

use std::process::ExitCode;

/// Summaries are made of many small texts by several threads, which takes a quarter longer with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    muster::cli::main()
}
