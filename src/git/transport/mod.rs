//! The ways to a server: HTTP, SSH and git's own.

mod dial;
mod http;
mod known_hosts;
mod ssh;

pub(super) use http::Client as HttpClient;

use super::{
    address::{Address, HostAddress},
    bounds::Bounds,
    error::{FetchError, FetchFailure},
    protocol::Server,
    remote::Remote,
};
use dial::Conversation;
use std::io::Write;

/// Connects to a server. `http` is kept from one connection to the next: it has the certificates.
pub(super) fn connect<'a>(
    address: &Address,
    remote: &Remote,
    http: &'a mut Option<HttpClient>,
    bounds: &'a Bounds,
) -> Result<Box<dyn Server + 'a>, FetchError> {
    match address {
        Address::Http(address) => Ok(Box::new(HttpClient::ready(http, remote)?.server(address, remote, bounds)?)),
        Address::Ssh(address) => Ok(Box::new(ssh::connect(address, remote, bounds)?)),
        Address::Git(address) => Ok(Box::new(git(address, bounds)?)),
        Address::Local(_) => Err(FetchError::new(FetchFailure::Settings, "a path is not a server")),
    }
}

/// Git's own protocol: a request line, and then the conversation.
fn git<'a>(address: &HostAddress, bounds: &'a Bounds) -> Result<Conversation<'a>, FetchError> {
    let HostAddress { host, port, path, .. } = address;
    let mut stream = dial::connect(host, *port, bounds)?;
    let host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let request = format!("git-upload-pack {path}\0host={host}\0\0version=2\0");
    let packet = format!("{:04x}{request}", request.len() + 4);
    stream.write_all(packet.as_bytes()).map_err(|error| FetchError::of_io(bounds, &error))?;
    Ok(Conversation::new(Box::new(stream)))
}
