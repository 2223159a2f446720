use std::process::ExitCode;

fn main() -> ExitCode {
    mcpfleet::cli::main()
}
