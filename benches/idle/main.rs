//! What an agent costs that has nothing to do.
//!
//! `cargo bench --bench idle [-- SECONDS]`. Watches the real agent for so long (60) each: without any app; with 1,000 apps
//! in a folder, and in a git repository, of which it runs none; and with 100 that run.

#[path = "../gateway/echo.rs"]
mod echo;
#[path = "../fleet/proc.rs"]
#[allow(dead_code, reason = "others look at more")]
mod proc;
#[path = "../support/agent.rs"]
#[allow(dead_code, reason = "others do more with it")]
mod support;

use std::{
    error::Error,
    ffi::OsStr,
    fs,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};
use support::Agent;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The argument that makes this program the echo server.
const ECHO: &str = "--echo-server";

/// How long an agent that has started has to come to rest.
const REST: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    if std::env::args().any(|arg| arg == ECHO) {
        return Ok(echo::serve()?);
    }
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(60);
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    for (name, apps) in [("none", 0), ("known", 1_000), ("running", 100)] {
        resources(&path(name), apps)?;
    }
    repository(&path("known"), &path("known.git"))?;
    let nothing_selected = path("nothing-selected.yaml");
    fs::write(&nothing_selected, "gateway: {auth: open}\nsources: [{name: local, directory: {path: known}}]\n")?;
    let of_git = path("git.yaml");
    let git = format!("{{url: {:?}}}", path("known.git"));
    let source = format!("sources: [{{name: fleet, git: {git}, authorization: {{mode: off}}}}]");
    fs::write(&of_git, format!("gateway: {{auth: open}}\n{source}\n"))?;

    println!("| agent | apps that run | CPU | RSS | of it not of files |\n| --- | --- | --- | --- | --- |");
    let (none, running) = (path("none"), path("running"));
    let (nothing_selected, of_git) = (nothing_selected.as_os_str(), of_git.as_os_str());
    let cases: [(&str, &[&OsStr], usize); 4] = [
        ("with no app", &[none.as_os_str()], 0),
        ("1,000 known in a folder", &["-c".as_ref(), nothing_selected], 0),
        ("1,000 known in a repository", &["-c".as_ref(), of_git], 0),
        ("100 in a folder", &[running.as_os_str()], 100),
    ];
    for (what, arguments, runs) in cases {
        let agent = Agent::start_with(arguments)?;
        let pid = agent.child.id();
        until_ready(&agent, if runs == 0 && what != "with no app" { 1_000 } else { runs }, runs)?;
        sleep(REST);
        let (before, began) = (proc::cpu(pid)?, Instant::now());
        sleep(Duration::from_secs(seconds));
        let used = proc::cpu(pid)?.saturating_sub(before);
        let share = used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
        let mib = |field| Ok::<f64, Box<dyn Error>>(proc::number(pid, field)? as f64 / 1024.0);
        println!("| {what} | {runs} | {share:.3} % | {:.1} MiB | {:.1} MiB |", mib("VmRSS:")?, mib("RssAnon:")?);
    }
    Ok(())
}

/// Waits until all apps are known, and those run that are to.
fn until_ready(agent: &Agent, known: usize, runs: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    loop {
        let answer = runtime.block_on(agent.status())?;
        let body = answer.split_once("\r\n\r\n").ok_or("an answer without a body")?.1;
        let status: serde_json::Value =
            serde_json::from_str(&body[body.find('{').unwrap_or(0)..=body.rfind('}').unwrap_or(0)])?;
        let apps = status["apps"].as_array().ok_or("a status without apps")?;
        let ready = apps.iter().filter(|app| app["state"] == "Ready").count();
        if apps.len() == known && ready == runs && status["agent"]["state"] == "Ready" {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
}

fn resources(folder: &Path, apps: usize) -> Result<()> {
    fs::create_dir(folder)?;
    let server = std::env::current_exe()?;
    for number in 0..apps {
        let mcp = format!("{{command: {server:?}, args: [{ECHO}]}}");
        let app = format!("kind: app\nversion: v3\nmetadata: {{name: echo-{number}}}\nspec:\n  mcp: {mcp}\n");
        fs::write(folder.join(format!("echo-{number}.yaml")), app)?;
    }
    Ok(())
}

/// A bare repository with all that is in a folder.
fn repository(folder: &Path, bare: &Path) -> Result<()> {
    let git = |arguments: &[&OsStr]| -> Result<()> {
        let who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").current_dir(folder).args(who).args(arguments).output()?;
        done.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&done.stderr).into_owned().into())
    };
    git(&["init".as_ref(), "--quiet".as_ref(), "--initial-branch=main".as_ref()])?;
    git(&["add".as_ref(), ".".as_ref()])?;
    git(&["commit".as_ref(), "--quiet".as_ref(), "--message=Start".as_ref()])?;
    git(&["clone".as_ref(), "--quiet".as_ref(), "--bare".as_ref(), ".".as_ref(), bare.as_os_str()])?;
    Ok(fs::remove_dir_all(folder.join(".git"))?)
}
