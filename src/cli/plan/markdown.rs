//! Plans as Markdown, for a comment on the change.

use super::{
    super::page::{Page, short},
    text::summary,
};
use crate::reconcile::preview::{FieldChange, Preview};
use std::fmt::Write as _;

/// How many fields of a row are named.
const MAX_FIELDS: usize = 8;
/// How many characters of a text are shown, and of a value.
const MAX_TEXT: usize = 300;
const MAX_VALUE: usize = 80;

/// Adds a table for each agent.
pub fn markdown(previews: &[Preview], page: &mut Page) {
    for preview in previews {
        page.paragraph(&format!("**Plan** for {}: {}", short(&preview.agent, MAX_TEXT), summary(preview)));
        let held = preview.held.iter().map(|held| {
            vec![format!("⚠️ held: {}", held.verb), short(&held.app, MAX_VALUE), short(&held.reason, MAX_TEXT)]
        });
        let steps = preview.actions.iter().map(|step| {
            let mut why = short(&step.reason, MAX_TEXT);
            why.extend(step.changes.iter().take(MAX_FIELDS).map(|change| format!("<br>{}", field(change))));
            if step.changes.len() > MAX_FIELDS {
                // Writing to a string cannot fail.
                let _ = write!(why, "<br>… and {} more", step.changes.len() - MAX_FIELDS);
            }
            vec![step.verb.to_string(), short(&step.app, MAX_VALUE), why]
        });
        page.table(&["", "App", "Why"], held.chain(steps));
    }
}

fn field(change: &FieldChange) -> String {
    let (name, value) = (short(&change.field, MAX_VALUE), |value| short(value, MAX_VALUE));
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{name}: {} → {}", value(before), value(after)),
        (Some(before), None) => format!("{name}: {} is removed", value(before)),
        (None, Some(after)) => format!("{name}: {} is new", value(after)),
        (None, None) => format!("{name} differs"),
    }
}
