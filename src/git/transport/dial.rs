//! Connections that last no longer than they may.

use crate::git::{
    bounds::Bounds,
    error::{FetchError, FetchFailure},
    protocol::Server,
};
use std::{
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Connects to the first address of a host that answers.
pub(super) fn connect<'a>(host: &str, port: u16, bounds: &'a Bounds) -> Result<Timed<'a>, FetchError> {
    let addresses = resolve(host, port, bounds)?;
    let mut last = None;
    for (tried, address) in addresses.iter().enumerate() {
        // An address that does not answer must leave time for those after it.
        let others = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let patience = (bounds.left()? / others).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(address, patience) {
            Ok(stream) => return Ok(Timed { stream, bounds }),
            Err(error) => last = Some(error),
        }
    }
    bounds.left()?;
    let why = last.map_or_else(|| "its name has no address".to_owned(), |error| error.to_string());
    Err(FetchError::new(FetchFailure::Unreachable, format!("cannot connect to {host} port {port}: {why}")))
}

/// Looks a name up. The system's resolver has no bound on its time, so it is left behind when it takes too long.
fn resolve(host: &str, port: u16, bounds: &Bounds) -> Result<Vec<SocketAddr>, FetchError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let name = host.to_owned();
    let lookup = move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody waits any more when it took too long.
        let _ = sender.send(found);
    };
    let started = thread::Builder::new().name("resolve".to_owned()).spawn(lookup);
    let unreachable =
        |error: io::Error| FetchError::new(FetchFailure::Unreachable, format!("cannot look {host} up: {error}"));
    started.map_err(unreachable)?;
    receiver.recv_timeout(bounds.left()?).map_err(|_| bounds.timed_out())?.map_err(unreachable)
}

/// A connection each of whose reads and writes ends when the time is up.
pub(super) struct Timed<'a> {
    stream: TcpStream,
    bounds: &'a Bounds,
}

impl Timed<'_> {
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.bounds.left().map_err(io::Error::other)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.bounds.left().map_err(io::Error::other)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What can be talked over.
pub(super) trait Duplex: Read + Write {
    /// Why the other side ended before it said anything.
    fn last_words(&mut self) -> Option<FetchError> {
        None
    }
}

impl Duplex for Timed<'_> {}

/// A server on one connection, which remembers what was said.
pub(super) struct Conversation<'a> {
    stream: BufReader<Box<dyn Duplex + 'a>>,
}

impl<'a> Conversation<'a> {
    pub fn new(stream: Box<dyn Duplex + 'a>) -> Self {
        Conversation { stream: BufReader::with_capacity(1 << 16, stream) }
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }
}

impl Server for Conversation<'_> {
    fn greeting(&mut self) -> Result<Box<dyn Read + '_>, FetchError> {
        Ok(Box::new(&mut self.stream))
    }

    fn answer(&mut self, request: &[u8]) -> Result<Box<dyn Read + '_>, FetchError> {
        match self.say(request) {
            Ok(()) => Ok(Box::new(&mut self.stream)),
            // Who has hung up may have said why before.
            Err(error) => Ok(Box::new(Read::chain(&mut self.stream, Failed(error)))),
        }
    }

    fn leave(&mut self) {
        // A server that has gone already is as good.
        let _ = self.say(b"0000");
    }

    fn last_words(&mut self) -> Option<FetchError> {
        self.stream.get_mut().last_words()
    }
}

/// Gives an error to whoever reads.
struct Failed(io::Error);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(self.0.kind(), self.0.to_string()))
    }
}
