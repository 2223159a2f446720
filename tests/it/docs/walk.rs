//! Pages that can be walked through are: their commands run in order, and say what is printed below them.
//!
//! A block of `sh` is run, and has to end well. Of a block of `console`, each command is run, and what is printed must be what
//! the page has, if it has anything. There, `…` on a line of its own stands for any lines, and within a line for any text;
//! ids, times, ports and the widths of columns may differ. A comment before a block can say `test: skip WHY`, `test: write FILE` (the
//! block into a file) or `test: before COMMANDS`.

use super::{commands::typed, root};
use crate::support::Home;
use std::{fs, os::unix::process::CommandExt, path::Path, process::Stdio, time::Duration};

/// What ends a command's output: no program prints it.
const MARK: char = '\u{1e}';

/// What a page wants to be done.
enum Step {
    Run(String),
    /// A command, and what it prints according to the page.
    Show(String, Vec<String>),
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut order = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(comment) = line.strip_prefix("<!-- test: ") {
            order = comment.trim_end_matches("-->").trim();
            if let Some(commands) = order.strip_prefix("before ") {
                steps.push(Step::Run(commands.to_owned()));
            }
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match (std::mem::take(&mut order), language) {
            (order, _) if order.starts_with("skip") => {
                let why = order.trim_start_matches("skip").trim();
                assert!(!why.is_empty(), "a block is skipped without a reason: {block:?}");
            }
            (order, _) if order.starts_with("write ") => {
                let file = order.trim_start_matches("write ");
                steps.push(Step::Run(format!("cat > {file} <<'END_OF_FILE'\n{}\nEND_OF_FILE", block.join("\n"))));
            }
            (_, "sh") => steps.push(Step::Run(block.join("\n"))),
            (_, "console") => steps.extend(shown(&block)),
            _ => {}
        }
    }
    steps
}

fn shown(block: &[&str]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = block.iter().peekable();
    while let Some(line) = lines.next() {
        let mut command = vec![*line];
        while command.last().is_some_and(|line| line.ends_with('\\')) {
            command.extend(lines.next());
        }
        let mut printed = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            printed.push(line.to_string());
        }
        steps.push(Step::Show(typed(&command.join("\n")), printed));
    }
    steps
}

/// The shell's own `mcpfleet`: an agent gets ports and paths of its own, and goes on in the background once it is there.
const PRELUDE: &str = r#"
mcpfleet() {
  if [ "$1" != run ]; then command mcpfleet "$@"; return; fi
  command mcpfleet "$@" --set gateway.listen=127.0.0.1:0 --set state_dir="$HOME/state" \
    --set control_socket="$MCPFLEET_AGENT" >"$HOME/agent.log" 2>&1 &
  agent=$!
  until command mcpfleet status >/dev/null 2>&1; do kill -0 "$agent" || exit 99; sleep 0.1; done
  command mcpfleet status --wait >/dev/null
}
trap '[ -z "${agent:-}" ] || { kill "$agent"; wait "$agent"; }' EXIT
"#;

/// Walks through a page in an empty folder, or one that has what is copied there.
async fn walk(page: &str, copied: &[&str]) {
    let home = Home::new();
    for folder in copied {
        let copy = std::process::Command::new("cp").arg("-r").arg(root().join(folder)).arg(home.path()).status();
        assert!(copy.is_ok_and(|status| status.success()), "{folder} can be copied");
    }
    let text = fs::read_to_string(root().join(page)).expect("a readable page");
    let steps = steps(&text);
    let mut script = PRELUDE.to_owned();
    for step in &steps {
        script.push_str(&match step {
            Step::Run(commands) => format!("printf '{MARK}'\nset -e\n{commands}\nset +e\n"),
            Step::Show(command, _) => format!("printf '{MARK}'\n{command}"),
        });
    }
    script.push_str("exit 0\n");
    let said = run(&home, &script).await;
    let mut said = said.split(MARK).skip(1);
    let mut compared = 0;
    for step in &steps {
        let printed = said.next().unwrap_or_else(|| panic!("{page}: the script ended before this"));
        let Step::Show(command, expected) = step else { continue };
        if expected.is_empty() {
            continue;
        }
        compared += 1;
        let is = plain(&home, printed.lines());
        let wanted = plain(&home, expected.iter().map(String::as_str));
        assert!(alike(&wanted, &is), "{page}: {command}prints\n{printed}\nand not\n{}", expected.join("\n"));
    }
    assert!(compared > 0, "{page}: nothing was compared");
}

async fn run(home: &Home, script: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_mcpfleet")).parent().expect("a folder").display();
    let inherited = std::env::var("PATH").unwrap_or_default();
    let mut command = std::process::Command::new("bash");
    command.arg("-c").arg(script).env_clear().envs(home.environment()).current_dir(home.path());
    command.env("PATH", format!("{programs}:{inherited}")).env("MCPFLEET_AGENT", home.path().join("control.sock"));
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_EDITOR", "true").env("VISUAL", "true").process_group(0);
    let out = fs::File::create(home.path().join("said")).expect("a file");
    command.stdin(Stdio::null()).stdout(out.try_clone().expect("a descriptor")).stderr(out);
    let mut shell = tokio::process::Command::from(command).spawn().expect("a shell");
    let group = nix::unistd::Pid::from_raw(i32::try_from(shell.id().expect("it runs")).expect("a process id"));
    let ended = tokio::time::timeout(Duration::from_secs(120), shell.wait()).await;
    let said = || fs::read_to_string(home.path().join("said")).expect("text");
    let Ok(ended) = ended else {
        // The agent is in the same group, and stops its servers.
        nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGTERM).expect("a group");
        let _ = shell.wait().await;
        panic!("it does not end:\n{}", said());
    };
    let log = || fs::read_to_string(home.path().join("agent.log")).unwrap_or_default();
    assert!(ended.expect("a status").success(), "a command failed:\n{}\n{}", said(), log());
    said()
}

/// Lines without what differs each time.
fn plain<'t>(home: &Home, lines: impl Iterator<Item = &'t str>) -> Vec<String> {
    let differs = [
        (r"\b[0-9a-f]{10,40}\b", "ID"),
        (r"\b([0-9]+(ms|s|m|h))+\b", "TIME"),
        (r"127\.0\.0\.1:[0-9]+", "ADDRESS"),
        (r"process [0-9]+", "process PID"),
        (r"-[0-9a-f]{8}\b", "-ID"),
        (r"\s+", " "),
    ];
    let differs = differs.map(|(pattern, word)| (regex::Regex::new(pattern).expect("a pattern"), word));
    let home = home.path().display().to_string();
    let line = |line: &str| {
        let line = line.trim_end().replace(&home, "/home/ada");
        differs.iter().fold(line, |line, (pattern, word)| pattern.replace_all(&line, *word).into_owned())
    };
    let mut lines: Vec<String> = lines.map(line).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Whether lines are as wanted.
fn alike(wanted: &[String], is: &[String]) -> bool {
    match (wanted.split_first(), is.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "…" => {
            (0..=is.len()).any(|skipped| alike(rest, is.get(skipped..).unwrap_or_default()))
        }
        (Some((wanted, rest)), Some((is, others))) => same(wanted, is) && alike(rest, others),
        _ => false,
    }
}

fn same(wanted: &str, is: &str) -> bool {
    let parts: Vec<String> = wanted.split('…').map(regex::escape).collect();
    regex::Regex::new(&format!("^{}$", parts.join(".*"))).expect("a pattern").is_match(is)
}

#[tokio::test]
async fn the_attack_goes_as_the_page_says() {
    walk("docs/attack.md", &[]).await;
}

#[tokio::test]
async fn getting_started_goes_as_the_page_says() {
    walk("docs/getting-started.md", &["example-repo"]).await;
}

#[tokio::test]
async fn resources_are_written_as_the_page_says() {
    walk("docs/authoring.md", &[]).await;
}

#[test]
fn outputs_are_compared_line_by_line() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(alike(&lines("a\n…\nd e… g"), &lines("a\nb\nc\nd e f g")));
    assert!(!alike(&lines("a\n…\nd"), &lines("a\nb\ne")));
    assert!(!alike(&lines("a"), &lines("a\nb")));
    let home = Home::new();
    let wanted = plain(&home, ["app  12s  89c4f603dc"].into_iter());
    assert_eq!(wanted, plain(&home, ["app 1m3s   40427f568e  "].into_iter()));
}
