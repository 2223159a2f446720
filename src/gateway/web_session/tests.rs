//! Links, sessions and their bounds, stepped with a time of our own.

use super::{
    for_browsers,
    store::{Found, LINK_LIFE, Maker, SESSION_LIFE, Sessions, Visited},
    table::{Bounds, Table},
};
use crate::{
    gateway::access::{Credential, Principal, User},
    resource::Digest,
};
use std::time::{Duration, Instant};

fn user(name: &str) -> Principal {
    Principal::User(User::of_one("s", name, Credential::HostUser(name.into())))
}

fn secret(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

fn operator() -> Maker {
    Maker { principal: Principal::Operator, until: None, within: None }
}

fn one(sessions: &Sessions<()>, cookies: &[&str], proof: Option<&str>, now: Instant) -> Option<(Principal, bool)> {
    let cookies: Vec<_> = cookies.iter().map(|cookie| secret(cookie)).collect();
    match sessions.find(&cookies, proof.map(secret), now) {
        Found::One(Visited { principal, proven, .. }) => Some((principal.clone(), proven)),
        Found::None | Found::Several => None,
    }
}

#[test]
fn a_link_is_good_once_and_not_for_long() {
    let (mut sessions, start) = (Sessions::<()>::default(), Instant::now());
    assert_eq!(sessions.link(secret("a"), operator(), start), start + LINK_LIFE);
    assert_eq!(sessions.redeem(&secret("b"), start), None);
    assert_eq!(sessions.redeem(&secret("a"), start), Some(operator()));
    assert_eq!(sessions.redeem(&secret("a"), start), None, "it is used up");
    sessions.link(secret("c"), operator(), start);
    assert_eq!(sessions.redeem(&secret("c"), start + LINK_LIFE), None, "it has ended");
    assert_eq!(sessions.redeem(&secret("c"), start), None, "and does not come back");
    sessions.link(secret("d"), operator(), start);
    assert!(sessions.redeem(&secret("d"), start + LINK_LIFE - Duration::from_nanos(1)).is_some());
}

#[test]
fn nothing_outlasts_whoever_made_it() {
    let (mut sessions, start) = (Sessions::<()>::default(), Instant::now());
    let maker = |after| Maker { principal: user("ada"), until: Some(start + after), within: None };
    let minute = Duration::from_secs(60);
    assert_eq!(sessions.link(secret("short"), maker(minute), start), start + minute);
    assert_eq!(sessions.link(secret("long"), maker(SESSION_LIFE * 2), start), start + LINK_LIFE);
    let made = sessions.redeem(&secret("short"), start).unwrap();
    assert_eq!(made, maker(minute));
    assert_eq!(sessions.open(secret("cookie"), secret("proof"), made, (), start), start + minute);
    assert!(one(&sessions, &["cookie"], None, start + minute - Duration::from_nanos(1)).is_some());
    assert_eq!(one(&sessions, &["cookie"], None, start + minute), None);
    assert_eq!(sessions.open(secret("c"), secret("p"), operator(), (), start), start + SESSION_LIFE);
    assert_eq!(one(&sessions, &["c"], None, start + SESSION_LIFE), None);
}

#[test]
fn cookies_and_proofs() {
    let (mut sessions, now) = (Sessions::<()>::default(), Instant::now());
    sessions.open(secret("a"), secret("pa"), operator(), (), now);
    sessions.open(secret("b"), secret("pb"), Maker { principal: user("bob"), until: None, within: None }, (), now);
    for (cookies, proof, expected) in [
        (&[][..], None, None),
        (&["x"], Some("pa"), None),
        (&["a"], None, Some((Principal::Operator, false))),
        (&["a"], Some("pa"), Some((Principal::Operator, true))),
        (&["a"], Some("pb"), Some((Principal::Operator, false))),
        (&["b"], Some("pb"), Some((user("bob"), true))),
        (&["pa"], Some("a"), None),
        // One that was left behind by an earlier agent, and one twice.
        (&["x", "b", "y"], None, Some((user("bob"), false))),
        (&["a", "a"], None, Some((Principal::Operator, false))),
        (&["a", "b"], Some("pa"), None),
    ] {
        assert_eq!(one(&sessions, cookies, proof, now), expected, "{cookies:?} {proof:?}");
    }
    assert_eq!(sessions.close(&secret("a"), now), Some(Principal::Operator));
    assert_eq!(sessions.close(&secret("a"), now), None);
    assert_eq!(one(&sessions, &["a"], Some("pa"), now), None);
    assert!(one(&sessions, &["b"], None, now).is_some());
}

#[test]
fn what_ends_lets_go() {
    let (mut sessions, start) = (Sessions::default(), Instant::now());
    let life = std::rc::Rc::new(());
    sessions.open(secret("a"), secret("p"), operator(), life.clone(), start);
    sessions.sweep(start + SESSION_LIFE - Duration::from_nanos(1));
    assert_eq!(std::rc::Rc::strong_count(&life), 2);
    sessions.sweep(start + SESSION_LIFE);
    assert_eq!(std::rc::Rc::strong_count(&life), 1);
}

#[test]
fn nobody_is_pushed_out_by_who_has_more() {
    let now = Instant::now();
    let until = now + Duration::from_secs(1);
    let mut table = Table::new(Bounds { all: 10, of_one: 6 });
    let add = |table: &mut Table<()>, who: &str, n: usize| {
        table.add(secret(&format!("{who}{n}")), user(who), until, (), now);
    };
    let has = |table: &Table<()>, who: &str, n: usize| table.get(&secret(&format!("{who}{n}")), now).is_some();
    add(&mut table, "ada", 0);
    (0..100).for_each(|n| add(&mut table, "eve", n));
    assert_eq!(table.len(), 7);
    assert!(has(&table, "ada", 0) && has(&table, "eve", 99) && has(&table, "eve", 94) && !has(&table, "eve", 93));
    (0..3).for_each(|n| add(&mut table, "bob", n));
    add(&mut table, "carl", 0);
    assert_eq!(table.len(), 10);
    assert!(has(&table, "ada", 0) && (0..3).all(|n| has(&table, "bob", n)) && has(&table, "carl", 0));
    assert!(!has(&table, "eve", 94) && has(&table, "eve", 95));
    // What has ended makes room first.
    table.add(secret("late"), user("dora"), until + Duration::from_secs(9), (), until);
    assert_eq!(table.len(), 1);
}

#[test]
fn addresses_for_browsers() {
    for (url, expected) in [
        ("http://127.0.0.1:7420", "http://127.0.0.1:7420"),
        ("http://0.0.0.0:7420", "http://127.0.0.1:7420"),
        ("https://[::]:7420", "https://[::1]:7420"),
        ("https://fleet.example/x", "https://fleet.example/x"),
    ] {
        assert_eq!(for_browsers(url), expected);
    }
}
