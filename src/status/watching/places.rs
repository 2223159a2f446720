//! How many may watch at a time: each is kept what it has not read.

use crate::gateway::limits::Who;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const ALL: usize = 512;
const OF_ONE: usize = 32;

/// The places that are taken.
#[derive(Clone, Debug, Default)]
pub struct Places {
    taken: Arc<Mutex<HashMap<Who, usize>>>,
}

/// One who watches. Dropped when nobody does any more.
#[derive(Debug)]
pub struct Place {
    taken: Arc<Mutex<HashMap<Who, usize>>>,
    who: Option<Who>,
}

/// There is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("{OF_ONE} of your streams of the status are open already")]
    One,
    #[error("{ALL} streams of the status are open already")]
    All,
}

impl Places {
    /// Takes a place. Operators (`None`) are not counted.
    ///
    /// # Errors
    /// There is none.
    pub fn take(&self, who: Option<Who>) -> Result<Place, Full> {
        if let Some(who) = &who {
            let mut taken = lock(&self.taken);
            if taken.get(who).is_some_and(|own| *own >= OF_ONE) {
                return Err(Full::One);
            }
            if taken.values().sum::<usize>() >= ALL {
                return Err(Full::All);
            }
            *taken.entry(who.clone()).or_default() += 1;
        }
        Ok(Place { taken: self.taken.clone(), who })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(who) = &self.who else { return };
        let mut taken = lock(&self.taken);
        if let Some(own) = taken.get_mut(who) {
            *own -= 1;
            if *own == 0 {
                taken.remove(who);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<Who, usize>>) -> MutexGuard<'_, HashMap<Who, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn each_has_its_share() {
        let places = Places::default();
        let who = |n: usize| Some(Who::Address(IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(n).unwrap()))));
        let mut held: Vec<Place> = (0..OF_ONE).map(|_| places.take(who(0)).unwrap()).collect();
        assert_eq!(places.take(who(0)).unwrap_err(), Full::One);
        held.pop();
        held.push(places.take(who(0)).unwrap());
        held.extend((OF_ONE..ALL).map(|n| places.take(who(1 + n % 100)).unwrap()));
        assert_eq!(places.take(who(999)).unwrap_err(), Full::All);
        assert!(places.take(None).is_ok());
        held.clear();
        assert!(lock(&places.taken).is_empty());
    }
}
