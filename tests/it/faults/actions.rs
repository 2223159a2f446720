//! What can happen to a server, to each faulty one at the same time.

use super::{
    processes::vanish,
    rows::{Client, Row, Shown},
    stage::{Open, Stage, Version, is_got},
};
use crate::{
    lifecycle::world::World,
    support::{Era, Got},
};
use futures_util::future::join_all;
use mcpfleet::status::model::{AppState, AppStatus};
use nix::sys::signal::Signal;

/// Names all that is not as expected, so that one fault does not hide another.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn expect(&mut self, row: &Row, got: &Got, wanted: Client, answer: &str) {
        if !is_got(got, wanted, answer) {
            self.0.push(format!("{}: the client was to get {wanted:?} and got {got:?}", row.fault));
        }
    }

    async fn expect_of_open(&mut self, calls: Vec<Open>, wanted: impl Fn(&Row) -> Client) {
        for open in calls {
            let row = open.row;
            self.expect(row, &open.end().await, wanted(row), "held");
        }
    }
}

impl Drop for Findings {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{}", self.0.join("\n"));
        }
    }
}

#[tokio::test]
async fn start_and_call() {
    for era in Era::BOTH {
        let world = World::new();
        let mut stage = Stage::start(&world, era, false).await;
        stage.shows("started", |row| row.start).await;
        let mut findings = Findings::default();
        let calls = join_all(stage.rows().iter().map(|row| stage.call(row))).await;
        for (row, got) in stage.rows().iter().zip(&calls) {
            findings.expect(row, got, row.call, row.fault);
        }
        stage.shows("called", |row| after_call(row, era)).await;
        let traces = stage.traces();
        assert!(traces.keepers() >= stage.rows().len() / 2);
        stage.agent.signal(Signal::SIGKILL);
        stage.agent.ended().await;
        traces.vanish(&world).await;
    }
}

/// In the era of sessions the process that fails is the session's, and the app has others.
fn after_call(row: &Row, era: Era) -> Shown {
    if era == Era::Legacy && row.call == Client::Gone { row.start } else { row.after_call }
}

#[tokio::test]
async fn update_to_a_good_version() {
    for era in Era::BOTH {
        let world = World::new();
        let mut stage = Stage::start(&world, era, false).await;
        stage.shows("started", |row| row.start).await;
        let mut findings = Findings::default();
        let open = stage.open_calls().await;
        stage.rows().iter().for_each(|row| stage.put(row, Version::Good));
        for row in stage.rows() {
            stage.agent.app(row.fault, "the new version serves", serves_newest).await;
        }
        stage.let_calls_end();
        findings.expect_of_open(open, |row| row.replaced).await;
        for row in stage.rows() {
            findings.expect(row, &stage.call(row).await, Client::Answer, row.fault);
            vanish(&stage.mark(row)).await;
        }
        let traces = stage.traces();
        stage.agent.stop().await;
        traces.vanish(&world).await;
    }
}

#[tokio::test]
async fn update_from_a_good_version() {
    for era in Era::BOTH {
        let world = World::new();
        let mut stage = Stage::start(&world, era, true).await;
        stage.shows("good", |_| Shown::Well).await;
        let mut findings = Findings::default();
        let open = stage.open_calls().await;
        stage.rows().iter().for_each(|row| stage.put(row, Version::Faulty));
        stage.shows("the faulty version", |row| row.replacing).await;
        stage.let_calls_end();
        findings.expect_of_open(open, |_| Client::Answer).await;
        for row in stage.rows().into_iter().filter(|row| row.replacing != Shown::Well) {
            // The good one goes on, unless the new one has answered and taken over.
            let wanted = if matches!(row.replacing, Shown::Because(state, _) if is_served(state)) {
                Client::Answer
            } else {
                row.call
            };
            findings.expect(row, &stage.call(row).await, wanted, row.fault);
        }
        let traces = stage.traces();
        stage.agent.stop().await;
        traces.vanish(&world).await;
    }
}

#[tokio::test]
async fn stop() {
    for era in Era::BOTH {
        let world = World::new();
        let mut stage = Stage::start(&world, era, false).await;
        stage.shows("started", |row| row.start).await;
        let mut findings = Findings::default();
        let open = stage.open_calls().await;
        stage.rows().iter().for_each(|row| world.remove(&format!("{}.yaml", row.fault)));
        for row in stage.rows().into_iter().filter(|row| row.stopped == Client::Answer) {
            stage.agent.app(row.fault, "being stopped", |app| app.state == Some(AppState::Draining)).await;
        }
        stage.let_calls_end();
        findings.expect_of_open(open, |row| row.stopped).await;
        for row in stage.rows() {
            stage.is_gone(row).await;
            let got = stage.call(row).await;
            if !matches!(got, Got::Error { status: 404, code: -32600, .. }) {
                findings.0.push(format!("{}: a call to an app that is gone got {got:?}", row.fault));
            }
            vanish(&stage.mark(row)).await;
        }
        let traces = stage.traces();
        stage.agent.stop().await;
        traces.vanish(&world).await;
    }
}

#[tokio::test]
async fn stop_of_the_agent() {
    for era in Era::BOTH {
        let world = World::new();
        let mut stage = Stage::start(&world, era, false).await;
        stage.shows("started", |row| row.start).await;
        let mut findings = Findings::default();
        let (open, traces) = (stage.open_calls().await, stage.traces());
        stage.agent.signal(Signal::SIGTERM);
        for row in stage.rows().into_iter().filter(|row| row.stopped == Client::Answer) {
            stage.agent.app(row.fault, "being stopped", |app| app.state == Some(AppState::Draining)).await;
        }
        stage.let_calls_end();
        findings.expect_of_open(open, |row| row.stopped).await;
        assert_eq!(stage.agent.ended().await.code(), Some(0), "{}", world.log());
        traces.vanish(&world).await;
    }
}

#[tokio::test]
async fn death_of_the_agent() {
    for era in Era::BOTH {
        let world = World::new();
        let mut stage = Stage::start(&world, era, false).await;
        stage.shows("started", |row| row.start).await;
        let mut findings = Findings::default();
        let (open, traces) = (stage.open_calls().await, stage.traces());
        stage.agent.signal(Signal::SIGKILL);
        stage.agent.ended().await;
        findings.expect_of_open(open, |row| row.killed).await;
        traces.vanish(&world).await;
    }
}

fn is_served(state: AppState) -> bool {
    matches!(state, AppState::Ready | AppState::Degraded)
}

/// Whether what serves is what is wanted, old processes apart.
fn serves_newest(app: &AppStatus) -> bool {
    app.state == Some(AppState::Ready) && !app.updating && app.reason.is_none()
}
