//! Where a report goes, and in which forms: `-o FORMAT` for stdout, `-o FORMAT=FILE` for a file.

use super::{UsageError, terminal::print};
use anyhow::Context as _;
use clap::ValueEnum;
use std::{collections::HashSet, env, fs, path::PathBuf, str::FromStr};

/// `FORMAT`, for stdout, or `FORMAT=FILE`.
#[derive(Clone, Debug)]
pub struct Destination<F> {
    format: F,
    file: Option<PathBuf>,
}

impl<F: ValueEnum> FromStr for Destination<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = match text.split_once('=') {
            Some((_, "")) => return Err("after `=` comes the file to write".to_owned()),
            Some((format, file)) => (format, (file != "-").then(|| file.into())),
            None => (text, None),
        };
        let format = F::from_str(format, false).map_err(|_| {
            let known = F::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let known: Vec<String> = known.map(|value| format!("`{}`", value.get_name())).collect();
            format!("the formats are {}", known.join(", "))
        })?;
        Ok(Destination { format, file })
    }
}

/// All that is to be written.
#[derive(Debug)]
pub struct Outputs<F> {
    files: Vec<(F, PathBuf)>,
    /// `None`: nothing was asked for, so that it gets what is usual where this runs.
    stdout: Option<F>,
}

impl<F: ValueEnum + Copy> Outputs<F> {
    /// # Errors
    /// [`UsageError`] when two of the destinations are the same.
    pub fn new(destinations: &[Destination<F>]) -> Result<Outputs<F>, UsageError> {
        let mut outputs = Outputs { files: Vec::new(), stdout: None };
        let mut seen = HashSet::new();
        for Destination { format, file } in destinations {
            if !seen.insert(file) {
                let what = file.as_ref().map_or("stdout".into(), |file| file.to_string_lossy());
                let help = "only one output can go to it; `-o FORMAT=FILE` writes others into files";
                return Err(UsageError::new(format!("{what}: {help}")));
            }
            match file {
                Some(file) => outputs.files.push((*format, file.clone())),
                None => outputs.stdout = Some(*format),
            }
        }
        Ok(outputs)
    }

    /// Writes the files, then to stdout.
    pub fn write(
        &self,
        render: impl Fn(F) -> anyhow::Result<String>,
        usual: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        for (format, file) in &self.files {
            let text = anstream::adapter::strip_str(&render(*format)?).to_string();
            fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        print(&self.stdout.map_or_else(usual, &render)?)?;
        Ok(())
    }

    /// Whether stdout gets what is usual.
    pub fn is_usual(&self) -> bool {
        self.stdout.is_none()
    }
}

/// Whether GitHub's runner reads what is printed.
pub fn is_github() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
    enum Format {
        Text,
        Json,
        Sarif,
    }

    fn outputs(arguments: &[&str]) -> Result<Outputs<Format>, String> {
        let destinations = arguments.iter().map(|argument| argument.parse()).collect::<Result<Vec<_>, _>>()?;
        Outputs::new(&destinations).map_err(|error| error.to_string())
    }

    #[test]
    fn each_goes_somewhere_else() {
        let Ok(Outputs { files, stdout: Some(Format::Text) }) = outputs(&["text", "sarif=a.sarif", "json=b=c"]) else {
            panic!()
        };
        assert_eq!(files, [(Format::Sarif, "a.sarif".into()), (Format::Json, "b=c".into())]);
        assert!(outputs(&["json=x"]).is_ok_and(|outputs| outputs.is_usual()));
        for (arguments, error) in [
            (&["text", "json=-"][..], "stdout: only one"),
            (&["text=a", "json=a"], "a: only one"),
            (&["xml"], "the formats are `text`, `json`, `sarif`"),
            (&["json="], "the file to write"),
        ] {
            let found = outputs(arguments).err().unwrap_or_default();
            assert!(found.contains(error), "{arguments:?}: {found}");
        }
    }
}
