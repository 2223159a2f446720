//! What tests need and do not bring: servers and clients from elsewhere, which CI installs.

use std::{
    io::{self, Write},
    path::PathBuf,
};

/// The folder or file that an environment variable names. Without it a test has nothing to test with, says so, and
/// ends; in CI, where everything has been installed, that is a failure.
pub fn outside(test: &str, variable: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.exists(), "{variable}: {} does not exist", path.display());
            Some(path)
        }
        None => {
            missing(test, &format!("{variable} is not set"));
            None
        }
    }
}

/// Says that a test is skipped, which must not happen in CI.
pub fn missing(test: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{test} must not be skipped in CI: {why}");
    // Not by `eprintln!`, which test runners keep to themselves when a test passes.
    let _ = writeln!(io::stderr(), "SKIPPED: {test}: {why} (see CONTRIBUTING.md)");
}
