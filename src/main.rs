use mcpfleet::sys::memory::Memory;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Memory = Memory;

fn main() -> ExitCode {
    mcpfleet::cli::main()
}
