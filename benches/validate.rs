//! `mcpfleet validate` beside PyPI's check-jsonschema: the same 10,000 files, in turn, as processes.
//!
//! usage: cargo bench --bench validate [-- ROUNDS]
//!
//! `MCPFLEET_BENCH_BINARY` is the mcpfleet that is measured, if not the benchmark's own; `MCPFLEET_TEST_CHECK_JSONSCHEMA` the
//! other, which gets the schema that `mcpfleet schema app` prints. Without it mcpfleet is measured alone.

use std::{
    error::Error,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const FILES: u32 = 10_000;
const FOLDERS: u32 = 100;

/// A resource of the usual size, about 300 bytes.
fn write(root: &Path, index: u32) -> std::io::Result<PathBuf> {
    let env = if index.is_multiple_of(2) { "prod" } else { "staging" };
    let text = format!(
        "kind: app\nversion: v3\nmetadata:\n  name: server-{index:05}\n  description: Looks things up in system {index}\n  \
         labels:\n    env: {env}\n    team: team-{}\n    tier: \"{}\"\nspec:\n  mcp:\n    command: /usr/bin/lookup-server\n    \
         args: [\"--system\", \"{index}\"]\n    run_as_host_user: mcp\n    env:\n      LOG_LEVEL: info\n",
        index % FOLDERS,
        index % 3,
    );
    let folder = root.join(format!("team-{:02}", index % FOLDERS));
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("server-{index:05}.yaml"));
    fs::write(&path, text)?;
    Ok(path)
}

/// How long a command takes, from its start to its end. It must find nothing wrong.
fn timed(program: &OsStr, arguments: &[OsString]) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    let took = start.elapsed();
    match output.status.success() {
        true => Ok(took),
        false => Err(format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stdout)).into()),
    }
}

fn report(name: &str, mut times: Vec<Duration>) -> Option<f64> {
    times.sort();
    let (best, median) = (times.first()?, times.get(times.len() / 2)?);
    let rate = f64::from(FILES) / median.as_secs_f64();
    println!("{name}: median {median:.1?} of {}, best {best:.1?}; {rate:.0} files/s", times.len());
    Some(rate)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(20);
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("fleet");
    let files = (0..FILES).map(|index| write(&root, index)).collect::<Result<Vec<_>, _>>()?;

    let own = std::env::var_os("MCPFLEET_BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_mcpfleet").into());
    let schema = folder.path().join("app.json");
    fs::write(&schema, Command::new(&own).args(["schema", "app"]).output()?.stdout)?;
    let validate = ["validate".into(), root.into_os_string()];
    timed(&own, &validate)?; // the page cache is warm from here on
    let mut times = Vec::new();
    let mut others = Vec::new();
    for round in 0..rounds {
        times.push(timed(&own, &validate)?);
        // It takes so long that two rounds say enough.
        if let Some(program) = std::env::var_os("MCPFLEET_TEST_CHECK_JSONSCHEMA").filter(|_| round < 2) {
            let mut arguments: Vec<OsString> = vec!["--schemafile".into(), schema.clone().into()];
            arguments.extend(files.iter().map(|file| file.clone().into_os_string()));
            others.push(timed(&program, &arguments)?);
        }
    }
    let own = report("mcpfleet validate", times);
    if let (Some(own), Some(other)) = (own, report("check-jsonschema", others)) {
        println!("{:.0} times as many files/s (aim: 50)", own / other);
    }
    Ok(())
}
