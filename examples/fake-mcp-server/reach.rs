//! What the server can reach and use up, for those who want to see that it cannot.

use crate::modes;
use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Mutex,
    time::Duration,
};

/// What has been eaten is never given back.
static EATEN: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Uses so much memory that it cannot be taken for unused.
pub fn eat(mebibytes: usize) {
    for _ in 0..mebibytes {
        let mut piece = vec![0_u8; 1 << 20];
        for (n, byte) in piece.iter_mut().enumerate().step_by(512) {
            *byte = n as u8 | 1;
        }
        if let Ok(mut eaten) = EATEN.lock() {
            eaten.push(piece);
        }
    }
}

/// Starts so many processes that live for ever, and says how many there were before it failed.
pub fn spawn(count: u64) -> (u64, io::Result<()>) {
    for started in 0..count {
        if let Err(error) = modes::quiet_self("--park").and_then(|mut command| command.spawn()) {
            return (started, Err(error));
        }
    }
    (count, Ok(()))
}

/// The first bytes of a file, or the names in a folder.
pub fn read(path: &str) -> io::Result<String> {
    if fs::metadata(path)?.is_dir() {
        let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        return Ok(names.collect::<io::Result<Vec<_>>>()?.join("\n"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(4096).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub fn write(path: &str, text: &str) -> io::Result<String> {
    fs::File::create(path)?.write_all(text.as_bytes())?;
    Ok("written".into())
}

pub fn connect(address: &str) -> io::Result<String> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    Ok("connected".into())
}
