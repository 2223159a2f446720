//! Where the report goes, and in which forms.

use super::super::{UsageError, terminal::print};
use crate::manifest::render::github::harmless;
use anyhow::Context as _;
use clap::ValueEnum;
use std::{env, fs::OpenOptions, io::Write as _, path::PathBuf, str::FromStr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For a comment on the change, or the summary of a job.
    Markdown,
    Json,
    /// Annotations for GitHub Actions.
    Github,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub format: Format,
    /// `None`: stdout.
    pub file: Option<PathBuf>,
    /// What the file has stays.
    append: bool,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let (format, file) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no file after the `=`".to_owned()),
            Some((format, file)) => (format, Some(file.into())),
            None => (text, None),
        };
        let names = || Format::value_variants().iter().filter_map(Format::to_possible_value);
        let format = Format::from_str(format, false).map_err(|_| {
            let names: Vec<String> = names().map(|value| value.get_name().to_owned()).collect();
            format!("there is no format of this name; choose one of {}", names.join(", "))
        })?;
        Ok(Target { format, file, append: false })
    }
}

/// The targets that are meant: where none is stdout, it gets text and what the CI that this runs in shows.
pub fn chosen(given: &[Target]) -> anyhow::Result<Vec<Target>> {
    let mut targets = given.to_vec();
    match given.iter().filter(|target| target.file.is_none()).count() {
        0 => {}
        1 => return Ok(targets),
        _ => {
            let message = "only one form can be printed; give the others a file: `-o json=FILE`";
            return Err(UsageError::new(message).into());
        }
    }
    targets.push(Target { format: Format::Text, file: None, append: false });
    if is_github() {
        targets.push(Target { format: Format::Github, file: None, append: false });
        let summary = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
        targets.extend(summary.map(|path| Target { format: Format::Markdown, file: Some(path.into()), append: true }));
    }
    Ok(targets)
}

fn is_github() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

impl Target {
    pub fn write(&self, text: &str) -> anyhow::Result<()> {
        let Some(file) = &self.file else {
            let is_text = is_github() && self.format != Format::Github;
            return Ok(print(&if is_text { harmless(text) } else { text.into() })?);
        };
        let mut options = OpenOptions::new();
        options.create(true).append(self.append).write(true).truncate(!self.append);
        let plain = anstream::adapter::strip_str(text).to_string();
        let written = options.open(file).and_then(|mut file| file.write_all(plain.as_bytes()));
        written.with_context(|| format!("cannot write {}", file.display()))
    }
}
