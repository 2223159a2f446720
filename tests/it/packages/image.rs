//! The image, of the project's own Dockerfile. Its bases come from a registry otherwise; here they are a Debian that was made
//! on this machine, and the program is the one under test.

use super::{ada, demo, ended, file, prepare, project, says, stripped, tools};
use crate::support::{Ended, Era, Home, RealClient, arguments as arguments_of, eventually, missing, outside, text};
use rmcp::{ServiceError, model::CallToolRequestParams};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Removed with all that belongs to it at the end.
struct Image {
    name: String,
    docker: PathBuf,
    home: Home,
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = self.docker(&["rm", "--force", "--volumes", &self.name]).output();
        for image in ["", "-program", "-base"] {
            let _ = self.docker(&["image", "rm", "--force", &format!("{}{image}", self.name)]).output();
        }
    }
}

impl Image {
    /// Built, if there is what it is built with.
    fn build(test: &str) -> Option<Image> {
        let debian = outside(test, "MCPFLEET_TEST_DEBIAN")?;
        let path = tools(test)?;
        let docker = docker(test)?;
        let name = format!("mcpfleet-image-{}", std::process::id());
        let image = Image { name: name.clone(), docker, home: Home::new() };
        let out = image.home.path().join("program/out/usr");
        stripped(&out.join("local/bin/mcpfleet"));
        prepare(&path, &image.home.path().join("package"));
        std::fs::create_dir_all(out.join("share/doc/mcpfleet")).expect("a folder");
        std::fs::copy(
            image.home.path().join("package/mcpfleet.cdx.json"),
            out.join("share/doc/mcpfleet/mcpfleet.cdx.json"),
        )
        .expect("an SBOM");
        image.import(&image.home.path().join("program"), "-program");
        image.import(&debian, "-base");
        let arguments = [
            format!("BUILD_BASE={name}-base"),
            format!("RUNTIME_BASE={name}-base"),
            format!("PROGRAM={name}-program"),
            "VERSION=1.2.3".into(),
            "REVISION=4f2c8b1".into(),
            "SOURCE=https://git.example.com/platform/mcpfleet".into(),
        ];
        let mut build = image.docker(&["build", "--quiet", "--network", "none", "--tag", &name]);
        arguments.iter().for_each(|argument| _ = build.args(["--build-arg", argument]));
        says(build.arg(project()).env("DOCKER_BUILDKIT", "1"));
        Some(image)
    }

    fn import(&self, folder: &Path, suffix: &str) {
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(folder).args(["--exclude=./dev/*", "--exclude=./proc/*", "-c", "."]).stdout(Stdio::piped());
        let mut tar = tar.spawn().expect("tar");
        let archive = tar.stdout.take().expect("a pipe");
        says(self.docker(&["import", "-", &format!("{}{suffix}", self.name)]).stdin(archive));
        assert!(tar.wait().expect("tar").success());
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.docker);
        command.args(arguments);
        command
    }

    /// Starts it as it should be: read-only, without capabilities, with the folder `fleet` of home. Gives where it is published.
    fn run(&self) -> String {
        let folder = self.home.path().join("fleet");
        let mount = format!("{}:/etc/mcpfleet/resources:ro", folder.display());
        let mut run = self.docker(&["run", "--detach", "--name", &self.name, "--read-only", "--tmpfs", "/tmp"]);
        run.args(["--tmpfs", "/var/lib/mcpfleet:uid=7420,gid=7420,mode=0700", "--cap-drop", "ALL"]);
        run.args(["--security-opt", "no-new-privileges", "--publish", "127.0.0.1::7420", "--volume", &mount]);
        says(run.arg(&self.name));
        says(&mut self.docker(&["port", &self.name, "7420/tcp"])).lines().next().expect("a port").to_owned()
    }

    fn exec(&self, arguments: &[&str]) -> Ended {
        let mut command = self.docker(&["exec", &self.name]);
        ended(command.args(arguments))
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.home.path().join("fleet").join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }

    fn inspect(&self, format: &str) -> String {
        says(&mut self.docker(&["inspect", "--format", format, &self.name])).trim().to_owned()
    }

    fn logs(&self) -> String {
        let ended = ended(&mut self.docker(&["logs", &self.name]));
        ended.out + &ended.errors
    }

    /// The states of all processes in it, as `ps` has them.
    fn processes(&self) -> Vec<String> {
        let shown = says(&mut self.docker(&["top", &self.name, "-eo", "pid,stat,args"]));
        shown.lines().skip(1).map(str::to_owned).collect()
    }
}

/// A client that builds by the Dockerfile's rules, if there is an engine with a bridge: a build that skips what it does not need
/// takes BuildKit, which Debian's client has in itself and others in a plugin.
fn docker(test: &str) -> Option<PathBuf> {
    let works = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let debians = Path::new("/usr/bin/docker");
    let program = match works("docker", &["buildx", "version"]) {
        true => PathBuf::from("docker"),
        false if debians.exists() => debians.to_owned(),
        false => {
            missing(test, "there is no Docker client that can build");
            return None;
        }
    };
    if !works(program.to_str()?, &["network", "inspect", "bridge"]) {
        missing(test, "there is no Docker engine with a network");
        return None;
    }
    Some(program)
}

impl Image {
    /// Calls a tool as a client on this machine, by the published port.
    async fn call(&self, at: &str, app: &str, arguments: &str) -> Ended {
        let mut command = self.client(at, &["mcp", "call", app, "add", arguments]);
        command.output().await.expect("it starts").into()
    }

    fn client(&self, at: &str, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.home.mcpfleet(arguments);
        command.args(["--agent", &format!("http://{at}"), "--token-file"]).arg(self.home.path().join("token"));
        command
    }

    /// Starts it with a user and an app, and waits for that.
    async fn serve(&self) -> String {
        let (user, token) = ada(&self.home).await;
        std::fs::write(self.home.path().join("token"), token).expect("a file");
        self.write("users/ada.yaml", &user);
        self.write("roles/operators.yaml", &file("example-repo/roles/operators.yaml"));
        self.write("apps/demo.yaml", &demo("demo", ""));
        let at = self.run();
        eventually("a server that is ready", async || {
            let ended = self.exec(&["mcpfleet", "status", "--wait"]);
            (ended.code == Some(0) && ended.out.contains("demo")).then_some(())
        })
        .await;
        at
    }

    /// Begins a call, waits until it is under way, does something else, and gives what became of the call.
    async fn while_it_counts(
        &self,
        at: &str,
        arguments: Value,
        act: impl AsyncFnOnce(),
    ) -> Result<String, ServiceError> {
        let handler = RealClient::new(Era::Modern);
        let client = handler.clone().spawn(self.client(at, &["mcp", "connect", "demo"])).await;
        let call = client.call_tool(CallToolRequestParams::new("countdown").with_arguments(arguments_of(arguments)));
        let then = async {
            eventually("progress", async || (!handler.progress.lock().unwrap().is_empty()).then_some(())).await;
            act().await;
        };
        let (called, ()) = tokio::join!(call, then);
        called.map(|result| text(&result))
    }

    /// Whether it ended well; it is gone then.
    async fn ended(&self) {
        eventually("the end", async || (self.inspect("{{.State.Running}}") == "false").then_some(())).await;
        assert_eq!(self.inspect("{{.State.ExitCode}}"), "0", "{}", self.logs());
        says(&mut self.docker(&["rm", "--volumes", &self.name]));
    }
}

#[tokio::test]
async fn it_serves_what_is_mounted_and_stops_cleanly() {
    let Some(image) = Image::build("packages::image::it_serves_what_is_mounted_and_stops_cleanly") else { return };
    let labels: Value = serde_json::from_str(&image.inspect("{{json .Config.Labels}}")).expect("JSON");
    assert_eq!(labels["org.opencontainers.image.version"], "1.2.3");
    assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
    assert_eq!(image.inspect("{{.Config.User}}"), "7420:7420");
    by_itself_it_says_what_to_mount(&image).await;

    let at = image.serve().await;
    what_is_mounted_is_followed(&image, &at).await;
    it_reaps(&image).await;
    let stop = async || says(&mut image.docker(&["kill", "--signal", "TERM", &image.name]));
    // A call that is under way may end.
    let counted = json!({"from": 3, "interval_ms": 300});
    let called = image.while_it_counts(&at, counted, async || drop(stop().await)).await;
    assert_eq!(called.expect("an answer"), "Lift-off!", "{}", image.logs());
    image.ended().await;

    // Unless somebody insists.
    let at = image.serve().await;
    let counted = json!({"from": 60, "interval_ms": 10_000});
    let called = image
        .while_it_counts(&at, counted, async || {
            stop().await;
            let heard = "stopping; a second signal forces";
            eventually("the first signal", async || image.logs().contains(heard).then_some(())).await;
            stop().await;
        })
        .await;
    assert!(called.is_err(), "{called:?}");
    assert!(image.logs().contains("what still runs is killed"), "{}", image.logs());
    image.ended().await;
}

async fn what_is_mounted_is_followed(image: &Image, at: &str) {
    let three = image.call(at, "demo", r#"{"a": 1, "b": 2}"#).await;
    assert_eq!((three.code, three.out.trim()), (Some(0), "3"), "{three:?} {}", image.logs());
    // Nobody there is root.
    assert_eq!(image.exec(&["id", "-u"]).out.trim(), "7420");
    assert_ne!(image.exec(&["touch", "/usr/local/x"]).code, Some(0));
    let sbom = image.exec(&["cat", "/usr/share/doc/mcpfleet/mcpfleet.cdx.json"]).out;
    let sbom: Value = serde_json::from_str(&sbom).expect("an SBOM");
    assert!(sbom["components"].as_array().expect("components").iter().any(|component| component["name"] == "tokio"));
    image.write("apps/other.yaml", &demo("other", ""));
    eventually("the app that is there now", async || {
        let ended = image.call(at, "other", r#"{"a": 2, "b": 2}"#).await;
        (ended.out.trim() == "4").then_some(())
    })
    .await;
    let test: Vec<String> = serde_json::from_str(&image.inspect("{{json .Config.Healthcheck.Test}}")).expect("JSON");
    let test: Vec<&str> = test.iter().skip(1).map(String::as_str).collect();
    assert_eq!(image.exec(&test).code, Some(0), "{test:?}");
}

/// Orphans of others too: the first process is nobody's keeper, and everybody's heir.
async fn it_reaps(image: &Image) {
    for _ in 0..5 {
        image.exec(&["sh", "-c", "(sh -c 'sleep 0.01 & sleep 0.02 &' &)"]);
    }
    // The init, the agent, and a keeper and a server of each app.
    let last = std::cell::RefCell::default();
    let reaped = eventually("no zombies", async || {
        let processes = image.processes();
        let left = processes.iter().any(|line| line.contains("sleep") || line.contains("defunct"));
        let as_many = processes.len() == 6;
        last.replace(processes);
        (!left && as_many).then_some(())
    });
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), reaped).await;
    assert!(waited.is_ok(), "{:#?}\n{}", last.borrow(), image.logs());
}

/// Without a folder it runs nothing, says what to do, and is well.
async fn by_itself_it_says_what_to_mount(image: &Image) {
    says(&mut image.docker(&["run", "--detach", "--name", &image.name, &image.name]));
    let hint = "-v \"$PWD/fleet:/etc/mcpfleet/resources:ro\"";
    eventually("what to do", async || image.logs().contains(hint).then_some(())).await;
    assert_eq!(image.exec(&["mcpfleet", "status", "--wait"]).code, Some(0));
    let example = image.exec(&["mcpfleet", "validate", "/usr/share/doc/mcpfleet/example-repo"]);
    assert_eq!(example.code, Some(0), "{example:?}");
    says(&mut image.docker(&["rm", "--force", "--volumes", &image.name]));
}
