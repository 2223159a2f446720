//! What containers are run with.

use super::commands::{Word, name};
use crate::manifest::{Code, decode::Context, text::quoted};

/// Options before the subcommand that are followed by a value.
const GLOBAL: &[&str] = &[
    "--address",
    "--config",
    "--connection",
    "--context",
    "--host",
    "--log-level",
    "--namespace",
    "--root",
    "--runroot",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--url",
    "-H",
    "-a",
    "-c",
    "-l",
    "-n",
];

/// Options of `run` that are not followed by a value.
const SWITCHES: &[&str] = &[
    "--detach",
    "--disable-content-trust",
    "--env-host",
    "--help",
    "--init",
    "--interactive",
    "--no-healthcheck",
    "--no-hostname",
    "--no-hosts",
    "--oom-kill-disable",
    "--privileged",
    "--publish-all",
    "--quiet",
    "--read-only",
    "--replace",
    "--rm",
    "--rmi",
    "--rootfs",
    "--sig-proxy",
    "--tls-verify",
    "--tty",
    "--use-api-socket",
];

/// Letters of options of `run` that are followed by a value.
const WITH_VALUE: &[char] = &['a', 'c', 'e', 'h', 'l', 'm', 'p', 'u', 'v', 'w'];

/// Paths of the host that are as good as the whole of it.
const SOCKETS: &[&str] = &["docker.sock", "podman.sock", "containerd.sock", "crio.sock"];

/// Looks at a command that may run a container.
pub(super) fn look_at(command: &[Word], context: &Context) {
    if !["docker", "podman", "nerdctl"].contains(&name(command)) {
        return;
    }
    let mut words = command.iter().skip(1).peekable();
    while let Some(option) = words.next_if(|word| word.text.starts_with('-')) {
        if GLOBAL.contains(&option.text.as_str()) {
            words.next();
        }
    }
    words.next_if(|word| word.text == "container");
    let Some(run) = words.next_if(|word| word.text == "run") else { return };
    let mut removed = false;
    while let Some(option) = words.next_if(|word| word.text.starts_with('-')) {
        let (long, mut value) = match option.text.split_once('=') {
            Some((long, value)) => (long, Some(value)),
            None => (option.text.as_str(), None),
        };
        let mut mark = option.mark;
        let mut short = None;
        let takes_next = match long.strip_prefix("--") {
            Some(_) => value.is_none() && !SWITCHES.contains(&long),
            None => {
                let mut letters = option.text.char_indices().skip(1);
                let found = letters.find(|(_, letter)| WITH_VALUE.contains(letter));
                short = found.map(|(_, letter)| letter);
                let rest = found.and_then(|(at, _)| option.text.get(at + 1..)).unwrap_or_default();
                value = Some(rest.trim_start_matches('=')).filter(|rest| !rest.is_empty());
                found.is_some() && value.is_none()
            }
        };
        if takes_next && let Some(word) = words.next() {
            (value, mark) = (Some(word.text.as_str()), word.mark);
        }
        let on = value != Some("false");
        match (long, short) {
            ("--rm", _) => removed = on,
            ("--privileged", _) if on => {
                let message = "a container with `--privileged` can do to the host what root can";
                let help = "leave it out; `--cap-add` and `--device` give single rights";
                context.warning(Code::PrivilegedContainer, mark, message, help);
            }
            ("--volume", _) | (_, Some('v')) if value.is_some_and(|v| is_host(v.split(':').next().unwrap_or(v))) => {
                host_access(mark, context);
            }
            ("--mount", _) if value.is_some_and(mounts_host) => host_access(mark, context),
            ("--network" | "--net" | "--pid" | "--ipc" | "--userns", _) if value == Some("host") => {
                let message = format!("`{long} host` lets the container into what keeps it apart from the host");
                context.warning(Code::HostAccess, mark, message, "leave it out");
            }
            _ => {}
        }
    }
    if !removed {
        let message = "a container without `--rm` is left on the host after its end";
        context.warning(Code::ContainerNotRemoved, run.mark, message, "write `--rm` behind `run`");
    }
    if let Some(image) = words.next() {
        unpinned(image, context);
    }
}

fn host_access(mark: crate::manifest::text::Mark, context: &Context) {
    let message = "the container can write to the host through this mount as root can";
    let help = "mount only the folders that the server needs, with `:ro` where it only reads";
    context.warning(Code::HostAccess, mark, message, help);
}

/// Whether a path of the host is all of it, or a way to command it.
fn is_host(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    !path.is_empty() && path.bytes().all(|b| b == b'/') || path.starts_with('/') && SOCKETS.contains(&file)
}

fn mounts_host(value: &str) -> bool {
    value.split(',').any(|part| matches!(part.split_once('='), Some(("source" | "src", path)) if is_host(path)))
}

fn unpinned(image: &Word, context: &Context) {
    let text = image.text.as_str();
    // What a variable stands for is not known here.
    if text.contains(['$', '@']) {
        return;
    }
    // A port before the last slash is no tag.
    let tag = text.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    if tag.is_none_or(|tag| tag == "latest") {
        let message = format!("the image {} is whatever its newest version is when the server starts", quoted(text));
        let help = "name a version, or best a digest: `IMAGE@sha256:…`";
        context.warning(Code::UnpinnedImage, image.mark, message, help);
    }
}
