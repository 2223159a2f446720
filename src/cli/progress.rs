//! What somebody at a terminal sees of what takes long.

use super::terminal::{cut, escape};
use crate::{
    git::{self, Progress},
    source::files_read,
};
use std::{
    env,
    io::{self, IsTerminal, Write},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// What is done sooner is not worth a word.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
/// Of a terminal that does not say how wide it is.
const WIDTH: usize = 80;

/// A line on stderr until this is dropped, if stderr is a terminal. Nothing of it stays.
pub struct Waiting {
    stop: Option<Sender<()>>,
    shown: Option<JoinHandle<()>>,
}

impl Waiting {
    /// What is fetched from git repositories.
    pub fn for_fetches() -> Waiting {
        Waiting::begin(|| {
            let all = git::fetches();
            let lines: Vec<String> = all.iter().map(|fetch| of_fetch(fetch.remote(), fetch.progress())).collect();
            (!lines.is_empty()).then(|| lines.join("; "))
        })
    }

    /// How many files have been read.
    pub fn for_files() -> Waiting {
        Waiting::begin(|| {
            let (read, all) = files_read();
            (all > 0).then(|| format!("reading: {read} of {all} files"))
        })
    }

    fn begin(say: impl Fn() -> Option<String> + Send + 'static) -> Waiting {
        if !is_wanted() {
            return Waiting { stop: None, shown: None };
        }
        let (stop, stopped) = mpsc::channel();
        // A line of progress is nothing to fail for.
        let shown = thread::Builder::new().name("progress".to_owned()).spawn(move || show(&stopped, say)).ok();
        Waiting { stop: Some(stop), shown }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(shown) = self.shown.take() {
            let _ = shown.join();
        }
    }
}

/// Whether somebody watches, on something where a line can be written over.
fn is_wanted() -> bool {
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !set("CI") && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn show(stopped: &Receiver<()>, say: impl Fn() -> Option<String>) {
    let (mut pause, mut dirty) = (PATIENCE, false);
    while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        pause = PAUSE;
        let text = say();
        if text.is_some() || dirty {
            draw(text.as_deref().unwrap_or_default());
        }
        dirty = text.is_some();
    }
    if dirty {
        draw("");
    }
}

/// Writes over the line, and leaves the cursor at its start: whatever else is written, such as a log, goes over it.
fn draw(text: &str) {
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(WIDTH, |(width, _)| usize::from(width.0));
    let mut stderr = io::stderr().lock();
    // Nobody is there to be told.
    let _ = write!(stderr, "\r{}\x1b[K\r", cut(text, width.saturating_sub(1))).and_then(|()| stderr.flush());
}

fn of_fetch(remote: &str, progress: Progress) -> String {
    let Progress { bytes, objects, all_objects, deltas, all_deltas } = progress;
    let of = |done: u64, all: u64| if done < all { format!("{done} of {all}") } else { done.to_string() };
    let mut text = format!("fetching {}: {} objects", escape(remote), of(objects, all_objects));
    if bytes > 0 {
        text += &format!(", {}", size(bytes));
    }
    if objects == all_objects && all_deltas > 0 {
        text += &format!(", {} deltas", of(deltas, all_deltas));
    }
    text
}

fn size(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} B"),
        0x400..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{}.{} MiB", bytes >> 20, (bytes % (1 << 20)) * 10 / (1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let progress = Progress { bytes: 0, objects: 7, all_objects: 0, deltas: 0, all_deltas: 0 };
        assert_eq!(of_fetch("/srv/a\x1b.git", progress), "fetching /srv/a\\u{1b}.git: 7 objects");
        let progress = Progress { bytes: 2000, all_objects: 900, all_deltas: 30, ..progress };
        assert_eq!(of_fetch("x", progress), "fetching x: 7 of 900 objects, 1 KiB");
        let progress = Progress { bytes: 5 << 19, objects: 900, deltas: 3, ..progress };
        assert_eq!(of_fetch("x", progress), "fetching x: 900 objects, 2.5 MiB, 3 of 30 deltas");
    }
}
