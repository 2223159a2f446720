//! What is written for people is true: examples are valid, and the reference of the command line is the command line's.

mod book;
mod commands;
mod links;
mod messages;
mod shell;
mod walk;

use mcpfleet::{
    config::{Config, Environment},
    manifest::{Diagnostic, parse_file, render},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files of the project.
fn pages() -> Vec<PathBuf> {
    let visible = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || !entry.file_name().to_str().is_some_and(|name| name.starts_with('.') || name == "target")
    };
    let files = walkdir::WalkDir::new(root()).sort_by_file_name().into_iter().filter_entry(visible);
    let files = files.map(|entry| entry.expect("a readable tree").into_path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The fenced blocks of a language, each with the line where it begins.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let body: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
        if info == language {
            let body = body.iter().map(|line| line.get(indent..).unwrap_or_default());
            blocks.push((number + 1, body.map(|line| format!("{line}\n")).collect()));
        }
    }
    blocks
}

fn environment() -> Environment {
    Environment { root: true, base: "/etc/mcpfleet".into(), ..Environment::default() }
}

/// What is wrong with an example: a resource, an agent's configuration, a Kubernetes object that holds such files, or
/// somebody else's file.
fn faults(place: &str, text: &str) -> Vec<Diagnostic> {
    let begins = |key: &str| text.lines().any(|line| line.starts_with(key));
    if begins("apiVersion:") {
        let documents = serde_yaml::Deserializer::from_str(text);
        let objects = documents.map(|document| serde::Deserialize::deserialize(document).expect("well-formed YAML"));
        let objects: Vec<serde_yaml::Value> = objects.collect();
        let data = objects.iter().filter_map(|object| object.get("data")?.as_mapping()).flatten();
        data.flat_map(|(name, file)| faults(name.as_str().expect("a name"), file.as_str().expect("a text"))).collect()
    } else if begins("kind:") {
        parse_file(place, text.as_bytes()).diagnostics
    } else if ["jobs:", "repos:", "include:", "scrape_configs:", "groups:"].into_iter().any(begins) {
        let _: serde_yaml::Value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{place}: {error}"));
        Vec::new()
    } else {
        Config::read(place, text.as_bytes(), &[], &environment()).diagnostics
    }
}

fn describe(faults: &[Diagnostic]) -> String {
    faults.iter().map(render::text).collect()
}

#[test]
fn examples_in_the_documentation_are_valid() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a readable page");
        for (line, example) in blocks(&text, "yaml") {
            seen += 1;
            wrong.extend(faults(&format!("{}:{line}", page.display()), &example));
        }
    }
    assert!(wrong.is_empty(), "{}", describe(&wrong));
    assert!(seen > 10, "only {seen} examples were found");
}

#[test]
fn json_in_the_documentation_is_json() {
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a readable page");
        for (line, example) in blocks(&text, "json") {
            seen += 1;
            let read: Result<serde_json::Value, _> = serde_json::from_str(&example);
            assert!(read.is_ok(), "{}:{line}: {read:?}", page.display());
        }
    }
    assert!(seen > 0, "no example was found");
}

#[tokio::test]
async fn example_repo_is_valid() {
    let home = crate::support::Home::new();
    let mut command = home.mcpfleet(["validate".as_ref(), root().join("example-repo").as_os_str()]);
    let output = command.output().await.expect("the command starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// `UPDATE_GOLDEN=1` writes the page anew.
#[test]
fn cli_reference_is_up_to_date() {
    let mut page = String::from(
        "# The command line\n\nThis page is made from what `mcpfleet COMMAND --help` prints.\n\n\
         Exit codes: 0 all is well, 1 findings or a refusal, 2 wrong usage or configuration, 3 something went wrong.\n",
    );
    let mut program = mcpfleet::cli::command().bin_name("mcpfleet").disable_help_subcommand(true).term_width(100);
    program.build();
    describe_command(&mut program, &mut page);
    let path = root().join("docs/cli.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).expect("a writable page");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/cli.md is out of date: run the tests once with UPDATE_GOLDEN=1");
}

fn describe_command(command: &mut clap::Command, page: &mut String) {
    let name = command.get_bin_name().expect("a built command has a name").to_owned();
    let help = command.clone().mut_args(|argument| argument.hide_env_values(true)).render_long_help().to_string();
    let help: Vec<_> = help.trim().lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.join("\n")));
    for subcommand in command.get_subcommands_mut() {
        describe_command(subcommand, page);
    }
}
