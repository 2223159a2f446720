use super::*;
use crate::instance::link::{Link, Sharing};
use std::time::Duration;
use tokio::{net::unix::pipe, sync::oneshot::Receiver};

fn running(name: &str) -> Arc<Running> {
    let (_, pipe) = std::io::pipe().unwrap();
    let link = Link::new(
        "app",
        name,
        "pipe",
        Sharing::Exclusive,
        Arc::default(),
        pipe::Sender::from_owned_fd(pipe.into()).unwrap(),
    );
    Running::for_test(name, link)
}

fn pool(target: u32, max: u32) -> Pool {
    Pool::new(target, max, Restart::default())
}

fn checkout(pool: &mut Pool) -> Receiver<Result<Lease, Unavailable>> {
    let (reply, receiver) = oneshot::channel();
    pool.checkout(reply);
    receiver
}

#[tokio::test]
async fn hands_out_what_is_warm_and_starts_what_is_missing() {
    let (mut pool, now) = (pool(1, 3), Instant::now());
    assert_eq!(pool.launches(now), 1);
    assert_eq!(pool.launches(now), 0, "it is being started already");
    pool.add(running("a"));
    let first = checkout(&mut pool).try_recv().unwrap().unwrap();
    assert_eq!(&*first.running().instance, "a");
    assert_eq!(pool.launches(now), 1, "the next one");
    let mut waiting = checkout(&mut pool);
    assert!(waiting.try_recv().is_err());
    assert_eq!(pool.launches(now), 1, "one for whoever waits, one to be warm");
    pool.add(running("b"));
    assert_eq!(&*waiting.try_recv().unwrap().unwrap().running().instance, "b");
}

#[tokio::test]
async fn never_exceeds_its_bound() {
    let (mut pool, now) = (pool(2, 2), Instant::now());
    assert_eq!(pool.launches(now), 2);
    pool.add(running("a"));
    let lease = checkout(&mut pool).try_recv().unwrap().unwrap();
    let mut second = checkout(&mut pool);
    assert_eq!(pool.launches(now), 0);
    assert_eq!(checkout(&mut pool).try_recv().unwrap().unwrap_err(), Unavailable::Full(2));
    pool.add(running("b"));
    assert!(second.try_recv().unwrap().is_ok());
    drop(lease);
    pool.ended("a", now);
    assert_eq!(pool.launches(now), 1);
}

#[tokio::test]
async fn rests_after_failures_but_tries_for_a_client() {
    let (mut pool, now) = (pool(1, 4), Instant::now());
    assert_eq!(pool.launches(now), 1);
    let mut waiting = checkout(&mut pool);
    pool.launch_failed("no such file", now);
    assert_eq!(waiting.try_recv().unwrap().unwrap_err(), Unavailable::LaunchFailed("no such file".into()));
    assert_eq!(pool.launches(now), 0);
    assert!(pool.wake_at().is_some_and(|at| at > now));
    let _waiting = checkout(&mut pool);
    assert_eq!(pool.launches(now), 1);
    assert_eq!(pool.launches(now + Duration::from_secs(2)), 1, "rested");
}

#[tokio::test]
async fn a_rest_that_is_over_wakes_nobody_again() {
    let (mut pool, now) = (pool(2, 2), Instant::now());
    assert_eq!(pool.launches(now), 2);
    pool.add(running("a"));
    pool.add(running("b"));
    let _session = checkout(&mut pool).try_recv().unwrap().unwrap();
    pool.ended("b", now);
    let later = pool.wake_at().unwrap() + Duration::from_secs(1);
    assert_eq!(pool.launches(later), 1, "as many as the bound has room for");
    assert_eq!(pool.wake_at(), None);
}

#[tokio::test]
async fn a_process_that_has_ended_is_handed_to_nobody() {
    let (mut pool, now) = (pool(1, 2), Instant::now());
    assert_eq!(pool.launches(now), 1);
    let dead = running("dead");
    pool.add(dead.clone());
    dead.link.close("it crashed");
    let mut waiting = checkout(&mut pool);
    assert!(waiting.try_recv().is_err());
    pool.ended("dead", now);
    assert_eq!(pool.launches(now), 1);
    pool.add(running("live"));
    assert_eq!(&*waiting.try_recv().unwrap().unwrap().running().instance, "live");
}
