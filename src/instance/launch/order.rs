//! What a keeper is told to start.

use super::{
    super::{
        confine::cgroup::Group,
        keeper::wire::{Credentials, Directory, Order},
        orphans::{containers, marker::VARIABLE},
    },
    LaunchError, LaunchSpec, impossible,
};
use std::{
    ffi::CString,
    os::unix::ffi::OsStrExt,
    path::{Component, Path},
};

/// The order to start `spec`, marked with `marker`, in `groups`.
///
/// # Errors
/// Names and values that no process can be given.
pub(super) fn order(
    spec: &LaunchSpec,
    open_files: Option<u64>,
    marker: &str,
    groups: Vec<Group>,
) -> Result<Order, LaunchError> {
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| impossible(spec, "a NUL in an argument or variable"));
    let labelled = containers::label(spec, marker);
    let arguments = labelled.as_ref().map_or(&spec.args, |labelled| &labelled.arguments);
    let arguments = std::iter::once(spec.program.to_string())
        .chain(arguments.iter().cloned())
        .map(|argument| text(argument.into_bytes()))
        .collect::<Result<_, _>>()?;
    let given = spec.env.iter().filter(|(name, _)| *name != VARIABLE).map(|(name, value)| {
        match name.contains('=') || name.is_empty() {
            true => Err(impossible(spec, "a variable with `=` in its name, or without a name")),
            false => text([name.as_bytes(), b"=", value.as_bytes()].concat()),
        }
    });
    // First, because only the beginning of a long environment is looked at.
    let mark = std::iter::once(text(format!("{VARIABLE}={marker}").into_bytes()));
    let environment = mark.chain(given).collect::<Result<_, _>>()?;
    if !is_file_name(&spec.instance) {
        return Err(impossible(spec, "the instance's name is no file name"));
    }
    let (parent, name) = (std::path::absolute(&spec.runtime_dir)?, spec.instance.clone());
    let directory = match &spec.working_directory {
        None => Directory::Private { parent, name },
        Some(path) => {
            let temporary = spec.plan.files.is_some().then_some((parent, name));
            Directory::Given { path: path.clone(), temporary }
        }
    };
    let user = spec.user.as_ref();
    let user = user.map(|user| Credentials { uid: user.uid, gid: user.gid, groups: user.groups.clone() });
    let removal = match labelled {
        Some(labelled) if is_file_name(marker) => {
            Some(containers::removal(spec, labelled.options, marker, user.clone())?)
        }
        _ => None,
    };
    let (program, plan) = (spec.program.clone(), spec.plan.clone());
    Ok(Order { program, arguments, environment, directory, user, open_files, removal, groups, plan })
}

fn is_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_directories() {
        for name in ["everything-1", "a.b", "-x"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["", ".", "..", "/", "a/b", "a/", "/a", "./a"] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
