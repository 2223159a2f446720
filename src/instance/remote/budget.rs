//! How much of a server's answers may be on its way at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The most bytes of unfinished messages that one instance keeps: a few of the longest at a time.
const MAX_BYTES: usize = 160 << 20;

/// The room of one instance.
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// A part of the room, with nothing in it yet.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

/// What one answer takes of it, until it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: usize,
}

impl Share {
    /// Sets how much it takes. `false`: there is no room for that.
    pub fn set(&mut self, bytes: usize) -> bool {
        let room = &self.budget.0;
        if let Some(more) = bytes.checked_sub(self.bytes) {
            let all = room.fetch_add(more, Relaxed) + more;
            self.bytes = bytes;
            more == 0 || all <= MAX_BYTES
        } else {
            room.fetch_sub(self.bytes - bytes, Relaxed);
            self.bytes = bytes;
            true
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_there_again() {
        let budget = Budget::default();
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.set(MAX_BYTES));
        assert!(!two.set(1));
        assert!(one.set(MAX_BYTES - 2) && two.set(2));
        drop(one);
        assert!(two.set(MAX_BYTES));
        drop(two);
        assert_eq!(budget.0.load(Relaxed), 0);
    }
}
