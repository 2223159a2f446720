use super::super::{
    Outcome, UsageError,
    judging::{open, resolve},
    rules::rules,
    terminal::{escape, print, shell_words},
};
use crate::{
    authorize::{Cache, Failure, Judge},
    config::Authorization,
    git::Repository,
};
use anyhow::Context as _;
use clap::ValueHint;
use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

/// Put hooks into a repository.
///
/// A hook is a small script that calls this program. One that is there and calls something else is left alone unless
/// --force is given.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("which").required(true).multiple(true).args(["pre_receive", "pre_commit", "pre_push"])),
    after_help = "\
Examples:
  mcpfleet hook install --pre-commit --pre-push
  mcpfleet hook install --pre-receive --repo /srv/git/fleet.git --root main

Exit codes: 0 all is well, 1 there is a hook already, or a folder of others, 2 wrong usage, 3 something went wrong"
)]
pub struct Args {
    /// On a server: refuse pushes with commits that would be refused
    #[arg(long)]
    pre_receive: bool,
    /// In a work tree: refuse commits with files that are not valid
    #[arg(long)]
    pre_commit: bool,
    /// In a work tree: refuse to push commits that would be refused
    #[arg(long)]
    pre_push: bool,
    /// The repository, or a folder in it
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    repo: PathBuf,
    /// With --pre-receive: the commit since which every change is judged; written to `mcpfleet/agent.yaml` in the
    /// repository's folder
    #[arg(long, value_name = "REV", requires = "pre_receive")]
    root: Option<String>,
    /// Take the place of hooks that are there, and write even to a folder outside of the repository
    #[arg(long)]
    force: bool,
}

/// By this line a hook is known to be ours.
const MARK: &str = "# Written by `mcpfleet hook install`";

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let repository = open(&args.repo)?;
    let hooks: Vec<&str> =
        [(args.pre_receive, "pre-receive"), (args.pre_commit, "pre-commit"), (args.pre_push, "pre-push")]
            .into_iter()
            .filter_map(|(wanted, name)| wanted.then_some(name))
            .collect();
    let folder = hooks_folder(&repository)?;
    if !args.force && is_outside(&folder, &repository) {
        let folder = folder.display().to_string();
        anstream::eprintln!(
            "error: git takes the hooks of this repository from {}, outside of it, where others may take theirs from too \
             (`core.hooksPath`); --force writes there",
            escape(&folder)
        );
        return Ok(Outcome::Findings);
    }
    let foreign: Vec<PathBuf> =
        hooks.iter().map(|name| folder.join(name)).filter(|path| !args.force && is_foreign(path)).collect();
    if !foreign.is_empty() {
        for path in foreign {
            let path = path.display().to_string();
            anstream::eprintln!("error: there is another hook at {}; --force takes its place", escape(&path));
        }
        return Ok(Outcome::Findings);
    }
    if let Some(root) = &args.root {
        configure(&repository, root)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let program = env::current_exe().context("cannot tell where this program is")?;
    for name in hooks {
        let path = folder.join(name);
        write(&path, &script(name, &program), 0o755).with_context(|| format!("cannot write {}", path.display()))?;
        print(&format!("{} calls `mcpfleet hook {name}`\n", escape(&path.display().to_string())))?;
    }
    let settings = settings_file(&repository);
    if args.pre_receive && !settings.exists() {
        let settings = settings.display().to_string();
        print(&format!("Pushes are refused until {} says which root to trust; see --root\n", escape(&settings)))?;
    }
    Ok(Outcome::Fine)
}

/// Where the hook finds what the host of the repository has decided.
pub fn settings_file(repository: &Repository) -> PathBuf {
    super::pre_receive::folder(repository).join("agent.yaml")
}

/// Writes the configuration of the hook.
fn configure(repository: &Repository, root: &str) -> anyhow::Result<()> {
    let path = settings_file(repository);
    if path.exists() {
        let message = format!("{} is there already: change its `authorization.root`", path.display());
        return Err(UsageError::new(message).into());
    }
    let commit = resolve(repository, root)?.known()?;
    let (rules, mut cache) = (rules(&Authorization::default())?, Cache::default());
    let state = Judge::new(repository, &rules, &mut cache).root(commit);
    match state.and_then(|state| Ok(state.check_root(&rules)?)) {
        Ok(()) => {}
        Err(Failure::Refused(refusal)) => return Err(UsageError::new(refusal.message).into()),
        Err(Failure::Object(error)) => return Err(error.into()),
    }
    let text = format!("# What is pushed here is judged by this.\nauthorization:\n  root: {{commit: {commit}}}\n");
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    write(&path, &text, 0o644).with_context(|| format!("cannot write {}", path.display()))?;
    print(&format!("{} has the root {commit}\n", escape(&path.display().to_string())))?;
    Ok(())
}

/// Where git looks for hooks, without symlinks. It alone knows: its configuration outside of the repository may say so
/// too.
fn hooks_folder(repository: &Repository) -> anyhow::Result<PathBuf> {
    let mut git = Command::new("git");
    // A path that is not absolute begins where hooks run.
    git.arg("-C").arg(repository.git().workdir().unwrap_or(repository.path()));
    git.arg("--git-dir").arg(repository.path()).env_remove("GIT_WORK_TREE").env_remove("GIT_COMMON_DIR");
    git.args(["rev-parse", "--path-format=absolute", "--git-path", "hooks"]);
    let output = git.output().context("cannot ask git where its hooks are")?;
    if !output.status.success() {
        anyhow::bail!("git does not say where its hooks are: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let path = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
    Ok(PathBuf::from(OsStr::from_bytes(path)))
}

/// Whether a folder is not the repository's alone.
fn is_outside(folder: &Path, repository: &Repository) -> bool {
    let own = repository.git().workdir().into_iter().chain([repository.path(), repository.git().commondir()]);
    !own.filter_map(|own| own.canonicalize().ok()).any(|own| folder.starts_with(own))
}

/// Whether there is something at a path that was not written by this program.
fn is_foreign(path: &Path) -> bool {
    match fs::read(path) {
        Ok(bytes) => memchr::memmem::find(&bytes, MARK.as_bytes()).is_none(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn script(name: &str, program: &Path) -> String {
    let program = shell_words(&[program.to_string_lossy().into_owned()]);
    format!(
        "#!/bin/sh\n{MARK}, which also takes it over; `mcpfleet hook --help` says what it does.\nprogram={program}\n\
         [ -x \"$program\" ] || program=mcpfleet\nexec \"$program\" hook {name} \"$@\"\n"
    )
}

/// Writes a file so that nobody ever sees half of it.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.persist(path)?;
    Ok(())
}
