//! Where the report goes, and in which form.

use super::super::{
    UsageError,
    terminal::{escape_json, escape_lines, print},
};
use crate::manifest::{
    Diagnostic,
    render::{self, Report, github},
};
use anyhow::Context as _;
use clap::ValueEnum;
use std::{collections::HashSet, fs, path::PathBuf, str::FromStr, sync::Arc};

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

/// `FORMAT`, for stdout, or `FORMAT=FILE`.
#[derive(Clone, Debug)]
pub struct Destination {
    format: Format,
    file: Option<PathBuf>,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = match text.split_once('=') {
            Some((_, "")) => return Err("after `=` comes the file to write".to_owned()),
            Some((format, file)) => (format, (file != "-").then(|| file.into())),
            None => (text, None),
        };
        let format = Format::from_str(format, false).map_err(|_| {
            let known = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let known: Vec<String> = known.map(|value| format!("`{}`", value.get_name())).collect();
            format!("the formats are {}", known.join(", "))
        })?;
        Ok(Destination { format, file })
    }
}

/// All that is to be written.
pub struct Outputs {
    files: Vec<(Format, PathBuf)>,
    stdout: Stdout,
}

enum Stdout {
    One(Format),
    /// Nothing was asked for: text, with annotations where GitHub's runner reads along.
    Text {
        annotated: bool,
    },
}

/// What there is to report.
pub struct Findings<'a> {
    pub report: Report<'a>,
    /// The files that the report is about, as they are shown.
    pub files: &'a [Arc<str>],
    pub warnings_as_errors: bool,
}

impl Outputs {
    /// `runner`: whether GitHub's runner reads what is printed.
    ///
    /// # Errors
    /// [`UsageError`] when two of the destinations are the same.
    pub fn new(destinations: &[Destination], runner: bool) -> Result<Outputs, UsageError> {
        let mut outputs = Outputs { files: Vec::new(), stdout: Stdout::Text { annotated: runner } };
        let mut seen = HashSet::new();
        for Destination { format, file } in destinations {
            if !seen.insert(file) {
                let what = file.as_ref().map_or("stdout".into(), |file| file.to_string_lossy());
                let help = "only one output can go to it; `-o FORMAT=FILE` writes others into files";
                return Err(UsageError::new(format!("{what}: {help}")));
            }
            match file {
                Some(file) => outputs.files.push((*format, file.clone())),
                None => outputs.stdout = Stdout::One(*format),
            }
        }
        Ok(outputs)
    }

    /// Writes the files, then to stdout.
    pub fn write(&self, result: &Findings) -> anyhow::Result<()> {
        for (format, file) in &self.files {
            let text = format.render(result)?;
            let text = anstream::adapter::strip_str(&text).to_string();
            fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let text = match self.stdout {
            Stdout::One(format) => format.render(result)?,
            Stdout::Text { annotated: false } => result.report.text(),
            Stdout::Text { annotated: true } => {
                format!("{}{}", github::harmless(&result.report.text()), annotations(result.report.diagnostics))
            }
        };
        Ok(print(&text)?)
    }
}

fn annotations(diagnostics: &[Diagnostic]) -> String {
    github::github(diagnostics.iter().map(Into::into))
}

impl Format {
    fn render(self, result: &Findings) -> anyhow::Result<String> {
        let Findings { report, files, warnings_as_errors } = result;
        let json = |value: serde_json::Result<String>| -> anyhow::Result<String> {
            // Wherever it stands in a line, `##[` begins a command to GitHub's runner; it can only be within a string.
            Ok(escape_json(&value?).replace("##[", "\\u0023#[") + "\n")
        };
        Ok(match self {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(arguments: &[&str]) -> Result<Outputs, String> {
        let destinations = arguments.iter().map(|argument| argument.parse()).collect::<Result<Vec<_>, _>>()?;
        Outputs::new(&destinations, false).map_err(|error| error.to_string())
    }

    #[test]
    fn each_goes_somewhere_else() {
        let Ok(Outputs { files, stdout: Stdout::One(Format::Text) }) = outputs(&["text", "sarif=a.sarif", "json=b=c"])
        else {
            panic!()
        };
        assert_eq!(files, [(Format::Sarif, "a.sarif".into()), (Format::Json, "b=c".into())]);
        assert!(matches!(outputs(&["junit=x"]), Ok(Outputs { stdout: Stdout::Text { annotated: false }, .. })));
        for (arguments, error) in [
            (&["text", "json=-"][..], "stdout: only one"),
            (&["text=a", "json=a"], "a: only one"),
            (&["xml"], "the formats are `text`, `json`, "),
            (&["json="], "the file to write"),
        ] {
            let found = outputs(arguments).err().unwrap_or_default();
            assert!(found.contains(error), "{arguments:?}: {found}");
        }
    }
}
