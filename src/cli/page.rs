//! A page of Markdown that fits into a comment of a forge. Whatever comes from the repository is shown as code, in which forges
//! find no markup, links or mentions.

use crate::escape::{escape, markdown_code};

/// A comment on GitHub has at most 65,536 characters; some are left for whoever puts something around it.
const MAX_CHARACTERS: usize = 60_000;
/// Kept for the lines that say how much is missing.
const RESERVED: usize = 1_000;

#[derive(Debug, Default)]
pub struct Page {
    text: String,
    characters: usize,
    /// Whether there was no room for something.
    omitted: bool,
}

impl Page {
    /// Adds a paragraph of our own words, as long as there is room.
    pub fn paragraph(&mut self, text: &str) {
        self.add(&format!("{text}\n\n"));
    }

    /// Adds a table, or as many of its rows as there is room for.
    pub fn table(&mut self, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heading: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let rule = vec!["---".to_owned(); columns.len()];
        if !self.add(&format!("{}{}", line(&heading), line(&rule))) {
            return;
        }
        while let Some(row) = rows.next() {
            if !self.add(&line(&row)) {
                self.force(&format!("\n… and {} more\n", 1 + rows.count()));
                break;
            }
        }
        self.force("\n");
    }

    pub fn finish(mut self) -> String {
        if self.omitted {
            self.force("**Not all of it fits here:** the text and JSON forms have the rest.\n\n");
        }
        self.text
    }

    fn add(&mut self, text: &str) -> bool {
        let fits = self.characters + text.chars().count() <= MAX_CHARACTERS - RESERVED;
        match fits {
            true => self.force(text),
            false => self.omitted = true,
        }
        fits
    }

    fn force(&mut self, text: &str) {
        self.characters += text.chars().count();
        self.text += text;
    }
}

/// A text of the repository as code, of which no more than this many characters are shown.
pub fn short(text: &str, characters: usize) -> String {
    // What cannot be seen gets longer by being shown.
    let text = escape(text.trim());
    match text.char_indices().nth(characters) {
        Some((end, _)) => markdown_code(&format!("{}…", text.get(..end).unwrap_or_default())),
        None => markdown_code(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_whatever_is_on_it() {
        let mut page = Page::default();
        for _ in 0..20 {
            page.paragraph("a paragraph");
            page.table(&["A", "B"], (0..200).map(|_| vec![short(&"x".repeat(9_000), 200), "y".to_owned()]));
        }
        let text = page.finish();
        assert!(text.chars().count() < 65_536, "{}", text.chars().count());
        assert!(text.contains("… and ") && text.contains("**Not all of it fits here:**"), "what is left out is said");
        assert!(short(&"\u{202e}".repeat(9_000), 200).chars().count() < 210);
    }
}
