//! Every command line of ours in the documentation is one that the program takes.

use super::{blocks, pages, shell};
use std::fs;

/// What somebody types of a block that shows a terminal: the lines with a prompt, and those that they go on in.
pub fn typed(block: &str) -> String {
    let mut typed = String::new();
    let mut goes_on = false;
    for line in block.lines() {
        let Some(line) = (if goes_on { Some(line) } else { line.strip_prefix("$ ").or(line.strip_prefix("# ")) })
        else {
            continue;
        };
        goes_on = line.ends_with('\\');
        typed.push_str(line);
        typed.push('\n');
    }
    typed
}

/// Whether it gives a variable a value for the command that follows.
fn sets(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()))
}

/// The arguments for our program in a command.
fn ours<'w>(words: &'w [&'w str]) -> Option<&'w [&'w str]> {
    let (first, rest) = words.split_first()?;
    match (first.rsplit('/').next()?, rest) {
        ("mcpfleet", _) => Some(rest),
        ("cargo", ["run", "--", rest @ ..]) => Some(rest),
        // The image is called so too.
        ("docker" | "podman", _) => rest.get(rest.iter().position(|word| *word == "mcpfleet")? + 1..),
        ("sudo" | "exec" | "if" | "!" | "then" | "do", _) => ours(rest),
        _ if sets(first) => ours(rest),
        _ => None,
    }
}

#[test]
fn every_command_in_the_documentation_is_one() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a readable page");
        let consoles = blocks(&text, "console").into_iter().map(|(line, block)| (line, typed(&block)));
        for (line, script) in consoles.chain(blocks(&text, "sh")) {
            for words in shell::commands(&script) {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let Some(arguments) = ours(&words) else { continue };
                seen += 1;
                let call = ["mcpfleet"].iter().chain(arguments);
                let Err(error) = mcpfleet::cli::command().try_get_matches_from(call) else { continue };
                if error.use_stderr() {
                    wrong.push(format!("{}:{line}: {}\n{error}", page.display(), arguments.join(" ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "only {seen} commands were found");
}
