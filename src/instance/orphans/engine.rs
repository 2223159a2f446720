//! Which commands start a container, and where its label goes.

use super::marker::LABEL;

/// The command of a container engine that runs a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// All arguments, with the label.
    pub arguments: Vec<String>,
    /// Those before the subcommand, such as `--context x`: they say which engine is meant.
    pub options: Vec<String>,
}

/// Global options that are followed by a value, and the letters of those that are short.
type WithValue = (&'static [&'static str], &'static [char]);

const DOCKER: WithValue =
    (&["--config", "--context", "--host", "--log-level", "--tlscacert", "--tlscert", "--tlskey"], &['c', 'H', 'l']);

const PODMAN: WithValue = (
    &[
        "--cdi-spec-dir",
        "--cgroup-manager",
        "--config",
        "--conmon",
        "--connection",
        "--default-mounts-file",
        "--events-backend",
        "--hooks-dir",
        "--host",
        "--identity",
        "--imagestore",
        "--log-level",
        "--module",
        "--network-cmd-path",
        "--network-config-dir",
        "--out",
        "--root",
        "--runroot",
        "--runtime",
        "--runtime-flag",
        "--ssh",
        "--storage-driver",
        "--storage-opt",
        "--tls-ca",
        "--tls-cert",
        "--tls-key",
        "--tmpdir",
        "--url",
        "--volumepath",
    ],
    &['c', 'H'],
);

/// Puts the marker on the container that a command runs. `None` for any other command: of what a shell or a script does
/// nothing is known.
pub fn label(program: &str, arguments: &[String], marker: &str) -> Option<Labelled> {
    let with_value = match program.rsplit('/').next()? {
        "docker" => DOCKER,
        "podman" => PODMAN,
        _ => return None,
    };
    let mut at = 0;
    while let Some(option) = arguments.get(at).filter(|argument| argument.starts_with('-')) {
        at += if takes_the_next(option, with_value) { 2 } else { 1 };
    }
    let word = |at: usize| arguments.get(at).map(String::as_str);
    let run = match (word(at), word(at + 1)) {
        (Some("run"), _) => at,
        (Some("container"), Some("run")) => at + 1,
        _ => return None,
    };
    let (options, head, tail) = (arguments.get(..at)?, arguments.get(..=run)?, arguments.get(run + 1..)?);
    let label = ["--label".to_owned(), format!("{LABEL}={marker}")];
    let arguments = head.iter().cloned().chain(label).chain(tail.iter().cloned()).collect();
    Some(Labelled { arguments, options: options.to_vec() })
}

/// Whether the value of an option is the next argument.
fn takes_the_next(option: &str, (long, short): WithValue) -> bool {
    if option.starts_with("--") {
        return long.contains(&option);
    }
    // `-D` and the like go before; what comes after a letter that takes a value is the value.
    let mut letters = option.chars().skip(1);
    letters.find(|letter| short.contains(letter)).is_some_and(|_| letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_goes_right_behind_run() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (command, expected) in [
            ("docker run -i --rm mcp/x", Some(("", "run @ -i --rm mcp/x"))),
            ("/usr/local/bin/docker run x", Some(("", "run @ x"))),
            ("podman run x run", Some(("", "run @ x run"))),
            ("docker container run -i x", Some(("", "container run @ -i x"))),
            ("docker --context far run x", Some(("--context far", "--context far run @ x"))),
            ("docker --context=far run x", Some(("--context=far", "--context=far run @ x"))),
            ("docker -c run run x", Some(("-c run", "-c run run @ x"))),
            ("docker -D -H tcp://a:1 run x", Some(("-D -H tcp://a:1", "-D -H tcp://a:1 run @ x"))),
            ("docker -Htcp://a:1 run x", Some(("-Htcp://a:1", "-Htcp://a:1 run @ x"))),
            ("docker -Dl debug container run x", Some(("-Dl debug", "-Dl debug container run @ x"))),
            ("docker --debug --tls run x", Some(("--debug --tls", "--debug --tls run @ x"))),
            ("podman --root /r --remote run x", Some(("--root /r --remote", "--root /r --remote run @ x"))),
            ("podman -c far run x", Some(("-c far", "-c far run @ x"))),
            ("docker run", Some(("", "run @"))),
            ("docker", None),
            ("docker --context", None),
            ("docker --context run", None),
            ("docker exec -i x run", None),
            ("docker compose run x", None),
            ("docker container exec x", None),
            ("docker image run", None),
            ("dockerd run x", None),
            ("sh -c docker run x", None),
            ("run run x", None),
        ] {
            let all = words(command);
            let (program, arguments) = all.split_first().unwrap();
            let expected = expected.map(|(options, arguments)| Labelled {
                arguments: words(&arguments.replace('@', "--label mcpfleet.instance=a.b.c")),
                options: words(options),
            });
            assert_eq!(label(program, arguments, "a.b.c"), expected, "{command}");
        }
    }
}
