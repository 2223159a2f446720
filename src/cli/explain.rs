//! `mcpfleet explain`: what a code means.

use super::{
    Outcome, Output, UsageError,
    terminal::{Cell, Table, escape_lines, print, print_structured},
};
use crate::{
    authorize,
    manifest::{
        self,
        decode::nearest,
        explain::{Explanation, Language},
        text::quoted,
    },
};
use anstyle::Style;
use serde::Serialize;
use std::fmt::Write as _;

/// Explain the code of a mistake or of a refusal: what it means, why it is so, and what to write instead.
///
/// Codes are what stands in brackets: `unknown-field` in `error[unknown-field]`, `unsigned` in `[unsigned]`. Without a code
/// all of them are listed.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet explain unknown-field
  mcpfleet explain 'error[duplicate-resource]'
  mcpfleet explain unsigned -o json
  mcpfleet explain

Exit codes: 0 all is well, 2 there is no such code")]
pub struct Args {
    /// The code, as it was printed
    #[arg(value_name = "CODE")]
    code: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Who gives a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Origin {
    /// `mcpfleet validate`, and all that reads files.
    Validate,
    /// `mcpfleet authorize`, and all that judges commits.
    Authorize,
}

#[derive(Clone, Debug, Serialize)]
struct Explained {
    code: String,
    origin: Origin,
    #[serde(flatten)]
    explanation: Explanation,
}

/// What is printed for programs.
#[derive(Serialize)]
struct Codes<'a> {
    version: u32,
    codes: &'a [Explained],
}

/// All codes, those of files first.
fn all() -> impl Iterator<Item = Explained> {
    let files = manifest::Code::ALL.iter().map(|code| Explained {
        code: code.to_string(),
        origin: Origin::Validate,
        explanation: manifest::explain::explain(*code),
    });
    let commits = authorize::Code::ALL.iter().map(|code| Explained {
        code: code.to_string(),
        origin: Origin::Authorize,
        explanation: authorize::explain::explain(*code),
    });
    files.chain(commits)
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let codes: Vec<Explained> = match &args.code {
        Some(written) => find(written)?,
        None => all().collect(),
    };
    if print_structured(args.output, &Codes { version: 1, codes: &codes })?.is_none() {
        match args.code {
            Some(_) => print(&codes.iter().map(text).collect::<Vec<_>>().join("\n"))?,
            None => print(&list(&codes))?,
        }
    }
    Ok(Outcome::Fine)
}

/// The code that is meant: as it is, or as it is printed with what stands before it.
fn find(written: &str) -> Result<Vec<Explained>, UsageError> {
    let inner = written.split_once('[').map_or(written, |(_, rest)| rest.trim_end().trim_end_matches(']'));
    let code = inner.trim().to_ascii_lowercase().replace('_', "-");
    let found: Vec<_> = all().filter(|explained| explained.code == code).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let known: Vec<String> = all().map(|explained| explained.code).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match nearest(&code, &known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`mcpfleet explain` lists them all".to_owned(),
    };
    Err(UsageError::new(format!("there is no code {}: {help}", quoted(inner.trim()))))
}

fn text(Explained { code, origin, explanation }: &Explained) -> String {
    let Explanation { summary, why, language, wrong, right } = explanation;
    let bold = Style::new().bold();
    let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0).clamp(40, 100));
    let mut out = format!("{bold}{code}{bold:#}: {summary}.\n\n");
    for line in wrapped(why, width) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{line}");
    }
    let place = match (language, origin) {
        (Language::Yaml, _) => "",
        (Language::Sh, Origin::Validate) => " (commands that make such files)",
        (Language::Sh, Origin::Authorize) => {
            " (in a clone where bob signs, who may change what is labelled `team: a`; $ROOT is the root of trust)"
        }
    };
    for (title, example) in [("Wrong", wrong), ("Right", right)] {
        let _ = writeln!(out, "\n{bold}{title}{bold:#}{place}:\n");
        for line in escape_lines(example).lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

/// A text in lines of at most so many characters, as far as its words let it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn list(codes: &[Explained]) -> String {
    let table = |origin: Origin| {
        let mut table = Table::new(&["CODE", "MEANING"]);
        for Explained { code, explanation, .. } in codes.iter().filter(|explained| explained.origin == origin) {
            table.row(vec![Cell::new(code), Cell::new(explanation.summary)]);
        }
        table.render()
    };
    format!("Of files:\n\n{}\nOf commits:\n\n{}", table(Origin::Validate), table(Origin::Authorize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_code_is_found_as_it_is_printed() {
        for written in
            ["unknown-field", "error[unknown-field]", "[unknown-field]", "Unknown_Field", "error[unknown-field"]
        {
            let found = find(written).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(found.iter().map(|e| e.code.as_str()).collect::<Vec<_>>(), ["unknown-field"], "{written}");
        }
        assert_eq!(find("refused[unsigned]").map(|found| found[0].origin).ok(), Some(Origin::Authorize));
        assert!(find("unkown-field").is_err_and(|error| error.to_string().contains("did you mean `unknown-field`?")));
        assert!(find("zzz\u{1b}").is_err_and(|error| error.to_string().contains("lists them all")));
    }

    #[test]
    fn a_code_means_one_thing() {
        let codes: Vec<_> = all().map(|explained| explained.code).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrapped("a bb ccc dddddd e", 5), ["a bb", "ccc", "dddddd", "e"]);
    }
}
