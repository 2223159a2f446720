//! What the fetches of this process have brought so far, for whoever waits for one.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

static UNDER_WAY: Mutex<Vec<Weak<Fetch>>> = Mutex::new(Vec::new());

/// A fetch, or a look, that is under way.
#[derive(Debug, Default)]
pub struct Fetch {
    remote: String,
    bytes: AtomicU64,
    objects: Part,
    deltas: Part,
}

/// How much there is of something.
#[derive(Debug, Default)]
struct Part {
    done: AtomicU64,
    /// 0 until it is known.
    all: AtomicU64,
}

/// How far a fetch is. What is to come is 0 until it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What was received.
    pub bytes: u64,
    pub objects: u64,
    pub all_objects: u64,
    /// Objects that are said by what is different from others, which is worked out after all have been received.
    pub deltas: u64,
    pub all_deltas: u64,
}

/// The fetches that have brought something and are not done.
pub fn fetches() -> Vec<Arc<Fetch>> {
    let all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter_map(Weak::upgrade).filter(|fetch| fetch.progress().objects > 0).collect()
}

impl Fetch {
    /// One that begins, and is under way until it is dropped.
    pub(super) fn begin(remote: &str) -> Arc<Fetch> {
        let fetch = Arc::new(Fetch { remote: remote.to_owned(), ..Fetch::default() });
        let mut all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&fetch));
        fetch
    }

    /// From where, without what is secret in it.
    pub fn remote(&self) -> &str {
        &self.remote
    }

    pub fn progress(&self) -> Progress {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Progress {
            bytes: read(&self.bytes),
            objects: read(&self.objects.done),
            all_objects: read(&self.objects.all),
            deltas: read(&self.deltas.done),
            all_deltas: read(&self.deltas.all),
        }
    }

    /// Counts bytes, and says how many there were before.
    pub(super) fn add_bytes(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Ordering::Relaxed)
    }

    /// Notes objects of which it is not known yet how many there are.
    pub(super) fn found(&self, objects: u64) {
        self.objects.done.store(objects, Ordering::Relaxed);
    }

    /// Notes what git says.
    pub(super) fn received(&self, told: &git2::Progress<'_>) {
        self.objects.set(told.received_objects(), told.total_objects());
        self.deltas.set(told.indexed_deltas(), told.total_deltas());
    }
}

impl Part {
    fn set(&self, done: usize, all: usize) {
        self.done.store(done as u64, Ordering::Relaxed);
        self.all.store(all as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fetches_that_bring_something_are_told_of_and_only_until_they_end() {
        let remotes = |name: &str| fetches().iter().filter(|fetch| fetch.remote() == name).count();
        let fetch = Fetch::begin("progress-test");
        assert_eq!(remotes("progress-test"), 0);
        assert_eq!((fetch.add_bytes(10), fetch.add_bytes(5)), (0, 10));
        fetch.found(3);
        assert_eq!(remotes("progress-test"), 1);
        let expected = Progress { bytes: 15, objects: 3, all_objects: 0, deltas: 0, all_deltas: 0 };
        assert_eq!(fetch.progress(), expected);
        drop(fetch);
        assert_eq!(remotes("progress-test"), 0);
    }
}
