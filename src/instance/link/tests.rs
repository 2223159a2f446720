use super::*;
use crate::protocol::request;
use serde_json::json;

/// A link to a server that reads nothing; its end of the pipe has to be kept.
fn link(sharing: Sharing) -> (Arc<Link>, std::io::PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let writer = pipe::Sender::from_owned_fd(writer.into()).unwrap();
    (Link::new("app", "app-1", "pipe", sharing, Arc::default(), writer), reader)
}

#[tokio::test]
async fn open_requests_are_bounded() {
    let (link, _reader) = link(Sharing::Shared);
    let mut kept = Vec::new();
    let refused = loop {
        match link.ask("x", &json!({})) {
            Ok(call) => kept.push(call),
            Err(refused) => break refused,
        }
        assert!(kept.len() <= MAX_OPEN);
    };
    assert_eq!((refused, kept.len()), (Refused::Overloaded, MAX_OPEN));
    // One that has gone makes room for one more.
    link.forget(kept.remove(0).0);
    assert!(link.ask("x", &json!({})).is_ok());
    assert_eq!(link.ask("x", &json!({})).err(), Some(Refused::Overloaded));
}

fn open(link: &Link, method: &str) -> (CallId, Arc<Mailbox>) {
    let bytes = request(7, method, &json!({}));
    let message = Message::parse(&bytes).unwrap();
    let mailbox = Arc::new(Mailbox::for_answers(1));
    (link.open(Call { message: &message, params: &message.params(), owner: 0 }, &mailbox).unwrap(), mailbox)
}

#[tokio::test]
async fn a_draining_link_takes_nothing_new_and_waits_for_what_clients_have_open() {
    let (link, _reader) = link(Sharing::Shared);
    let (call, _) = open(&link, "tools/call");
    let (_, listener) = open(&link, "subscriptions/listen");
    link.ask("server/discover", &json!({})).unwrap();
    link.drain();
    assert_eq!(link.ask("x", &json!({})).err(), Some(Refused::Draining));
    // Listeners are told that it is over, and are not waited for; nor is an answer to the gateway itself.
    assert!(listener.next().await.is_some());
    let idle = link.idle();
    tokio::pin!(idle);
    assert!(futures_util::poll!(&mut idle).is_pending());
    link.forget(call);
    idle.await;
}

#[tokio::test]
async fn a_sink_is_new_to_each_link_once() {
    let ((one, _r1), (two, _r2)) = (link(Sharing::Shared), link(Sharing::Shared));
    let sink = Sink::new();
    assert!(one.attach(&sink) && !one.attach(&sink));
    assert!(two.attach(&sink) && !two.attach(&sink));
}

#[tokio::test]
async fn the_first_reason_for_an_end_is_kept() {
    let (link, _reader) = link(Sharing::Exclusive);
    assert_eq!(link.end(), None);
    let (_, mailbox) = link.ask("x", &json!({})).unwrap();
    link.close("its standard output is closed");
    link.close("exit status 0");
    assert_eq!(link.end().as_deref(), Some("its standard output is closed"));
    assert!(mailbox.next().await.is_some(), "whoever waits is told");
    assert_eq!(link.ask("x", &json!({})).err(), Some(Refused::Closed("its standard output is closed".into())));
}
