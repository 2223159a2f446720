//! What is shown to people: text of strangers made harmless, and tables that fit.

use super::Output;
pub use crate::escape::{escape, escape_json, escape_lines};
use anstyle::Style;
use serde::Serialize;
use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Writes to stdout, with colours where it is a terminal and they are wanted. That nobody reads on is no error: the
/// reader of a pipe has seen enough.
pub fn print(text: &str) -> io::Result<()> {
    print_on(text).map(drop)
}

/// The same for one piece of many: `false` means that nobody reads on.
pub fn print_on(text: &str) -> io::Result<bool> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// Prints a value for machines; `None` if the output is to be text.
pub fn print_structured(output: Output, value: &impl Serialize) -> anyhow::Result<Option<()>> {
    let text = match output {
        Output::Text => return Ok(None),
        Output::Json => serde_json::to_string_pretty(value)? + "\n",
        // Through JSON, so that both say the same.
        Output::Yaml => serde_yaml::to_string(&serde_json::to_value(value)?)?,
    };
    print(&if output == Output::Json { escape_json(&text) } else { escape_lines(&text) })?;
    Ok(Some(()))
}

/// A value as one of many documents for machines; `None` if the output is to be text.
pub fn document(output: Output, value: &impl Serialize) -> anyhow::Result<Option<String>> {
    Ok(match output {
        Output::Text => None,
        Output::Json => Some(escape_json(&serde_json::to_string(value)?).into_owned() + "\n"),
        // Through JSON, so that both say the same.
        Output::Yaml => Some(format!("---\n{}", escape_lines(&serde_yaml::to_string(&serde_json::to_value(value)?)?))),
    })
}

/// One field of a table.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A field with a stranger's text.
    pub fn new(text: &str) -> Cell {
        Cell { text: escape(text).into_owned(), style: Style::new() }
    }

    pub fn styled(text: &str, style: Style) -> Cell {
        Cell { style, ..Cell::new(text) }
    }
}

/// Rows under a heading, each column as wide as its content; if that is wider than the terminal, the widest columns
/// but the first are cut.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

const GAP: usize = 2;
const NARROWEST: usize = 8;

impl Table {
    pub fn new(heading: &[&str]) -> Table {
        let heading = heading.iter().map(|text| Cell::styled(text, Style::new().bold())).collect();
        Table { rows: vec![heading] }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as lines for stdout.
    pub fn render(&self) -> String {
        let width = if io::stdout().is_terminal() { terminal_size::terminal_size().map(|(w, _)| w.0) } else { None };
        self.render_to(width.map(usize::from))
    }

    fn render_to(&self, width: Option<usize>) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        if let Some(width) = width {
            shrink(&mut widths, width);
        }
        let mut text = String::new();
        for row in &self.rows {
            let last = row.len().saturating_sub(1);
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let cut = cut(&cell.text, *width);
                let padding = if column == last { 0 } else { width + GAP - cut.width() };
                let style = cell.style;
                // Writing to a string cannot fail.
                let _ = write!(text, "{style}{cut}{style:#}{:padding$}", "");
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }
}

/// Takes from the widest column but the first until all fit, or no column can give any more.
fn shrink(widths: &mut [usize], width: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
    while excess > 0 {
        let Some(widest) = widths.iter_mut().skip(1).filter(|width| **width > NARROWEST).max() else { return };
        *widest -= 1;
        excess -= 1;
    }
}

/// A text in so many columns.
pub(super) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut room = width.saturating_sub(1);
    let kept: String = text
        .chars()
        .take_while(|c| {
            let taken = c.width().unwrap_or(0);
            let fits = taken <= room;
            room = room.saturating_sub(taken);
            fits
        })
        .collect();
    Cow::Owned(kept + "…")
}

/// A command as one would type it in a shell.
pub fn shell_words(words: &[String]) -> String {
    let quote = |word: &String| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b);
        if !word.is_empty() && word.bytes().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tables_fit(rows in proptest::collection::vec(proptest::collection::vec("[a-z界]{0,30}", 3), 0..5), width in 24usize..80) {
            let mut table = Table::new(&["A", "B", "C"]);
            for row in &rows {
                table.row(row.iter().map(|text| Cell::new(text)).collect());
            }
            let first = rows.iter().filter_map(|row| row.first()).map(|text| text.width()).max().unwrap_or(0);
            let allowed = width.max(first + 2 * (GAP + NARROWEST));
            let plain = anstream::adapter::strip_str(&table.render_to(Some(width))).to_string();
            for line in plain.lines() {
                prop_assert!(line.width() <= allowed, "{line:?} is wider than {allowed}");
            }
            prop_assert_eq!(plain.lines().count(), rows.len() + 1);
        }
    }

    #[test]
    fn a_table() {
        let mut table = Table::new(&["NAME", "STATE", "DESCRIPTION"]);
        table.row(vec![
            Cell::new("a-rather-long-name"),
            Cell::new("Ready"),
            Cell::new("Says\nwhat it is told, and more"),
        ]);
        table.row(vec![Cell::new("b"), Cell::new(""), Cell::new("")]);
        let plain = |width| anstream::adapter::strip_str(&table.render_to(width)).to_string();
        assert_eq!(
            plain(None),
            "NAME                STATE  DESCRIPTION\n\
             a-rather-long-name  Ready  Says\\nwhat it is told, and more\n\
             b\n"
        );
        assert_eq!(
            plain(Some(40)),
            "NAME                STATE  DESCRIPTION\n\
             a-rather-long-name  Ready  Says\\nwhat i…\n\
             b\n"
        );
    }

    #[test]
    fn commands() {
        let words = |words: &[&str]| shell_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["docker", "run", "-i", "--rm", "mcp/everything"]), "docker run -i --rm mcp/everything");
        assert_eq!(words(&["sh", "-c", "echo $HOME", "", "it's"]), r"sh -c 'echo $HOME' '' 'it'\''s'");
    }
}
