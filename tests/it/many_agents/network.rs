//! Hosts that are network namespaces, each with one link to a bridge.

use nix::sched::{CloneFlags, setns};
use std::{
    fs::File,
    io::Write as _,
    process::{Command, Stdio},
};

/// Where the bridge, the git server and Prometheus are.
pub const HUB: &str = "10.77.0.1";
/// Another address of the same host, at which the repository is.
pub const GIT: &str = "10.77.0.2";

/// A network, which is gone when this is dropped.
pub struct Network {
    /// What the names of the namespaces begin with.
    prefix: String,
    hosts: usize,
}

impl Network {
    /// Makes the namespaces, and a bridge to which all are linked.
    pub fn new(hosts: usize) -> Network {
        let network = Network { prefix: format!("mcpfleet-{}", std::process::id()), hosts };
        let mut names: Vec<String> = (0..hosts).map(|host| network.name(host)).collect();
        names.push(network.hub());
        ip(&[], &names.iter().map(|name| format!("netns add {name}\n")).collect::<String>());
        let mut hub = format!(
            "link set lo up\nlink add name hub0 type bridge\naddress add {HUB}/24 dev hub0\naddress add {GIT}/24 dev hub0\n\
             link set hub0 up\n"
        );
        for host in 0..hosts {
            let name = network.name(host);
            hub += &format!("link add name to{host} type veth peer name eth0 netns {name}\n");
            hub += &format!("link set to{host} master hub0\nlink set to{host} up\n");
        }
        ip(&["-n", &network.hub()], &hub);
        for host in 0..hosts {
            let address = network.address(host);
            ip(
                &["-n", &network.name(host)],
                &format!("link set lo up\naddress add {address}/24 dev eth0\nlink set eth0 up\n"),
            );
        }
        network
    }

    /// Makes this thread, and all that it starts, part of the host that has the bridge.
    pub fn enter_hub(&self) {
        let namespace = File::open(format!("/run/netns/{}", self.hub())).expect("a namespace");
        setns(namespace, CloneFlags::CLONE_NEWNET).expect("a namespace that can be entered");
    }

    pub fn address(&self, host: usize) -> String {
        format!("10.77.0.{}", 10 + host)
    }

    /// The name of a host's namespace.
    pub fn name(&self, host: usize) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// Takes the link of a host down, or up again.
    pub fn link(&self, host: usize, up: bool) {
        let state = if up { "up" } else { "down" };
        ip(&["-n", &self.name(host)], &format!("link set eth0 {state}\n"));
    }

    /// Takes the way to the repository from a host, or gives it back.
    pub fn way_to_git(&self, host: usize, there: bool) {
        let verb = if there { "del" } else { "add" };
        ip(&["-n", &self.name(host)], &format!("route {verb} unreachable {GIT}/32\n"));
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let names = (0..self.hosts).map(|host| self.name(host)).chain([self.hub()]);
        for name in names {
            let _ = Command::new("ip").args(["netns", "del", &name]).stderr(Stdio::null()).status();
        }
    }
}

/// Runs commands of `ip`, all of which must do.
fn ip(options: &[&str], commands: &str) {
    let mut command = Command::new("ip");
    command.args(options).args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("`ip` of iproute2");
    child.stdin.take().expect("a pipe").write_all(commands.as_bytes()).expect("somebody who reads");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
}
