//! The forms in which the findings are reported.

use super::super::terminal::escape_lines;
use crate::manifest::{
    Diagnostic,
    render::{self, Report, github},
};
use clap::ValueEnum;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Yaml,
    Github,
    Gitlab,
    Sarif,
    Junit,
}

/// What there is to report.
pub struct Findings<'a> {
    pub report: Report<'a>,
    /// The files that the report is about, as they are shown.
    pub files: &'a [Arc<str>],
    pub warnings_as_errors: bool,
}

impl Findings<'_> {
    /// What is printed unless something else is asked for; `runner`: where GitHub's runner reads along.
    pub fn usual(&self, runner: bool) -> String {
        match runner {
            false => self.report.text(),
            true => format!("{}{}", github::harmless(&self.report.text()), annotations(self.report.diagnostics)),
        }
    }

    pub fn render(&self, format: Format) -> anyhow::Result<String> {
        let Findings { report, files, warnings_as_errors } = self;
        let json =
            |value: serde_json::Result<String>| -> anyhow::Result<String> { Ok(github::harmless_json(&value?) + "\n") };
        Ok(match format {
            // Whoever prints to a file may show it to the runner later.
            Format::Text => github::harmless(&report.text()).into_owned(),
            Format::Json => json(serde_json::to_string_pretty(report))?,
            // Through JSON, so that both say the same.
            Format::Yaml => {
                let yaml = serde_yaml::to_string(&serde_json::to_value(report)?)?;
                github::harmless(&escape_lines(&yaml)).into_owned()
            }
            Format::Github => annotations(report.diagnostics) + &report.sum(),
            Format::Gitlab => json(serde_json::to_string_pretty(&render::gitlab(report.diagnostics)))?,
            Format::Sarif => json(serde_json::to_string(&render::sarif(report.diagnostics)))?,
            Format::Junit => render::junit(files.iter().map(|file| &**file), report.diagnostics, *warnings_as_errors),
        })
    }
}

fn annotations(diagnostics: &[Diagnostic]) -> String {
    github::github(diagnostics.iter().map(Into::into))
}
