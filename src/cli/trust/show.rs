use super::{
    super::{
        Outcome, Output,
        terminal::{escape, print, print_structured},
    },
    place::{Followed, Place},
};
use crate::{
    authorize::{HeldPath, ObjectId},
    source::{Began, DeniedKey, Orders, Override, RefusedChange, Trust},
};
use anstyle::Style;
use serde::Serialize;
use std::{fmt::Write as _, sync::Arc};

/// Show the root of trust, what was accepted since, what is held, and what was decided on this host.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet trust show
  mcpfleet trust show -c /etc/mcpfleet/agent.yaml --source fleet -o json

Exit codes: 0 it is printed, 2 wrong usage, 3 something went wrong")]
pub struct Args {
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Everything that is trusted, and why.
#[derive(Serialize)]
struct Shown {
    source: String,
    /// `None` as long as nothing has been judged.
    trusted: Option<Trusted>,
    /// An order that has not been carried out yet.
    pending: Option<Override>,
    denied_keys: Vec<DeniedKey>,
    /// Orders that were carried out, oldest first.
    overrides: Vec<Override>,
}

#[derive(Serialize)]
struct Trusted {
    root: ObjectId,
    began: Began,
    /// Up to which everything has been judged.
    commit: ObjectId,
    held: Vec<HeldPath>,
    undecided: Vec<Arc<str>>,
    refused: Vec<RefusedChange>,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let Followed { name, state_dir, .. } = args.place.find()?;
    let Orders { pending, denied_keys, carried_out } = Orders::read(&state_dir)?;
    let trusted = Trust::read(&state_dir)?.map(|trust| Trusted {
        root: trust.root,
        began: trust.began,
        commit: trust.state.commit,
        held: trust.state.held(),
        undecided: trust.state.undecided(),
        refused: trust.refused,
    });
    let shown = Shown { source: name, trusted, pending, denied_keys, overrides: carried_out };
    if print_structured(args.output, &shown)?.is_none() {
        print(&text(&shown))?;
    }
    Ok(Outcome::Fine)
}

fn text(shown: &Shown) -> String {
    let bold = Style::new().bold();
    let mut out = format!("{bold}{}{bold:#}\n", escape(&shown.source));
    // Writing to a string cannot fail.
    match &shown.trusted {
        None => out += "nothing is trusted yet\n",
        Some(trusted) => {
            let _ = writeln!(out, "root       {}, {}", trusted.root, trusted.began);
            let _ = writeln!(out, "trusted    {}", trusted.commit);
            for held in &trusted.held {
                let code = held.code.map(|code| format!(" [{code}]")).unwrap_or_default();
                let _ = writeln!(out, "held       {}, refused in {}{code}", escape(&held.path), held.refused_commit);
            }
            for path in &trusted.undecided {
                let _ = writeln!(out, "undecided  {}", escape(path));
            }
        }
    }
    if let Some(Override { commit, reason, by, at, .. }) = &shown.pending {
        let _ = writeln!(out, "to come    {commit}, ordered by {} at {at}: {}", escape(by), escape(reason));
    }
    for Override { commit, reason, by, at, .. } in &shown.overrides {
        let _ = writeln!(out, "override   {commit}, by {} at {at}: {}", escape(by), escape(reason));
    }
    for DeniedKey { key, reason, by, at } in &shown.denied_keys {
        let _ = writeln!(out, "denied     {}, by {} at {at}: {}", escape(key), escape(by), escape(reason));
    }
    out
}
