//! Who waits at a terminal sees what for; a pipe gets nothing of it.

use crate::{
    git::servers::GitDaemon,
    support::{Home, Key, Repo, eventually, missing, root},
};
use mcpfleet::resource::Digest;
use std::{
    fs,
    process::Stdio,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::watch,
};

/// What a program has written so far.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn by(mut stream: impl AsyncRead + Unpin + Send + 'static) -> Written {
        let written = Written::default();
        let all = written.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                all.0.lock().unwrap().extend(&buffer[..length]);
            }
        });
        written
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    async fn has(&self, what: &str) {
        eventually(what, async || self.text().contains(what).then_some(())).await;
    }
}

/// Runs a line of a shell on a terminal of its own, by `script`; what is seen there comes out of its stdout.
fn on_terminal(test: &str, home: &Home, line: &str) -> Option<Child> {
    let mut command = Command::new("script");
    command.args(["-qefc", line, "/dev/null"]).env_clear().envs(home.environment()).current_dir(home.path());
    command.env("SHELL", "/bin/sh").env("TERM", "xterm").kill_on_drop(true);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    child.inspect_err(|error| missing(test, &format!("`script` cannot be started: {error}"))).ok()
}

/// What of an answer is let through until the door is open.
const HELD: usize = 100_000;

/// A way to a server on loopback, on which long answers stop until the door is open. Its port.
async fn door(server: u16, open: watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, server, open.clone()));
        }
    });
    port
}

async fn relay(client: TcpStream, server: u16, mut open: watch::Receiver<bool>) {
    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asked = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let (mut buffer, mut sent) = ([0; 4096], 0);
    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
        sent += length;
        if sent > HELD && open.wait_for(|open| *open).await.is_err() {
            break;
        }
        if to_client.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    asked.abort();
}

/// A repository whose clone takes a while: it has many files that are not alike.
fn large_repository(home: &Home) -> Repo {
    let repo = Repo::new(home);
    let ada = Key::new("ada");
    let first = root(&repo, &[("ada", &ada, &["admins"])]);
    let noise = |file: usize| -> String {
        (0..300).map(|line| format!("{}\n", Digest::of_bytes(format!("{file} {line}").as_bytes()))).collect()
    };
    let files: Vec<(String, String)> = (0..60).map(|file| (format!("data/{file}.txt"), noise(file))).collect();
    let changes: Vec<(&str, Option<&str>)> = files.iter().map(|(path, text)| (path.as_str(), Some(&**text))).collect();
    repo.push(repo.commit(&[first], Some(&ada), &changes, "data"));
    repo
}

/// An agent of the repository at a URL.
fn run(home: &Home, url: &str) -> Vec<String> {
    let place = |name: &str| home.path().join(name).display().to_string();
    let settings = [
        "gateway.listen=127.0.0.1:0".to_owned(),
        format!("state_dir={}", place("state")),
        format!("control_socket={}", place("socket")),
    ];
    let settings = settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]);
    ["run", url, "--trust-first"].map(str::to_owned).into_iter().chain(settings).collect()
}

#[tokio::test]
async fn a_first_clone_is_shown_on_a_terminal_only() {
    let test = "progress::a_first_clone_is_shown_on_a_terminal_only";
    let home = Home::new();
    let _repo = large_repository(&home);
    let daemon = GitDaemon::start(home.path());
    let port: u16 = daemon.url("").trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();

    let (opener, open) = watch::channel(false);
    let url = format!("git://127.0.0.1:{}/repository.git", door(port, open).await);
    let program = env!("CARGO_BIN_EXE_mcpfleet");
    let arguments = run(&home, &url).join(" ");
    let line = format!("echo $$ >pid; exec {program} {arguments}");
    let Some(mut child) = on_terminal(test, &home, &line) else { return };
    let screen = Written::by(child.stdout.take().unwrap());
    screen.has(&format!("fetching {url}: ")).await;
    eventually("objects and bytes", async || {
        let text = screen.text();
        let line = text.rsplit("fetching ").next().unwrap_or_default().to_owned();
        (line.contains(" objects, ") && line.contains(" KiB") && line.contains(" of ")).then_some(())
    })
    .await;
    opener.send(true).unwrap();
    screen.has("no app runs").await;
    let text = screen.text();
    let (_, after) = text.rsplit_once("fetching ").unwrap();
    assert_eq!(after.matches("\x1b[K\r").count(), 2, "it is drawn, and wiped away: {after:?}");
    let pid = fs::read_to_string(home.path().join("pid")).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(child.wait().await.unwrap().success(), "{}", screen.text());

    // The same once more, from nothing, without a terminal.
    fs::remove_dir_all(home.path().join("state")).unwrap();
    let (opener, open) = watch::channel(false);
    let url = format!("git://127.0.0.1:{}/repository.git", door(port, open).await);
    let mut child = home.mcpfleet(run(&home, &url)).spawn().unwrap();
    let (out, log) = (Written::by(child.stdout.take().unwrap()), Written::by(child.stderr.take().unwrap()));
    opener.send(true).unwrap();
    out.has("no app runs").await;
    assert!(!log.text().contains("fetching ") && !log.text().contains('\r'), "{}", log.text());
}

#[tokio::test]
async fn a_large_validate_is_shown_on_a_terminal_only() {
    let test = "progress::a_large_validate_is_shown_on_a_terminal_only";
    let home = Home::new();
    let folder = home.path().join("apps");
    fs::create_dir(&folder).unwrap();
    let labels: String = (0..1000).map(|label| format!("    label-{label}: value\n")).collect();
    let (mut count, mut shown) = (0, false);
    // How many files take long enough depends on the machine.
    while !shown && count < 20_000 {
        for file in count..(count * 2).max(200) {
            let head = format!("kind: app\nversion: v3\nmetadata:\n  name: app-{file}\n  labels:\n{labels}");
            fs::write(folder.join(format!("{file}.yaml")), head + "spec: {mcp: {command: x}}\n").unwrap();
        }
        count = (count * 2).max(200);
        let line = format!("exec {} validate apps", env!("CARGO_BIN_EXE_mcpfleet"));
        let Some(mut child) = on_terminal(test, &home, &line) else { return };
        let screen = Written::by(child.stdout.take().unwrap());
        child.wait().await.unwrap();
        screen.has("files").await;
        let text = screen.text();
        shown = text.contains("reading: ") && text.contains(&format!(" of {count} files\x1b[K\r"));
    }
    assert!(shown, "{count} files were read without a word");
    let output = home.mcpfleet(["validate", "apps"]).output().await.unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
