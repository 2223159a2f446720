//! What a server lists.

use super::packet::{Packet, Packets, not_git, text};
use crate::{
    authorize::ObjectId,
    git::{
        bounds::Bounds,
        error::{FetchError, FetchFailure},
        remote::Follow,
    },
};

/// What is wanted of a list of references, which may be long.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    reference: Option<String>,
    /// A commit that is followed by its name.
    commit: Option<ObjectId>,
    found: Option<ObjectId>,
    peeled: Option<ObjectId>,
    /// Whether there is any reference.
    pub any: bool,
    /// The last commits of all branches, when a commit is followed by its name and is none of them.
    pub branches: Vec<ObjectId>,
}

impl Listing {
    pub fn of(follow: &Follow) -> Self {
        let commit = match follow {
            Follow::Commit(id) => Some(*id),
            _ => None,
        };
        Listing { reference: follow.reference(), commit, ..Listing::default() }
    }

    /// What the followed reference leads to: for an annotated tag, what that names.
    pub fn target(&self) -> Option<ObjectId> {
        self.peeled.or(self.found).or(self.commit)
    }

    /// What to ask for to get a commit, if that was listed: an annotated tag is given for itself only.
    pub fn wanted(&self, head: ObjectId) -> Option<ObjectId> {
        match self.commit {
            Some(_) => self.branches.contains(&head).then_some(head),
            None => self.found.filter(|_| self.target() == Some(head)),
        }
    }

    fn add(&mut self, id: ObjectId, name: &[u8]) {
        // The name that stands for none, of an empty repository.
        if name == b"capabilities^{}" {
            return;
        }
        self.any = true;
        match &self.reference {
            Some(reference) if name == reference.as_bytes() => self.found = Some(id),
            Some(reference) if name.strip_suffix(b"^{}") == Some(reference.as_bytes()) => self.peeled = Some(id),
            None if name.starts_with(b"refs/heads/") => self.branches.push(id),
            _ => {}
        }
    }
}

/// Reads the list with which a server of version 0 begins. Its first line has the capabilities as well.
pub(super) fn listed(
    first: Vec<u8>,
    packets: &mut Packets<'_>,
    follow: &Follow,
) -> Result<(Listing, Vec<String>), FetchError> {
    let bounds = packets.bounds();
    let (first, capabilities) = first.split_at(memchr::memchr(0, &first).ok_or_else(|| not_git(bounds))?);
    let capabilities = String::from_utf8_lossy(capabilities);
    let capabilities: Vec<String> = capabilities.trim_matches('\0').split(' ').map(str::to_owned).collect();
    check_format(&capabilities, bounds)?;
    if !capabilities.iter().any(|capability| capability == "side-band-64k") {
        let what = format!("{} is too old a server: it has no side-band-64k", bounds.remote);
        return Err(FetchError::new(FetchFailure::NotGit, what));
    }
    let mut listing = Listing::of(follow);
    let (id, name) = reference(first).ok_or_else(|| not_git(bounds))?;
    listing.add(id, name);
    while let Packet::Line(line) = packets.next()? {
        if line.starts_with(b"shallow ") {
            return Err(shallow(bounds));
        }
        let (id, name) = reference(text(line)).ok_or_else(|| not_git(bounds))?;
        listing.add(id, name);
    }
    Ok((listing, capabilities))
}

/// Reads the answer of a server of version 2: `ID NAME`, and for a tag ` peeled:ID`.
pub(super) fn listed_v2(packets: &mut Packets<'_>, mut listing: Listing) -> Result<Listing, FetchError> {
    let bounds = packets.bounds();
    while let Packet::Line(line) = packets.next()? {
        let mut words = text(line).split(|byte| *byte == b' ');
        let (Some(id), Some(name)) = (words.next(), words.next()) else { return Err(not_git(bounds)) };
        listing.add(id_of(id).ok_or_else(|| not_git(bounds))?, name);
        if let Some(peeled) = words.find_map(|word| word.strip_prefix(b"peeled:")) {
            listing.add(id_of(peeled).ok_or_else(|| not_git(bounds))?, &[name, b"^{}"].concat());
        }
    }
    Ok(listing)
}

/// Refuses a repository whose objects have other names.
pub(super) fn check_format(capabilities: &[String], bounds: &Bounds) -> Result<(), FetchError> {
    let formats: Vec<&str> =
        capabilities.iter().filter_map(|capability| capability.strip_prefix("object-format=")).collect();
    match formats.first() {
        Some(format) if !formats.contains(&"sha1") => {
            let what = format!("{} names its objects by {}", bounds.remote, super::said(format.as_bytes()));
            Err(FetchError::new(FetchFailure::Sha256, what))
        }
        _ => Ok(()),
    }
}

pub(super) fn shallow(bounds: &Bounds) -> FetchError {
    FetchError::new(FetchFailure::Shallow, format!("{} is a shallow clone", bounds.remote))
}

fn reference(line: &[u8]) -> Option<(ObjectId, &[u8])> {
    let (id, name) = line.split_at_checked(40)?;
    Some((id_of(id)?, name.strip_prefix(b" ")?))
}

fn id_of(digits: &[u8]) -> Option<ObjectId> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
