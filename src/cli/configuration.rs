//! Reads the agent's configuration for the commands that need it.

use super::terminal::escape;
use crate::{
    config::{Config, Environment},
    manifest::{Diagnostic, Severity, decode::Decoded, render, text::MAX_FILE_SIZE},
};
use anyhow::Context as _;
use std::{
    env,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// What a configuration file came to.
pub enum Loaded {
    /// Good; the diagnostics are warnings.
    Good(Box<Config>, Vec<Diagnostic>),
    /// To be printed; ends with exit code 2.
    Bad(Vec<Diagnostic>),
    /// There is no such file; likewise.
    Missing(String),
}

/// Reads a configuration file, with `--set` options over it.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn load(file: &Path, set: &[String]) -> anyhow::Result<Loaded> {
    let shown = file.display().to_string();
    let bytes = match read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Loaded::Missing(format!("there is no file `{}`", escape(&shown))));
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", escape(&shown))),
    };
    let environment = environment(file)?;
    let Decoded { value, diagnostics } = Config::read(&shown, &bytes, set, &environment);
    Ok(match value {
        Some(config) => Loaded::Good(Box::new(config), diagnostics),
        None => Loaded::Bad(diagnostics),
    })
}

/// What the defaults of a configuration depend on, for one that is in `file` (or about it).
pub fn environment(file: &Path) -> anyhow::Result<Environment> {
    let path = |name: &str| env::var_os(name).map(PathBuf::from);
    let file = std::path::absolute(file).context("cannot tell the current directory")?;
    Ok(Environment {
        root: nix::unistd::geteuid().is_root(),
        base: file.parent().unwrap_or(&file).to_owned(),
        home: path("HOME"),
        xdg_config_home: path("XDG_CONFIG_HOME"),
        xdg_state_home: path("XDG_STATE_HOME"),
        xdg_runtime_dir: path("XDG_RUNTIME_DIR"),
    })
}

/// Diagnostics as text for people, and a line that says how many errors there are, if there are any.
pub fn describe(diagnostics: &[Diagnostic]) -> String {
    let mut text: String = diagnostics.iter().map(|diagnostic| render::text(diagnostic) + "\n").collect();
    match diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count() {
        0 => {}
        1 => text.push_str("1 error in the configuration\n"),
        n => text.push_str(&format!("{n} errors in the configuration\n")),
    }
    text
}

/// The bytes of a file, and at most one more than a configuration may have, which is then found to be too large.
pub fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE_SIZE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
