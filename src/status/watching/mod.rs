//! Who watches the status. It is looked at once for all who see the same, when something has changed, and by nobody while
//! nobody watches.

mod picture;
mod places;

pub use picture::{Picture, event, json};
pub use places::{Full, Place, Places};

use super::{Applied, Store};
use crate::{
    gateway::access::{Credential, Membership, Policy, Principal},
    source::SourceView,
};
use futures_util::future::select_all;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// It is looked at so often at most.
const PACE: Duration = Duration::from_millis(500);

/// Some of what is shown nobody tells of when it changes: then it is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// One who sees the same as another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Sight {
    All,
    Of(Arc<[Membership]>, Credential),
}

type Room = watch::Sender<Arc<Picture>>;

/// All who watch.
#[derive(Debug, Default)]
pub struct Watching {
    rooms: Mutex<HashMap<Sight, Arc<Room>>>,
    pub places: Places,
}

impl Watching {
    /// What a principal sees, from now on.
    pub async fn enter(self: &Arc<Self>, store: &Arc<Store>, principal: &Principal) -> watch::Receiver<Arc<Picture>> {
        let sight = match principal {
            Principal::Operator | Principal::Anonymous => Sight::All,
            Principal::User(user) => Sight::Of(user.memberships().clone(), user.shown().clone()),
        };
        if let Some(room) = self.rooms().get(&sight) {
            return room.subscribe();
        }
        // Before it is looked at: what changes in between shows.
        let news = News::of(store);
        let first = look(store, principal, Arc::default()).await;
        let mut rooms = self.rooms();
        if let Some(room) = rooms.get(&sight) {
            return room.subscribe();
        }
        let (room, entered) = watch::channel(first);
        let room = Arc::new(room);
        rooms.insert(sight.clone(), room.clone());
        tokio::spawn(keep(self.clone(), store.clone(), principal.clone(), sight, room, news));
        entered
    }

    /// Closes a room, unless somebody is in it.
    fn leave(&self, sight: &Sight, room: &Room) -> bool {
        let mut rooms = self.rooms();
        let empty = room.receiver_count() == 0;
        if empty {
            rooms.remove(sight);
        }
        empty
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<Sight, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(
    watching: Arc<Watching>,
    store: Arc<Store>,
    principal: Principal,
    sight: Sight,
    room: Arc<Room>,
    mut news: News,
) {
    let mut cost = Duration::ZERO;
    loop {
        // However many apps there are, and however often they change: looking takes a fiftieth of a processor, or a tenth.
        let (quiet, pace) = (LOOK.max(cost * 50), PACE.max(cost * 10));
        let waiting = async {
            sleep(pace).await;
            timeout(quiet, news.next()).await.unwrap_or(true)
        };
        tokio::select! {
            () = room.closed() => if watching.leave(&sight, &room) { return },
            goes_on = waiting => if !goes_on {
                watching.rooms().remove(&sight);
                return;
            },
        }
        news.seen();
        let began = Instant::now();
        let before = room.borrow().clone();
        let now = look(&store, &principal, before.clone()).await;
        cost = began.elapsed();
        if !now.is_like(&before) {
            room.send_replace(now);
        }
    }
}

/// Looks at the status, which takes a while where there are many apps.
async fn look(store: &Arc<Store>, principal: &Principal, before: Arc<Picture>) -> Arc<Picture> {
    let (store, principal, known) = (store.clone(), principal.clone(), before.clone());
    let looked = tokio::task::spawn_blocking(move || Picture::of(&store.status_for(&principal), &known)).await;
    looked.map_or(before, Arc::new)
}

/// What tells that something has changed.
struct News {
    fleet: watch::Receiver<()>,
    labels: watch::Receiver<()>,
    applied: watch::Receiver<Arc<Applied>>,
    policy: watch::Receiver<Arc<Policy>>,
    sources: Vec<watch::Receiver<SourceView>>,
}

impl News {
    fn of(store: &Store) -> News {
        let fleet = &store.gateway.fleet;
        let mut news = News {
            fleet: fleet.changes(),
            labels: fleet.label_changes(),
            applied: store.applied.clone(),
            policy: store.gateway.policy.clone(),
            sources: store.sources.iter().map(|source| source.view.clone()).collect(),
        };
        news.seen();
        news
    }

    /// All that there is by now has been seen, or is about to be.
    fn seen(&mut self) {
        self.fleet.mark_unchanged();
        self.labels.mark_unchanged();
        self.applied.mark_unchanged();
        self.policy.mark_unchanged();
        self.sources.iter_mut().for_each(watch::Receiver::mark_unchanged);
    }

    /// Waits for something new. `false`: the agent is ending.
    async fn next(&mut self) -> bool {
        let sources = self.sources.iter_mut().map(|source| Box::pin(ever(source)));
        let sources = async {
            // Of none nobody is ever told anything.
            if sources.len() == 0 { std::future::pending().await } else { select_all(sources).await.0 }
        };
        tokio::select! {
            changed = self.applied.changed() => changed.is_ok(),
            () = ever(&mut self.fleet) => true,
            () = ever(&mut self.labels) => true,
            () = ever(&mut self.policy) => true,
            () = sources => true,
        }
    }
}

/// Waits for a change, for ever if there can be none any more.
async fn ever<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending().await
    }
}
