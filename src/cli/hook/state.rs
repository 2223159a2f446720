//! What the hook on a server has accepted so far.

use crate::authorize::{ObjectId, Stored};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

const VERSION: u32 = 1;

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    version: u32,
    /// From which on everything has been judged.
    pub root: ObjectId,
    pub state: Stored,
}

impl Trusted {
    pub fn new(root: ObjectId, state: Stored) -> Trusted {
        Trusted { version: VERSION, root, state }
    }
}

const FILE: &str = "trust.json";

/// Reads the file in the hook's folder; `None` if there is none.
pub fn read(folder: &Path) -> anyhow::Result<Option<Trusted>> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let damaged = || format!("{} is damaged; removed, it is made again from the root of trust", path.display());
    let kept: Trusted = serde_json::from_slice(&bytes).with_context(damaged)?;
    if kept.version != VERSION {
        anyhow::bail!("{} was written by a newer mcpfleet", path.display());
    }
    Ok(Some(kept))
}

/// Replaces the file; whoever reads it finds the old content or the new one.
pub fn write(folder: &Path, trusted: &Trusted) -> anyhow::Result<()> {
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(trusted)?)?;
        file.as_file().sync_all()?;
        file.persist(folder.join(FILE))?;
        io::Result::Ok(())
    };
    write().with_context(|| format!("cannot keep what was accepted in {}", folder.display()))
}
