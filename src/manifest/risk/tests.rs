use crate::manifest::{Code, Diagnostic, Severity, check_file, parse_file};
use proptest::prelude::*;

fn app(spec: &str) -> String {
    format!("kind: app\nversion: v3\nmetadata: {{name: web}}\nspec:\n{spec}")
}

fn warnings(text: &str) -> Vec<Diagnostic> {
    let file = check_file("f.yaml", text.as_bytes());
    assert!(file.is_valid(), "{text}\n{:#?}", file.diagnostics);
    assert_eq!(parse_file("f.yaml", text.as_bytes()).diagnostics, [], "an agent is told of no risks");
    file.diagnostics
}

/// The codes that a command line gets, besides that of a missing host user.
fn codes(command: &str) -> Vec<Code> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (program, arguments) = words.split_first().unwrap();
    codes_of(program, arguments)
}

fn codes_of(program: &str, arguments: &[&str]) -> Vec<Code> {
    let arguments = serde_json::to_string(arguments).unwrap();
    let spec = format!("  mcp:\n    command: {program}\n    args: {arguments}\n    run_as_host_user: web\n");
    warnings(&app(&spec)).into_iter().map(|d| d.code).collect()
}

#[test]
fn containers() {
    use Code::{ContainerNotRemoved as Left, HostAccess as Host, PrivilegedContainer as Root, UnpinnedImage as Image};
    for (command, expected) in [
        ("docker run -i --rm mcp/time:1.2", vec![]),
        ("docker run -i --rm mcp/time@sha256:0123", vec![]),
        ("docker run -i --rm mcp/time", vec![Image]),
        ("docker run -i --rm localhost:5000/time", vec![Image]),
        ("docker run -i --rm localhost:5000/time:2", vec![]),
        ("docker run -i --rm mcp/time:latest", vec![Image]),
        ("docker run -i mcp/time:1 --rm", vec![Left]),
        ("docker run -i --rm=false mcp/time:1", vec![Left]),
        ("/usr/bin/podman run -i --rm --privileged mcp/time:1", vec![Root]),
        ("docker run --rm --privileged=false mcp/time:1", vec![]),
        ("nerdctl run --rm -v /:/host mcp/time:1", vec![Host]),
        ("docker run --rm -iv /var/run/docker.sock:/s mcp/time:1", vec![Host]),
        ("docker run --rm -v/run/docker.sock:/s mcp/time:1", vec![Host]),
        ("docker run --rm --mount type=bind,source=/,target=/h mcp/time:1", vec![Host]),
        ("docker run --rm --volume=/srv/x:/x mcp/time:1", vec![]),
        ("docker run --rm --network host mcp/time:1", vec![Host]),
        ("docker run --rm --network=none mcp/time:1", vec![]),
        ("docker run --rm -e A=b --name x mcp/time:1 --privileged", vec![]),
        ("docker --context far container run --rm mcp/time", vec![Image]),
        ("sudo -u x env -i A=b docker run --rm mcp/time", vec![Image]),
        ("timeout -k 5 10 nice -n 3 docker run --rm mcp/time", vec![Image]),
        ("docker exec -i x y", vec![]),
        ("docker", vec![]),
        ("docker run", vec![Left]),
        ("dockerd run x", vec![]),
    ] {
        assert_eq!(codes(command), expected, "{command}");
    }
}

#[test]
fn packages() {
    for (command, unpinned) in [
        ("npx -y @modelcontextprotocol/server-everything", true),
        ("npx -y @modelcontextprotocol/server-everything@latest", true),
        ("npx -y @modelcontextprotocol/server-everything@^1", true),
        ("npx -y @modelcontextprotocol/server-everything@1", true),
        ("npx -y @modelcontextprotocol/server-everything@1.x.0", true),
        ("npx -y @modelcontextprotocol/server-everything@2026.8.31", false),
        ("npx -y server@1.2.3-beta.1", false),
        ("npx -y server ./x@1.0.0", true),
        ("npx --package=server@1.2.3 cli", false),
        ("npx -p server cli", true),
        ("npx ./local", false),
        ("bunx server", true),
        ("pnpm dlx server", true),
        ("npm exec -- server", true),
        ("npm install server", false),
        ("uvx mcp-server-time", true),
        ("uvx mcp-server-time==2026.8.18", false),
        ("uvx mcp-server-time@2026.8.18", false),
        ("uvx mcp-server-time@latest", true),
        ("uvx -p 3.12 --from mcp-server-time==1.0.0 mcp-server-time", false),
        ("uvx --with httpx --from mcp-server-time x", true),
        ("uv tool run mcp-server-time", true),
        ("uv run server.py", false),
        ("pipx run mcp-server-time", true),
        ("pipx run --spec mcp-server-time==1.0.0 x", false),
        ("deno run -A npm:server", true),
        ("deno run -A npm:server@1.2.3", false),
        ("deno run -A server.ts", false),
        ("env A=b npx -y server", true),
        ("node server.js", false),
    ] {
        let expected = if unpinned { vec![Code::UnpinnedPackage] } else { vec![] };
        assert_eq!(codes(command), expected, "{command}");
    }
}

#[test]
fn scripts_of_shells() {
    let script = |script: &str| codes_of("sh", &["-c", script]);
    assert_eq!(script("cd /srv && A=b exec npx -y 'server'"), [Code::UnpinnedPackage]);
    assert_eq!(script("npx -y server@1.2.3; echo npx server"), []);
    assert_eq!(script("sh -c \"docker run --rm x\""), [Code::UnpinnedImage]);
    assert_eq!(codes_of("bash", &["-lc", "uvx x | tee y"]), [Code::UnpinnedPackage]);
    assert_eq!(codes_of("bash", &["script.sh"]), []);
}

#[test]
fn host_users() {
    let of = |command: &str| warnings(&app(&format!("  mcp: {{command: {command}}}\n")));
    let found = of("web-server");
    let place = found.first().and_then(|d| d.position).map(|p| (p.line, p.column));
    assert_eq!((found.len(), found.first().map(|d| d.code), place), (1, Some(Code::NoHostUser), Some((5, 18))));
    assert_eq!(of("mcpfleet"), []);
    assert_eq!(warnings(&app("  uri: mcp+https://a.example.com/\n")), []);
}

#[test]
fn secrets_are_found_and_not_shown() {
    const SECRET: &str = "hunter2-and-9-more";
    for (spec, line) in [
        (format!("  mcp: {{command: x, run_as_host_user: x, env: {{DB_PASSWORD: {SECRET}, A: b}}}}\n"), 5),
        (format!("  mcp:\n    command: x\n    run_as_host_user: x\n    args: [--token={SECRET}]\n"), 8),
        (format!("  mcp:\n    command: x\n    run_as_host_user: x\n    args: [--token, \"{SECRET}\"]\n"), 8),
        (format!("  uri: mcp+https://a.example.com/?token={SECRET}\n"), 5),
        (format!("  uri: mcp+https://a.example.com/\n  rewrite:\n    headers: [\"X-Api-Key: {SECRET}\"]\n"), 7),
        (
            format!(
                "  uri: mcp+https://a.example.com/\n  rewrite:\n    headers:\n      - name: Authorization\n        value: \
                 Bearer {SECRET}\n"
            ),
            9,
        ),
    ] {
        let found = warnings(&app(&spec));
        let [warning] = found.as_slice() else { panic!("{spec}\n{found:#?}") };
        assert_eq!((warning.code, warning.severity), (Code::LiteralSecret, Severity::Warning), "{spec}");
        assert_eq!(warning.position.map(|p| p.line), Some(line), "{spec}");
        assert!(!format!("{found:?}").contains(SECRET), "{found:#?}");
        assert!(warning.pointer.is_some() && warning.document == Some(1), "{found:#?}");
    }
    // Nor by what else is on its line.
    let spec = format!("  mcp: {{command: npx, args: [server], env: {{DB_PASSWORD: \"{SECRET}\"}}}}\n");
    let found = warnings(&app(&spec));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(!format!("{found:?}").contains(SECRET), "{found:#?}");
}

#[test]
fn plain_http() {
    let of = |uri: &str, header: &str| {
        let spec = format!("  uri: {uri}\n  rewrite:\n    headers: [{header}]\n");
        warnings(&app(&spec)).iter().any(|d| d.code == Code::SecretInClear)
    };
    let secret = "{name: Authorization, value: {secret: x}}";
    assert!(of("mcp+http://a.example.com/", secret));
    assert!(of("mcp+sse+http://10.0.0.1:80/", "\"X-Api-Key: 0a1b2c3d4e\""));
    assert!(!of("mcp+https://a.example.com/", secret));
    assert!(!of("mcp+http://127.0.0.1:80/", secret));
    assert!(!of("mcp+http://[::1]:80/", secret));
    assert!(!of("mcp+http://localhost:80/", secret));
    assert!(!of("mcp+http://a.example.com/", "\"X-Team: web\""));
}

#[test]
fn patterns() {
    let role = |spec: &str| format!("kind: role\nversion: v8\nmetadata: {{name: dev}}\nspec:\n{spec}");
    for (pattern, loose) in [
        ("^a|b$", true),
        ("^a$|b$", true),
        ("^(a|b)$", false),
        ("^a$|^b$", false),
        ("^a[|]b$", false),
        (r"^a\|b$", false),
        ("a|b", false),
        ("*", false),
    ] {
        for spec in [
            format!("  allow: {{app_labels: {{env: '{pattern}'}}}}\n"),
            format!("  deny: {{mcp: {{tools: [x, '{pattern}']}}}}\n"),
            format!("  allow: {{rules: [{{resources: [app], verbs: [read], labels: {{env: ['{pattern}']}}}}]}}\n"),
        ] {
            let found = warnings(&role(&spec));
            let expected: &[Code] = if loose { &[Code::LoosePattern] } else { &[] };
            assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), expected, "{spec}");
            assert!(found.iter().all(|d| d.position.is_some_and(|p| p.line == 5 && p.column > 10)), "{found:#?}");
        }
    }
}

#[test]
fn many_warnings_are_no_error() {
    let document = app("  mcp: {command: x}\n");
    let text: String = (0..200).map(|n| document.replace("web", &format!("web-{n}")) + "---\n").collect();
    let found = warnings(&text);
    assert!(found.len() <= 101 && found.iter().all(|d| d.severity == Severity::Warning), "{}", found.len());
}

proptest! {
    #[test]
    fn whatever_a_file_says_warnings_add_to_what_is_wrong(
        command in "(docker|sh|env|npx|uvx|sudo)",
        arguments in proptest::collection::vec("(run|-c|-|--|-v|--mount|--x=|[ -~]{0,12}|\\PC{0,6})", 0..6),
        value in "\\PC{0,30}",
    ) {
        let arguments = serde_json::to_string(&arguments).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let value = serde_json::to_string(&value).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let text = app(&format!("  mcp: {{command: {command}, args: {arguments}, env: {{TOKEN: {value}}}}}\n"));
        let (plain, checked) = (parse_file("f.yaml", text.as_bytes()), check_file("f.yaml", text.as_bytes()));
        prop_assert_eq!(plain.is_valid(), checked.is_valid());
        prop_assert_eq!(&plain.resources, &checked.resources);
        prop_assert!(plain.diagnostics.len() <= checked.diagnostics.len());
    }
}
