use super::*;
use std::process::{Child, Command};

#[test]
fn the_kernels_line_is_read_whatever_the_name() {
    let line = |state: &str| format!("7 (a) b (c)) {state} 3 7 5 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9 9");
    let process = in_stat(7, &line("S")).unwrap();
    assert_eq!((process.parent, process.session, process.start), (3, 5, 4242));
    assert!(in_stat(7, &line("Z")).is_none() && in_stat(7, "7 (sh").is_none() && in_stat(7, "").is_none());
    let own = standing(std::process::id().cast_signed()).unwrap();
    assert_eq!(own.parent, nix::unistd::getppid().as_raw());
    assert_eq!(own.session, nix::unistd::getsid(None).unwrap().as_raw());
}

#[test]
fn what_belongs_to_the_marked_goes_with_it_and_what_this_comes_from_stays() {
    let user = Some(7);
    let process = |pid, parent, session, mark| Process { pid, parent, session, start: 1, mark, user };
    let chosen =
        |seen: &[Process]| victims(seen, &spared(seen, 50)).iter().map(|process| process.pid).collect::<Vec<_>>();
    let (none, server, keeper) = (Mark::None, Mark::Server, Mark::Keeper);
    let own = [process(1, 0, 1, none), process(40, 1, 40, none), process(50, 40, 40, none)];
    let with = |more: &[Process]| chosen(&[&own, more].concat());

    assert_eq!(with(&[process(60, 1, 60, none), process(61, 60, 60, none)]), [0; 0]);
    assert_eq!(with(&[process(60, 1, 60, server), process(61, 1, 61, server)]), [60, 61]);
    // Without a marker, in its session or below it.
    assert_eq!(with(&[process(60, 1, 60, server), process(61, 1, 60, none)]), [60, 61]);
    assert_eq!(with(&[process(60, 1, 60, server), process(61, 60, 61, none), process(62, 61, 62, none)]), [60, 61, 62]);
    // Another user's process in the session of somebody: that one's stay, also when their user is not known.
    let of = |user: Option<u32>, process: Process| Process { user, ..process };
    let foreign = of(Some(8), process(61, 60, 60, server));
    assert_eq!(with(&[process(60, 1, 60, none), foreign, of(Some(8), process(62, 1, 60, none))]), [61, 62]);
    assert_eq!(with(&[of(None, process(60, 1, 60, none)), foreign]), [61]);
    assert_eq!(with(&[of(None, process(60, 1, 60, none)), of(None, process(61, 60, 60, server))]), [61]);
    // A keeper that could not make a session of its own does not take that of others along.
    assert_eq!(with(&[process(60, 1, 9, keeper), process(61, 1, 9, none), process(62, 60, 62, none)]), [60, 62]);
    // An agent that was started from inside a server.
    let inside = [process(1, 0, 1, none), process(40, 1, 40, server), process(50, 40, 40, server)];
    let more = [process(60, 1, 40, none), process(61, 40, 61, none), process(62, 1, 62, server)];
    assert_eq!(chosen(&[inside, more].concat()), [61, 62]);
}

fn sleeper(marker: &str) -> Child {
    Command::new("sleep").arg("600").env("MCPFLEET_INSTANCE", marker).spawn().unwrap()
}

#[test]
fn only_other_runs_of_the_same_agent_are_swept() {
    let identity = Identity::random();
    let mine = |run: &str| sleeper(&format!("{}.{run}.a-1", identity.agent));
    let (mut one, mut two, mut own) = (mine("r1"), mine("r2"), mine(&identity.run));
    let mut stranger = sleeper("0123456789abcdef.r1.a-1");
    assert_eq!(earlier(&identity), Swept { killed: 2, ..Swept::default() });
    assert!(one.wait().unwrap().code().is_none() && two.wait().unwrap().code().is_none());
    assert_eq!((own.try_wait().unwrap(), stranger.try_wait().unwrap()), (None, None));
    assert_eq!(instance(&identity.marker("a-2")), Swept::default());
    assert_eq!(instance(&identity.marker("a-1")), Swept { killed: 1, ..Swept::default() });
    own.wait().unwrap();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_number_that_has_passed_to_another_process_is_left_alone() {
    let mut child = sleeper("0123456789abcdef.r1.a-1");
    let process = standing(child.id().cast_signed()).unwrap();
    assert_eq!(end(&Process { start: process.start + 1, ..process }), Err(Errno::ESRCH));
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(end(&process), Ok(()));
    child.wait().unwrap();
    assert_eq!(end(&process), Err(Errno::ESRCH));
}

#[test]
fn no_more_is_read_than_a_bound_and_nothing_when_time_is_over() {
    let mut child = sleeper(&format!("0123456789abcdef.r1.{}", "a".repeat(1000)));
    let pid = child.id().cast_signed();
    // A program that has just started has none for a moment.
    while beginning(pid, "environ", 100).unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(beginning(pid, "environ", 100).unwrap().len(), 100);
    assert!(beginning(pid, "environ", MAX_ENVIRONMENT).unwrap().len() > 1000);
    let (seen, unseen) = processes(&|_| true, Instant::now());
    let own = std::process::id().cast_signed();
    assert!(unseen > 0 && seen.iter().any(|process| process.pid == own));
    assert!(!seen.iter().any(|process| process.pid == pid), "the child is none of those that this comes from");
    child.kill().unwrap();
    child.wait().unwrap();
}
