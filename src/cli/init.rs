use super::{
    Outcome,
    author::{fail, say},
    terminal::{escape, shell_words},
};
use crate::author::{
    AuthorError,
    init::{Made, Origin, init},
};
use clap::ValueHint;
use std::{fmt::Write as _, path::PathBuf};

/// Make a git repository that is ready to be run: a server, roles, you as a user, and a check for CI.
///
/// DIR must be empty, not there yet, or a clone without commits. The commits are signed with the key that your git signs
/// with. If it has none, the SSH key `~/.ssh/id_ed25519` (or ecdsa, rsa) is taken; without one, a key of its own is made,
/// `~/.ssh/mcpfleet_signing`. What is set in git is set for this repository only.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet init fleet
  git clone git@git.example.com:platform/fleet.git && mcpfleet init fleet

Exit codes: 0 done, 2 wrong usage, or the folder is not empty, 3 something went wrong")]
pub struct Args {
    /// The folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    attempt(&args).or_else(fail)
}

fn attempt(args: &Args) -> Result<Outcome, AuthorError> {
    let made = init(&args.folder)?;
    say(&report(&made, &args.folder.to_string_lossy()))?;
    Ok(Outcome::Fine)
}

fn report(made: &Made, folder: &str) -> String {
    let mut text = String::new();
    let Made { root, branch, user, identity, key, .. } = made;
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} is ready, with two signed commits on {}.", escape(folder), escape(branch));
    let _ = writeln!(text, "  root of trust  {root}");
    let _ = writeln!(text, "  administrator  {user}, in users/{user}.yaml");
    let key = match &key.origin {
        Origin::Configured => "the one that git signs with".to_owned(),
        Origin::Found(path) => format!("{}, with which git signs here from now on", escape(&path.to_string_lossy())),
        Origin::Made(path) => {
            let private = path.with_extension("");
            let private = private.to_string_lossy();
            let passphrase = shell_words(&["ssh-keygen".into(), "-p".into(), "-f".into(), private.into_owned()]);
            format!(
                "{}, made just now, with which git signs here from now on; `{}` gives it a passphrase",
                escape(&path.to_string_lossy()),
                escape(&passphrase)
            )
        }
    };
    let _ = writeln!(text, "  signing key    {key}");
    if identity.invented {
        let (name, email) = (escape(&identity.name), escape(&identity.email));
        let _ = writeln!(
            text,
            "  identity       {name} <{email}>, as git knew none; change it with `git config user.name` and `user.email`"
        );
    }
    let command = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        escape(&shell_words(&words)).into_owned()
    };
    let root = root.to_string();
    let _ = writeln!(text, "Next:");
    let source = match &made.remote {
        Some(url) => {
            let _ = writeln!(text, "  {}", command(&["git", "-C", folder, "push", "-u", "origin", branch]));
            url.as_str()
        }
        None => folder,
    };
    let git: &[&str] = if made.remote.is_some() { &[] } else { &["--git"] };
    let run = [&["mcpfleet", "run"], git, &[source, "--root", &root]].concat();
    let _ = writeln!(text, "  {}", command(&run));
    let _ = writeln!(text, "  {}", command(&["mcpfleet", "edit", "app/demo", "--repo", folder]));
    text
}
