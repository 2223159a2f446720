//! What the command line says of itself: help with examples that can be typed, completions, manual pages.

use crate::support::Home;
use std::{fs, process::Command};

/// Commands of which nobody waits for the exit code: clients and agents start them.
const STARTED_BY_PROGRAMS: &[&str] = &["mcpfleet demo-server", "mcpfleet mcp connect"];

fn program() -> clap::Command {
    let mut program = mcpfleet::cli::command().bin_name("mcpfleet").disable_help_subcommand(true);
    program.build();
    program
}

/// The commands that have none below them.
fn leaves(command: &clap::Command, found: &mut Vec<clap::Command>) {
    if !command.has_subcommands() {
        found.push(command.clone());
    }
    command.get_subcommands().for_each(|below| leaves(below, found));
}

/// What of a command's help comes after a heading, to the next empty line.
fn section<'a>(help: &'a str, heading: &str) -> Option<&'a str> {
    let (before, rest) = help.split_once(heading)?;
    let alone = before.is_empty() || before.ends_with('\n');
    alone.then(|| rest.split("\n\n").next().unwrap_or_default())
}

/// The words of each command of a line of a shell, without redirections.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut begun) = (String::new(), None, false);
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, begun) = (Some(c), true),
            (None, ' ') if begun || !word.is_empty() => {
                begun = false;
                words.push(std::mem::take(&mut word));
            }
            (None, ' ') => {}
            (None, c) => word.push(c),
        }
    }
    assert!(quote.is_none(), "{line}: a quote is open");
    let mut commands = vec![Vec::new()];
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "|" | "&&" => commands.push(Vec::new()),
            ">" | "<" => drop(words.next()),
            _ if word.starts_with(['<', '>']) => {}
            _ => commands.last_mut().expect("one at least").push(word),
        }
    }
    commands
}

#[test]
fn every_command_has_examples_that_can_be_typed() {
    let program = program();
    let mut found = vec![program.clone()];
    leaves(&program, &mut found);
    let mut wrong = Vec::new();
    let mut tried = 0;
    for command in &found {
        let name = command.get_bin_name().expect("a built command has a name");
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        if !help.contains("\nExit codes") && !STARTED_BY_PROGRAMS.contains(&name) {
            wrong.push(format!("{name}: its help does not say what its exit codes mean"));
        }
        let Some(examples) = section(&help, "Examples:\n") else {
            wrong.push(format!("{name}: its help has no examples"));
            continue;
        };
        let mut own = 0;
        for line in examples.lines() {
            for words in commands(line.trim()) {
                let words: Vec<_> = words.into_iter().skip_while(|word| word.contains('=')).collect();
                if words.first().is_none_or(|first| first != "mcpfleet") {
                    continue;
                }
                own += 1;
                if let Err(error) = program.clone().try_get_matches_from(&words) {
                    wrong.push(format!("{name}: {line}\n{error}"));
                }
            }
        }
        if own == 0 {
            wrong.push(format!("{name}: its examples do not call it"));
        }
        tried += own;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found.len() > 30 && tried > 50, "only {tried} examples of {} commands", found.len());
}

#[test]
fn lines_of_a_shell_are_taken_apart() {
    let words = |line: &str| commands(line).into_iter().map(|words| words.join("·")).collect::<Vec<_>>();
    assert_eq!(words("echo '{\"a\": 1}' | mcpfleet call - && x ''"), ["echo·{\"a\": 1}", "mcpfleet·call·-", "x·"]);
    assert_eq!(words("mcpfleet a > out <in"), ["mcpfleet·a"]);
}

/// What bash offers after some words, by the script that mcpfleet prints.
fn offered(script: &str, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let (current, previous) = (words[last], words[last - 1]);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let ask = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n_mcpfleet mcpfleet '{current}' '{previous}'\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" ")
    );
    let output = Command::new("bash").args(["--norc", "-c", &ask]).output().expect("bash starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn bash_completes_commands_and_their_words() {
    let home = Home::new();
    let output = home.mcpfleet(["completions", "bash"]).output().await.expect("the binary starts");
    assert!(output.status.success(), "{output:?}");
    let script = String::from_utf8(output.stdout).expect("text");
    assert_eq!(offered(&script, &["mcpfleet", "val"]), ["validate"]);
    let hooks = offered(&script, &["mcpfleet", "hook", ""]);
    assert!(hooks.contains(&"install".to_owned()) && hooks.contains(&"pre-push".to_owned()), "{hooks:?}");
    assert_eq!(offered(&script, &["mcpfleet", "schema", "--draft", ""]), ["2020-12", "7"]);
    assert_eq!(offered(&script, &["mcpfleet", "validate", "--warn"]), ["--warnings-as-errors"]);
}

#[tokio::test]
async fn other_shells_have_completions_too() {
    let home = Home::new();
    for (shell, begins) in [
        ("zsh", "#compdef mcpfleet"),
        ("fish", "# Print"),
        ("elvish", "use builtin;"),
        ("powershell", "using namespace"),
    ] {
        let output = home.mcpfleet(["completions", shell]).output().await.expect("the binary starts");
        let script = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success() && script.contains("deny-key"), "{shell}");
        assert!(script.trim_start().starts_with(begins), "{shell}: {}", &script[..script.len().min(100)]);
        // Only where the shell is installed; that the scripts are made is seen above.
        if ["zsh", "fish"].contains(&shell) {
            let file = home.path().join(shell);
            fs::write(&file, &script).expect("a file");
            match Command::new(shell).arg("-n").arg(&file).output() {
                Ok(checked) => assert!(checked.status.success(), "{checked:?}"),
                Err(_) => eprintln!("commands::other_shells_have_completions_too: {shell} is not installed"),
            }
        }
    }
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let home = Home::new();
    let output = home.mcpfleet(["man", "--dir", "man1"]).output().await.expect("the binary starts");
    assert!(output.status.success(), "{output:?}");
    let mut all = Vec::new();
    leaves(&program(), &mut all);
    for command in &all {
        let name = command.get_bin_name().expect("a name").replace(' ', "-");
        let page = home.path().join("man1").join(format!("{name}.1"));
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        let title = format!(".TH {name} 1");
        assert!(text.contains(&title), "{name}: {}", &text[..text.len().min(200)]);
    }
    let one = home.mcpfleet(["man"]).output().await.expect("the binary starts");
    let page = String::from_utf8(one.stdout).expect("text");
    assert!(page.contains(".SH SUBCOMMANDS") && page.contains("mcpfleet\\-validate"), "{page}");
    let Ok(groff) = Command::new("groff").arg("--version").output() else {
        eprintln!("commands::every_command_has_a_manual_page: groff is not installed, so no page is rendered");
        return;
    };
    assert!(groff.status.success());
    let pages = fs::read_dir(home.path().join("man1")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let output =
        Command::new("groff").args(["-Kutf8", "-man", "-Tutf8", "-ww", "-z"]).args(pages).output().expect("groff");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
