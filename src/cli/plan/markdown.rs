//! Plans as Markdown, for a comment on the change. Whatever comes from the repository is shown as code, in which forges find
//! no markup, links or mentions.

use super::text::summary;
use crate::{
    escape::markdown_code as code,
    reconcile::preview::{FieldChange, Preview},
};
use std::fmt::Write as _;

/// How many rows a table has: a comment may have 65,536 characters.
const MAX_ROWS: usize = 30;
/// How many fields of a row are named.
const MAX_FIELDS: usize = 8;
/// How many agents are shown.
const MAX_AGENTS: usize = 8;
/// How many characters of a text are shown.
const MAX_TEXT: usize = 160;

/// A table for each agent.
pub fn markdown(previews: &[Preview]) -> String {
    let mut out = String::new();
    for preview in previews.iter().take(MAX_AGENTS) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "**Plan** for {}: {}\n", code(&preview.agent), summary(preview));
        let steps = preview.actions.iter().map(|step| {
            let mut why = short(&step.reason);
            let named = step.changes.iter().take(MAX_FIELDS).map(field);
            why.extend(named.map(|field| format!("<br>{field}")));
            if step.changes.len() > MAX_FIELDS {
                let _ = write!(why, "<br>… and {} more", step.changes.len() - MAX_FIELDS);
            }
            format!("| {} | {} | {why} |", step.verb, code(&step.app))
        });
        let held = preview
            .held
            .iter()
            .map(|held| format!("| ⚠️ held: {} | {} | {} |", held.verb, code(&held.app), short(&held.reason)));
        let rows: Vec<String> = held.chain(steps).collect();
        if rows.is_empty() {
            continue;
        }
        out.push_str("| | App | Why |\n| --- | --- | --- |\n");
        for row in rows.iter().take(MAX_ROWS) {
            out.push_str(row);
            out.push('\n');
        }
        if rows.len() > MAX_ROWS {
            let _ = write!(out, "\n… and {} more\n", rows.len() - MAX_ROWS);
        }
        out.push('\n');
    }
    if previews.len() > MAX_AGENTS {
        let _ = write!(out, "… and {} more agents\n\n", previews.len() - MAX_AGENTS);
    }
    out
}

fn field(change: &FieldChange) -> String {
    let name = code(&change.field);
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{name}: {} → {}", short(before), short(after)),
        (Some(before), None) => format!("{name}: {} is removed", short(before)),
        (None, Some(after)) => format!("{name}: {} is new", short(after)),
        (None, None) => format!("{name} differs"),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => code(&format!("{}…", text.get(..end).unwrap_or_default())),
        None => code(text),
    }
}
