//! Clients of container engines. What is put on such a process stops at it: the container is no child of its.

use super::Stdio;

/// Options of `docker` and `podman` that stand before the command and have a value of their own.
const WITH_VALUE: &[&str] = &[
    "--cgroup-manager",
    "--config",
    "--connection",
    "--context",
    "--host",
    "--identity",
    "--log-level",
    "--module",
    "--root",
    "--runroot",
    "--runtime",
    "--storage-driver",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--tmpdir",
    "--url",
    "-H",
    "-c",
    "-l",
];

/// A field that would reach no further than the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopsAtClient {
    /// `limits` or `sandbox`.
    pub field: &'static str,
    /// What is wrong, and what to write instead.
    pub message: String,
    pub help: String,
}

/// The engine that a command asks to run a container, if that is what it does.
pub fn engine(command: &str, arguments: &[String]) -> Option<&'static str> {
    let name = command.rsplit('/').next().unwrap_or(command);
    let engine = ["docker", "podman"].into_iter().find(|engine| *engine == name)?;
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match argument {
            "run" => return Some(engine),
            "container" => {}
            option if WITH_VALUE.contains(&option) => drop(arguments.next()),
            option if option.starts_with('-') => {}
            _ => return None,
        }
    }
    None
}

impl Stdio {
    /// What of limits and sandbox would hold the client of a container engine and not its container. A limit of open
    /// files is the client's own business.
    pub fn stops_at_client(&self) -> Option<StopsAtClient> {
        let engine = engine(&self.command, &self.args)?;
        let limits = &self.limits;
        let flags = [
            limits.memory.map(|_| "`--memory`"),
            limits.cpu_millis.map(|_| "`--cpus`"),
            limits.processes.map(|_| "`--pids-limit`"),
        ];
        let mut flags: Vec<&str> = flags.into_iter().flatten().collect();
        let message = |field| format!("`{field}` would hold the client `{engine}` and not the container that it runs");
        if !flags.is_empty() {
            if limits.open_files.is_some() {
                flags.push("`--ulimit nofile=`");
            }
            let help = format!("limit the container by arguments of `{engine} run`: {}", flags.join(", "));
            return Some(StopsAtClient { field: "limits", message: message("limits"), help });
        }
        self.sandbox.as_ref()?;
        let help = format!(
            "confine the container by arguments of `{engine} run`: `--network none`, `--read-only`, `--cap-drop ALL`, \
             and `--volume` for what it may see"
        );
        Some(StopsAtClient { field: "sandbox", message: message("sandbox"), help })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_a_container_is_a_client() {
        for (command, arguments, expected) in [
            ("docker", "run -i --rm mcp/everything", Some("docker")),
            ("/usr/bin/podman", "run -i x", Some("podman")),
            ("docker", "--context far run x", Some("docker")),
            ("docker", "-H tcp://x --debug --log-level=debug container run x", Some("docker")),
            ("docker", "ps run", None),
            ("docker", "--host run", None),
            ("docker", "", None),
            ("docker-mcp-server", "run", None),
            ("uvx", "run", None),
        ] {
            let arguments: Vec<String> = arguments.split_whitespace().map(Into::into).collect();
            assert_eq!(engine(command, &arguments), expected, "{command} {arguments:?}");
        }
    }
}
