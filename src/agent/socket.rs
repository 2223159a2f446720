//! The control socket: the command line's way in, for the operators of this agent.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("another agent answers at {}; stop it, or give this one its own control_socket and state_dir", .0.display())]
    InUse(PathBuf),
    #[error("{} is there already and is no socket", .0.display())]
    NoSocket(PathBuf),
    #[error("cannot make the control socket {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// The socket's file, removed when the agent ends.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it cannot be removed, the next agent takes it for what it is: left behind.
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens at `path`. A socket that an agent left behind when it was killed is taken over.
pub async fn bind(path: &Path) -> Result<(UnixListener, SocketFile), SocketError> {
    let failed = |error| SocketError::Io { path: path.to_owned(), error };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(SocketError::NoSocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).await.is_ok() => return Err(SocketError::InUse(path.to_owned())),
        Ok(_) => fs::remove_file(path).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let file = SocketFile(path.to_owned());
    // Anybody may knock; who may come in is decided by who they are, which the kernel tells.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(failed)?;
    Ok((listener, file))
}
