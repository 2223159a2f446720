//! What is special about version 2: controllers have to be handed down, and what is written.

use super::{Setting, Wanted, aside, group::write, quota};
use crate::instance::confine::plan::Bounds;
use std::{fs, io, path::Path};

pub fn settings(bounds: &Bounds) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some(bytes) = bounds.memory {
        settings.push(Setting::needed("memory.max", bytes));
        settings.push(Setting::where_there("memory.swap.max", 0));
        // Half a server is of no use.
        settings.push(Setting::where_there("memory.oom.group", 1));
    }
    if let Some(millis) = bounds.cpu_millis {
        let (quota, period) = quota(millis);
        settings.push(Setting::needed("cpu.max", format!("{quota} {period}")));
    }
    if let Some(number) = bounds.processes {
        settings.push(Setting::needed("pids.max", number));
    }
    settings
}

/// What instances could be limited by.
pub fn available(base: &Path) -> Vec<Wanted> {
    let names = names(&base.join("cgroup.controllers"));
    Wanted::ALL.into_iter().filter(|wanted| names.iter().any(|name| name == wanted.name())).collect()
}

/// Hands the controllers `wanted` of the agent's group `base` down to `own`, which is below it, and further to what will be
/// below that. A group that hands down must have no processes itself, so the agent moves into one of its own.
///
/// Gives those that instances can have.
///
/// # Errors
/// Why they cannot be handed down.
pub fn delegate(base: &Path, own: &Path, wanted: &[Wanted]) -> Result<Vec<Wanted>, String> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    // The root of all groups alone is exempt, and alone has no such file.
    if base.join("cgroup.events").exists() {
        aside::step(base, own)?;
    }
    let mut handed = Vec::new();
    for controller in wanted {
        match hand_down(base, *controller).and_then(|()| hand_down(own, *controller)) {
            Ok(()) => handed.push(*controller),
            Err(error) => tracing::warn!(base = %base.display(), %controller, %error, "cannot hand a controller down"),
        }
    }
    match handed.is_empty() {
        true => Err(format!("may not hand down the controllers of its cgroup {}", base.display())),
        false => Ok(handed),
    }
}

fn hand_down(group: &Path, controller: Wanted) -> io::Result<()> {
    let file = group.join("cgroup.subtree_control");
    if names(&file).iter().any(|name| name == controller.name()) {
        return Ok(());
    }
    write(&file, &format!("+{controller}"))
}

fn names(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().split_whitespace().map(Into::into).collect()
}
