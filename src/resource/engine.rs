//! Clients of container engines. What is put on such a process stops at it: no container is a child of it.

use super::Stdio;

/// A field that would reach no further than the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopsAtClient {
    /// `limits` or `sandbox`.
    pub field: &'static str,
    /// What is wrong, and what to write instead.
    pub message: String,
    pub help: String,
}

/// The engine that a command is the client of, whatever it has it do: nobody here knows all the ways in which a client
/// can be told to run a container, or to go into one.
fn engine(command: &str) -> Option<&'static str> {
    let name = command.rsplit('/').next()?;
    ["docker", "podman"].into_iter().find(|engine| *engine == name)
}

impl Stdio {
    /// What of limits and sandbox would hold a process of this app that runs `command`, be it the server's or a label's,
    /// and not what it has its container engine do. A limit of open files is the client's own business.
    pub fn stops_at_client(&self, command: &str) -> Option<StopsAtClient> {
        let engine = engine(command)?;
        let limits = &self.limits;
        let flags = [
            limits.memory.map(|_| "`--memory`"),
            limits.cpu_millis.map(|_| "`--cpus`"),
            limits.processes.map(|_| "`--pids-limit`"),
        ];
        let mut flags: Vec<&str> = flags.into_iter().flatten().collect();
        let message = |field| format!("`{field}` would hold the client `{engine}` and not its containers");
        if !flags.is_empty() {
            if limits.open_files.is_some() {
                flags.push("`--ulimit nofile=`");
            }
            let help = format!("limit a container by arguments of `{engine} run`: {}", flags.join(", "));
            return Some(StopsAtClient { field: "limits", message: message("limits"), help });
        }
        self.sandbox.as_ref()?;
        let help = format!(
            "confine a container by arguments of `{engine} run`: `--network none`, `--read-only`, `--cap-drop ALL`, and \
             `--volume` for what it may see"
        );
        Some(StopsAtClient { field: "sandbox", message: message("sandbox"), help })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_by_the_name_of_its_file() {
        for (command, expected) in [
            ("docker", Some("docker")),
            ("/usr/bin/podman", Some("podman")),
            ("//docker", Some("docker")),
            ("docker-mcp-server", None),
            ("dockerd", None),
            ("/opt/docker/x", None),
            ("uvx", None),
            ("", None),
        ] {
            assert_eq!(engine(command), expected, "{command}");
        }
    }
}
