//! Limits, sandboxes and privileges, for real.

mod limits;
mod privileges;
mod sandbox;
mod servers;

use crate::support::{missing, processes::Stage};
use mcpfleet::instance::{
    confine::{
        cgroup::{Groups, Wanted},
        plan::{Bounds, Plan},
    },
    launch::{HostUser, LaunchSpec},
    user,
};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A stage whose servers have control groups, where this machine has what `test` is about.
fn grouped(test: &str, wanted: Wanted) -> Option<(Stage, std::path::PathBuf)> {
    grouped_as(&tag(), test, wanted)
}

/// A tag for groups that nobody else has: an agent takes all that has its own for left by itself.
fn tag() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test{}x{}", std::process::id(), NEXT.fetch_add(1, Relaxed))
}

fn grouped_as(tag: &str, test: &str, wanted: Wanted) -> Option<(Stage, std::path::PathBuf)> {
    let groups = Groups::find(tag);
    let version = match groups.offer(wanted) {
        Ok(version) => version,
        Err(why) => {
            missing(test, &why);
            return None;
        }
    };
    let bounds = Bounds { memory: Some(1), cpu_millis: Some(1), processes: Some(1) };
    let able = groups.of("x", &bounds).into_iter().find(|group| {
        group.version == version && group.settings.iter().any(|setting| setting.file.starts_with(wanted.name()))
    });
    let folder = able.expect("a group that limits it").path.parent().expect("a folder of groups").to_owned();
    let mut stage = Stage::new();
    stage.launcher = stage.launcher.with_groups(groups);
    Some((stage, folder))
}

/// A user without rights, where the tests run as root.
fn nobody() -> Option<HostUser> {
    let root = nix::unistd::Uid::effective().is_root();
    root.then(|| user::look_up("nobody").expect("a user without rights"))
}

/// The fake server as a user without rights, where the tests run as root.
fn fake(stage: &Stage, flags: &[&str], plan: Plan) -> LaunchSpec {
    let program = stage.copy(&crate::support::processes::example("fake-mcp-server"), "server");
    let mut spec = LaunchSpec { plan, ..stage.spec(program.to_str().expect("a readable path"), flags) };
    spec.env.insert("MARK".into(), stage.path().into());
    spec.user = nobody();
    spec
}
