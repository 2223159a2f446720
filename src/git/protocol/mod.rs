//! The client's half of `git-upload-pack`, versions 0 and 2: one listing, and one request for a pack.
//!
//! libgit2 has one as well; this one asks for a single reference instead of reading all of them at each poll, has bounds
//! on time and size that are each source's own, needs no settings that hold for a whole process, and says what went wrong
//! in words that can be told apart. What it receives is still checked and stored by libgit2.
//!
//! A server of version 2 is asked for the references that are wanted, and for any commit; a server of version 0 begins
//! with all of its references, and may only be asked for those.

mod packet;
mod refs;

use super::{
    bounds::Bounds,
    error::{FetchError, FetchFailure},
    packs::Incoming,
    remote::Follow,
};
use crate::authorize::ObjectId;
use packet::{DELIMITER, FLUSH, Packet, Packets, line, not_git, text};
pub(super) use packet::{refused, said};
use refs::{Listing, listed, listed_v2};
use std::io::Read;

const AGENT: &str = concat!("agent=mcpfleet/", env!("CARGO_PKG_VERSION"));
/// The most bytes of what a server says that it can do.
const MAX_CAPABILITIES: usize = 1 << 20;

/// A way to a server's `git-upload-pack`.
pub(super) trait Server {
    /// What the server says first.
    fn greeting(&mut self) -> Result<Box<dyn Read + '_>, FetchError>;

    /// Its answer to a request.
    fn answer(&mut self, request: &[u8]) -> Result<Box<dyn Read + '_>, FetchError>;

    /// Takes leave of a server that waits for another request.
    fn leave(&mut self) {}

    /// Why the server ended before it said anything, if it can be found out.
    fn last_words(&mut self) -> Option<FetchError> {
        None
    }
}

/// A server that has introduced itself.
pub(super) struct Session<'a> {
    server: Box<dyn Server + 'a>,
    bounds: &'a Bounds,
    version: Version,
    capabilities: Vec<String>,
}

enum Version {
    /// With what it has listed of what is wanted.
    Zero(Listing),
    Two,
}

impl<'a> Session<'a> {
    pub fn open(mut server: Box<dyn Server + 'a>, follow: &Follow, bounds: &'a Bounds) -> Result<Self, FetchError> {
        let greeted = server.greeting().and_then(|reader| greeting(Packets::listing(reader, bounds), follow));
        let (version, capabilities) = match greeted {
            Err(error) if error.kind() == FetchFailure::Truncated => return Err(server.last_words().unwrap_or(error)),
            greeted => greeted?,
        };
        Ok(Session { server, bounds, version, capabilities })
    }

    /// The commit (or, of a branch that is none, the object) that is followed now.
    pub fn look(mut self, follow: &Follow) -> Result<ObjectId, FetchError> {
        let found = self.listing(follow)?;
        if let (None, Follow::Default, Version::Two) = (found.target(), follow, &self.version) {
            // Either nothing is there, or HEAD names a branch that is not.
            let any = self.ask_for_references(&["refs/"], Listing::of(follow))?.any;
            self.server.leave();
            return Err(self.missing(follow, any));
        }
        self.server.leave();
        found.target().ok_or_else(|| self.missing(follow, found.any || !matches!(follow, Follow::Default)))
    }

    fn missing(&self, follow: &Follow, any: bool) -> FetchError {
        if any {
            return FetchError::missing(&self.bounds.remote, &follow.shown());
        }
        FetchError::new(FetchFailure::Empty, format!("{} has no commit yet", self.bounds.remote))
    }

    fn listing(&mut self, follow: &Follow) -> Result<Listing, FetchError> {
        match (&self.version, follow.reference()) {
            (Version::Zero(listing), _) => Ok(listing.clone()),
            (Version::Two, Some(reference)) => self.ask_for_references(&[&reference], Listing::of(follow)),
            (Version::Two, None) => Ok(Listing::of(follow)),
        }
    }

    fn ask_for_references(&mut self, prefixes: &[&str], listing: Listing) -> Result<Listing, FetchError> {
        let mut request = Vec::new();
        line(&mut request, "command=ls-refs");
        self.introduce(&mut request);
        line(&mut request, "peel");
        for prefix in prefixes {
            line(&mut request, &format!("ref-prefix {prefix}"));
        }
        request.extend_from_slice(FLUSH);
        listed_v2(&mut Packets::listing(self.server.answer(&request)?, self.bounds), listing)
    }

    /// The part of a request of version 2 that is in every one.
    fn introduce(&self, request: &mut Vec<u8>) {
        line(request, AGENT);
        if self.has("object-format=sha1") {
            line(request, "object-format=sha1");
        }
        request.extend_from_slice(DELIMITER);
    }

    /// Receives `head` and what it leads to, besides what the commits that are here already (`have`) lead to.
    ///
    /// # Errors
    /// When the server does not give it, or what it gives is damaged.
    pub fn fetch(mut self, head: ObjectId, have: &[ObjectId], into: &mut Incoming<'_>) -> Result<(), FetchError> {
        let request = match &self.version {
            Version::Zero(listing) => {
                let wanted = self.wanted(listing, head)?;
                self.request_v0(&wanted, have)
            }
            Version::Two => self.request_v2(head, have),
        };
        let two = matches!(self.version, Version::Two);
        let mut packets = Packets::new(self.server.answer(&request)?, self.bounds);
        if two {
            packfile_section(&mut packets, self.bounds)?
        } else {
            acknowledgements(&mut packets, self.bounds)?
        }
        receive(&mut packets, self.bounds, into)
    }

    /// What to ask a server of version 0 for: it need not give what it has not listed.
    fn wanted(&self, listing: &Listing, head: ObjectId) -> Result<Vec<ObjectId>, FetchError> {
        let by_name = ["allow-tip-sha1-in-want", "allow-reachable-sha1-in-want", "allow-any-sha1-in-want"];
        match listing.wanted(head) {
            Some(listed) => Ok(vec![listed]),
            None if by_name.iter().any(|capability| self.has(capability)) => Ok(vec![head]),
            // A commit that is no branch's last may be had with all branches.
            None if !listing.branches.is_empty() => Ok(listing.branches.clone()),
            None => Err(FetchError::moved(&self.bounds.remote, head)),
        }
    }

    fn request_v0(&self, wanted: &[ObjectId], have: &[ObjectId]) -> Vec<u8> {
        let mut request = Vec::new();
        // The first of these that it has: each later one only adds words to its answers, but some servers insist.
        let acknowledge = ["multi_ack_detailed", "multi_ack"].into_iter().find(|capability| self.has(capability));
        let others = ["side-band-64k", "thin-pack", "ofs-delta", "no-progress", "object-format=sha1"];
        let mut capabilities: Vec<&str> = acknowledge.into_iter().collect();
        capabilities.extend(others.into_iter().filter(|capability| self.has(capability)));
        if self.capabilities.iter().any(|capability| capability.starts_with("agent=")) {
            capabilities.push(AGENT);
        }
        let mut words = format!(" {}", capabilities.join(" "));
        for id in wanted {
            line(&mut request, &format!("want {id}{words}"));
            words.clear();
        }
        request.extend_from_slice(FLUSH);
        for id in have {
            line(&mut request, &format!("have {id}"));
        }
        line(&mut request, "done");
        request
    }

    fn request_v2(&self, head: ObjectId, have: &[ObjectId]) -> Vec<u8> {
        let mut request = Vec::new();
        line(&mut request, "command=fetch");
        self.introduce(&mut request);
        for argument in ["thin-pack", "ofs-delta", "no-progress"] {
            line(&mut request, argument);
        }
        line(&mut request, &format!("want {head}"));
        for id in have {
            line(&mut request, &format!("have {id}"));
        }
        line(&mut request, "done");
        request.extend_from_slice(FLUSH);
        request
    }

    fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|found| found == capability)
    }
}

/// Reads what the server says first.
fn greeting(mut packets: Packets<'_>, follow: &Follow) -> Result<(Version, Vec<String>), FetchError> {
    let bounds = packets.bounds();
    let mut first = first_line(&mut packets)?;
    if first.as_deref().is_some_and(|line| line.starts_with(b"# service=")) {
        while packets.next()? != Packet::Flush {}
        first = first_line(&mut packets)?;
    }
    if first.as_deref() == Some(b"version 1") {
        first = first_line(&mut packets)?;
    }
    let Some(first) = first else { return Ok((Version::Zero(Listing::of(follow)), Vec::new())) };
    if first != b"version 2" {
        let (listing, capabilities) = listed(first, &mut packets, follow)?;
        return Ok((Version::Zero(listing), capabilities));
    }
    let (mut capabilities, mut bytes) = (Vec::new(), 0);
    while let Packet::Line(line) = packets.next()? {
        bytes += line.len();
        if bytes > MAX_CAPABILITIES {
            let what = format!("{} says more than {MAX_CAPABILITIES} bytes of what it can do", bounds.remote);
            return Err(FetchError::new(FetchFailure::TooLarge, what));
        }
        capabilities.push(String::from_utf8_lossy(text(line)).into_owned());
    }
    refs::check_format(&capabilities, bounds)?;
    Ok((Version::Two, capabilities))
}

/// None: a flush.
fn first_line(packets: &mut Packets<'_>) -> Result<Option<Vec<u8>>, FetchError> {
    match packets.next()? {
        Packet::Line(line) => Ok(Some(text(line).to_vec())),
        Packet::Flush => Ok(None),
        Packet::Delimiter => Err(not_git(packets.bounds())),
    }
}

/// Version 2: skips to where the pack begins.
fn packfile_section(packets: &mut Packets<'_>, bounds: &Bounds) -> Result<(), FetchError> {
    loop {
        match packets.next()? {
            Packet::Line(line) if text(line) == b"packfile" => return Ok(()),
            Packet::Line(line) if line.starts_with(b"shallow ") => return Err(refs::shallow(bounds)),
            Packet::Line(_) | Packet::Delimiter => {}
            Packet::Flush => return Err(not_git(bounds)),
        }
    }
}

/// Version 0: reads what the server says to the commits that we have. It ends with one without a last word, or with NAK.
fn acknowledgements(packets: &mut Packets<'_>, bounds: &Bounds) -> Result<(), FetchError> {
    loop {
        match packets.next()? {
            Packet::Line(line) if text(line) == b"NAK" => return Ok(()),
            Packet::Line(line) if line.starts_with(b"ACK ") => {
                if text(line).split(|byte| *byte == b' ').count() == 2 {
                    return Ok(());
                }
            }
            Packet::Line(line) if line.starts_with(b"shallow ") => return Err(refs::shallow(bounds)),
            _ => return Err(not_git(bounds)),
        }
    }
}

/// Receives the pack, which comes in packets that begin with a byte for what they are.
fn receive(packets: &mut Packets<'_>, bounds: &Bounds, into: &mut Incoming<'_>) -> Result<(), FetchError> {
    loop {
        match packets.next()? {
            Packet::Line([1, pack @ ..]) => into.write(pack)?,
            Packet::Line([2, ..]) => {}
            Packet::Line([3, text @ ..]) => return Err(refused(bounds, text)),
            Packet::Flush => return Ok(()),
            _ => return Err(not_git(bounds)),
        }
    }
}

#[cfg(test)]
mod tests;
