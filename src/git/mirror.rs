//! A folder with the objects of what is followed.

use super::{
    address::Address,
    bounds::Bounds,
    error::{FetchError, FetchFailure},
    history::{self, Link},
    local,
    objects::{Repository, id_of, oid_of},
    packs::{self, Incoming},
    protocol::Session,
    remote::{Follow, Remote},
    transport::{HttpClient, connect},
};
use crate::authorize::{ObjectError, ObjectId, Objects};
use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
};

/// The last commit that was fetched: complete, with all that it leads to.
const FETCHED: &str = "refs/mcpfleet/fetched";
/// In the folder: the URL that it mirrors. A folder without it is not ours.
const MARK: &str = "mcpfleet-mirror";

/// The mirror of a remote: a bare repository that belongs to one user of it, with one reference of our own.
///
/// What was fetched stays, also what the remote no longer has: only a mirror that is made anew forgets. Blocking, and
/// for one thread at a time.
pub struct Mirror {
    folder: PathBuf,
    remote: Remote,
    address: Address,
    repository: Repository,
    http: Option<HttpClient>,
}

impl Mirror {
    /// Opens the mirror in a folder, which need not exist. It is made anew, empty, when it is damaged or of another URL;
    /// what a killed process left in it is removed.
    ///
    /// # Errors
    /// Settings that cannot work; a folder that cannot be used, or that has something else in it.
    pub fn open(folder: &Path, remote: Remote) -> Result<Mirror, FetchError> {
        let settings = |error: &dyn std::error::Error| FetchError::new(FetchFailure::Settings, error.to_string());
        remote.check().map_err(|error| settings(&error))?;
        let address = Address::parse(&remote.url).map_err(|error| settings(&error))?;
        let repository = match kept(folder, &remote)? {
            Some(repository) => repository,
            None => make(folder, &remote)?,
        };
        Ok(Mirror { folder: folder.to_owned(), remote, address, repository, http: None })
    }

    /// Makes a mirror in a folder that has, besides what it will fetch, all that another mirror has, which must stay where it
    /// is. What was in the folder is removed.
    ///
    /// # Errors
    /// As of [`Mirror::open`].
    pub fn beside(folder: &Path, other: &Path, remote: Remote) -> Result<Mirror, FetchError> {
        remove(folder)?;
        let mut mirror = Mirror::open(folder, remote)?;
        let failed = |error: io::Error| FetchError::storage("make the mirror", folder, &error);
        let objects = std::path::absolute(other).map_err(failed)?.join("objects");
        let list = folder.join("objects/info/alternates");
        let mut line = objects.into_os_string();
        line.push("\n");
        fs::create_dir_all(folder.join("objects/info"))
            .and_then(|()| fs::write(list, line.as_bytes()))
            .map_err(failed)?;
        mirror.repository = reopen(folder)?;
        // What the other one has need not be fetched.
        let theirs = reopen(other)?;
        if let Some(fetched) = theirs.git().find_reference(FETCHED).ok().and_then(|found| found.target()) {
            let made = mirror.repository.git().reference(FETCHED, fetched, true, "");
            made.map_err(|error| FetchError::of_git("the mirror", &error))?;
        }
        Ok(mirror)
    }

    /// Removes it, with all that it has fetched.
    ///
    /// # Errors
    /// When the folder cannot be removed.
    pub fn remove(self) -> Result<(), FetchError> {
        remove(&self.folder)
    }

    /// The commit that is followed now, by one listing of the remote's references; a tag is followed to its commit, and
    /// a commit is what it is. Nothing is fetched.
    ///
    /// # Errors
    /// Whatever [`FetchError`] says.
    pub fn look(&mut self, follow: &Follow) -> Result<ObjectId, FetchError> {
        if let Follow::Commit(id) = follow {
            return Ok(*id);
        }
        let bounds = self.bounds();
        match &self.address {
            Address::Local(path) => local::look(path, follow, &bounds.remote),
            address => {
                let server = connect(address, &self.remote, &mut self.http, &bounds)?;
                Session::open(server, follow, &bounds)?.look(follow)
            }
        }
    }

    /// Brings a commit that a look has found, and all that it leads to, besides what is here already.
    ///
    /// # Errors
    /// Whatever [`FetchError`] says. The mirror then is as it was.
    pub fn fetch(&mut self, follow: &Follow, head: ObjectId) -> Result<(), FetchError> {
        let fetched = self.fetched();
        if fetched == Some(head) {
            return Ok(());
        }
        if !has(&self.repository, head) {
            let bounds = self.bounds();
            let brought = match &self.address {
                Address::Local(path) => local::fetch(path, &self.repository, head, &bounds),
                _ => self.download(follow, head, fetched, &bounds),
            };
            brought.map_err(|error| match (error.kind(), follow) {
                // A commit does not move.
                (FetchFailure::RefMoved, Follow::Commit(_)) => FetchError::missing(&bounds.remote, &follow.shown()),
                _ => error,
            })?;
            // The same folder, with what was added.
            self.repository = reopen(&self.folder)?;
        }
        match self.repository.commit(head) {
            Ok(_) | Err(ObjectError::TooLarge { .. } | ObjectError::Damaged { .. }) => {}
            Err(error) => return Err(FetchError::missing(&self.remote.shown(), &format!("commit {head}: {error}"))),
        }
        let name = self.repository.git().reference(FETCHED, oid_of(head), true, "");
        name.map(drop).map_err(|error| FetchError::of_git("the mirror", &error))
    }

    /// Receives a commit from a server, with what the server says it leads to.
    fn download(
        &mut self,
        follow: &Follow,
        head: ObjectId,
        fetched: Option<ObjectId>,
        bounds: &Bounds,
    ) -> Result<(), FetchError> {
        let before = self.repository.git().odb().map_err(|error| FetchError::of_git("the mirror", &error))?;
        let have = history::sample(&self.repository, fetched);
        let mut into = Incoming::new(&self.repository, bounds)?;
        let server = connect(&self.address, &self.remote, &mut self.http, bounds)?;
        Session::open(server, follow, bounds)?.fetch(head, &have, &mut into)?;
        let pack = into.finish()?;
        match history::check(&reopen(&self.folder)?, head, &before) {
            Ok(()) => Ok(()),
            Err(ObjectError::Missing(id)) if id == head => Err(FetchError::moved(&bounds.remote, head)),
            Err(error) => {
                // What is in the mirror is complete, or it is not in the mirror.
                packs::discard(&self.folder, &pack)?;
                let what = format!("the history from {} is not whole: {error}", bounds.remote);
                Err(FetchError::new(FetchFailure::Truncated, what))
            }
        }
    }

    /// Sees to it that the packs do not become too many: each fetch adds one. Without that the mirror is slower, and no more.
    /// Takes long when there is something to do, so for when there is time.
    ///
    /// # Errors
    /// When the mirror cannot be opened again.
    pub fn tidy(&mut self) -> Result<(), FetchError> {
        match packs::merge(&self.folder, &self.repository) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), %error, "the packs of the mirror cannot be merged")
            }
        }
        self.repository = reopen(&self.folder)?;
        Ok(())
    }

    fn bounds(&self) -> Bounds {
        Bounds::new(self.remote.shown(), self.remote.timeout, self.remote.max_bytes)
    }

    /// Throws all away and begins anew: for when an object that was fetched cannot be read.
    ///
    /// # Errors
    /// When the folder cannot be removed or made.
    pub fn reset(&mut self) -> Result<(), FetchError> {
        self.repository = make(&self.folder, &self.remote)?;
        Ok(())
    }

    /// The objects.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    fn fetched(&self) -> Option<ObjectId> {
        let id = self.repository.git().find_reference(FETCHED).ok()?.target().map(id_of)?;
        has(&self.repository, id).then_some(id)
    }
}

/// Whether an object is there, be it as it should or not: what somebody pushed does not change by being fetched again.
fn has(repository: &Repository, commit: ObjectId) -> bool {
    repository.commit(commit).err().is_none_or(|error| error.is_about_content())
}

/// The mirror that is there, if it can go on being used.
fn kept(folder: &Path, remote: &Remote) -> Result<Option<Repository>, FetchError> {
    let failed = |error: io::Error| FetchError::storage("read the mirror", folder, &error);
    for beside in [beside(folder, "new"), beside(folder, "old")] {
        remove(&beside)?;
    }
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(failed)?.count(),
    };
    let url = match fs::read_to_string(folder.join(MARK)) {
        Ok(url) => url,
        Err(_) if entries == 0 => return Ok(None),
        Err(_) => {
            let what = format!("{} is not a mirror that mcpfleet has made: move it away", folder.display());
            return Err(FetchError::new(FetchFailure::Storage, what));
        }
    };
    if url != remote.url {
        tracing::info!(folder = %folder.display(), remote = %remote.shown(), "another repository is followed now: the mirror is made anew");
        return Ok(None);
    }
    match sound(folder) {
        Ok(repository) => Ok(Some(repository)),
        Err(why) => {
            tracing::warn!(folder = %folder.display(), remote = %remote.shown(), %why, "the mirror is damaged: it is made anew");
            Ok(None)
        }
    }
}

/// Opens a mirror after a check of what can be checked without reading it all.
///
/// # Errors
/// What is wrong with it.
fn sound(folder: &Path) -> Result<Repository, String> {
    packs::sweep(folder).and_then(|()| packs::check(folder)).map_err(|error| error.to_string())?;
    let repository = Repository::open(folder).map_err(|error| error.to_string())?;
    check_fetched(&repository)?;
    Ok(repository)
}

/// Reads the last commit that was fetched, and its tree. When they are there and make no sense, they were pushed like that.
fn check_fetched(repository: &Repository) -> Result<(), String> {
    let reference = match repository.git().find_reference(FETCHED) {
        Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(()),
        reference => reference.map_err(|error| error.message().to_owned())?,
    };
    let id = reference.target().map(id_of).ok_or("its reference leads to none of its objects")?;
    let read = repository.commit(id).and_then(|commit| {
        let tree = history::links(&commit).find(|(link, _)| *link == Link::Tree);
        tree.map_or(Ok(()), |(_, tree)| repository.tree(tree).map(drop))
    });
    match read {
        Err(error) if !error.is_about_content() => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Makes an empty mirror, in place of what is there.
fn make(folder: &Path, remote: &Remote) -> Result<Repository, FetchError> {
    let failed = |error: io::Error| FetchError::storage("make the mirror", folder, &error);
    let (new, old) = (beside(folder, "new"), beside(folder, "old"));
    remove(&new)?;
    remove(&old)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&new).map_err(failed)?;
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).external_template(false);
    super::prepare()
        .and_then(|()| git2::Repository::init_opts(&new, &options))
        // References are to survive a loss of power, as packs do: what was accepted from them is on the disk too.
        .and_then(|made| made.config()?.set_bool("core.fsyncObjectFiles", true))
        .map_err(|error| FetchError::of_git("the mirror", &error))?;
    fs::write(new.join(MARK), &remote.url).and_then(|()| sync(&new.join(MARK))).map_err(failed)?;
    match fs::rename(folder, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::rename(&new, folder).map_err(failed)?;
    folder.parent().map_or(Ok(()), sync).map_err(failed)?;
    remove(&old)?;
    reopen(folder)
}

fn reopen(folder: &Path) -> Result<Repository, FetchError> {
    Repository::open(folder).map_err(|error| FetchError::new(FetchFailure::Storage, error.to_string()))
}

fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

fn remove(folder: &Path) -> Result<(), FetchError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FetchError::storage("remove", folder, &error)),
        _ => Ok(()),
    }
}

/// A folder of our own next to the mirror's.
fn beside(folder: &Path, word: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(word);
    folder.with_file_name(name)
}
