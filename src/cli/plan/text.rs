//! Plans for people.

use super::super::terminal::escape;
use crate::reconcile::{
    Verb,
    preview::{FieldChange, Preview},
};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

/// With colours; the writer strips them where they are not wanted. Whatever comes from the repository is escaped.
pub fn text(previews: &[Preview]) -> String {
    let mut out = String::new();
    let bold = Style::new().bold();
    for preview in previews {
        let gap = if out.is_empty() { "" } else { "\n" };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{gap}{bold}{}{bold:#}", escape(&preview.agent));
        let names = preview.actions.iter().map(|step| &step.app).chain(preview.held.iter().map(|held| &held.app));
        let width = names.map(|name| name.chars().count()).max().unwrap_or_default().min(40);
        for step in &preview.actions {
            let (mark, style) = look(step.verb);
            let (verb, app, why) = (step.verb, escape(&step.app), escape(&step.reason));
            let _ = writeln!(out, "  {style}{mark} {verb:<7}{style:#}  {app:<width$}  {why}");
            step.changes.iter().for_each(|change| field(&mut out, change));
        }
        let held_style = AnsiColor::Magenta.on_default();
        for held in &preview.held {
            let (app, why) = (escape(&held.app), escape(&held.reason));
            let _ = writeln!(out, "  {held_style}! held   {held_style:#}  {app:<width$}  {} is held: {why}", held.verb);
        }
        let _ = writeln!(out, "  {}", summary(preview));
    }
    out
}

fn look(verb: Verb) -> (char, Style) {
    match verb {
        Verb::Start => ('+', AnsiColor::Green.on_default()),
        Verb::Replace => ('~', AnsiColor::Yellow.on_default()),
        Verb::Update => ('~', AnsiColor::Cyan.on_default()),
        Verb::Stop => ('-', AnsiColor::Red.on_default()),
    }
}

fn field(out: &mut String, change: &FieldChange) {
    let name = escape(&change.field);
    let _ = match (&change.before, &change.after) {
        (Some(before), Some(after)) => writeln!(out, "      {name}: {} -> {}", escape(before), escape(after)),
        (Some(before), None) => writeln!(out, "      {name}: {} is removed", escape(before)),
        (None, Some(after)) => writeln!(out, "      {name}: {} is new", escape(after)),
        (None, None) => writeln!(out, "      {name} differs"),
    };
}

/// `1 to start, 2 to replace, 5 unchanged`.
pub fn summary(preview: &Preview) -> String {
    let mut parts: Vec<String> = [Verb::Start, Verb::Replace, Verb::Update, Verb::Stop]
        .into_iter()
        .filter_map(|verb| match preview.count(verb) {
            0 => None,
            n => Some(format!("{n} to {verb}")),
        })
        .collect();
    if !preview.held.is_empty() {
        parts.push(format!("{} held", preview.held.len()));
    }
    if parts.is_empty() {
        parts.push("nothing changes".to_owned());
    }
    parts.push(format!("{} unchanged", preview.unchanged));
    parts.join(", ")
}
