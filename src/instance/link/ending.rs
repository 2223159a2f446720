//! How a link comes to its end: it drains, its server is asked to end, and whoever still waits is told.

use super::{Link, OpenCall, Sharing};

impl Link {
    /// Takes no new requests from now on, and ends the listeners, so that their clients come back to the new version.
    pub fn drain(&self) {
        let mut state = self.lock();
        state.draining = true;
        let listeners: Vec<u64> = state.open.iter().filter(|(_, call)| call.listens).map(|(id, _)| *id).collect();
        let ended: Vec<OpenCall> = listeners.iter().filter_map(|id| state.open.remove(id)).collect();
        drop(state);
        for mut call in ended {
            call.traced.take().into_iter().for_each(|traced| traced.ended());
            let key = crate::protocol::meta::SUBSCRIPTION_ID;
            let id = &call.id;
            let end = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","_meta":{{"{key}":{id}}}}}}}"#
            );
            call.mailbox.answer(end.into(), None);
        }
        self.signal_idle();
        self.leaving.notify_waiters();
    }

    /// Waits until it takes no new requests any more.
    pub async fn leaves(&self) {
        loop {
            let leaving = self.leaving.notified();
            tokio::pin!(leaving);
            leaving.as_mut().enable();
            if self.lock().check_open().is_err() {
                return;
            }
            leaving.await;
        }
    }

    /// Waits until a draining link has no open request of a client.
    pub async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            {
                let state = self.lock();
                if state.closed.is_some() || state.waiting() == 0 {
                    return;
                }
            }
            idle.await;
        }
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    /// Why it has ended, if it has.
    pub fn end(&self) -> Option<std::sync::Arc<str>> {
        self.lock().closed.clone()
    }

    /// Whether it has ended because the server sent too long a line, and not because the server did.
    pub fn has_rambled(&self) -> bool {
        self.lock().rambled
    }

    /// Closes the server's stdin, which asks it to end.
    pub fn close_stdin(&self) {
        self.writer.close();
    }

    /// Ends the link: every open request is answered with an error that says why. What is only for one client ends with
    /// it; clients of a shared server go on with the process that comes next.
    pub fn close(&self, reason: &str) {
        let (open, sinks) = {
            let mut state = self.lock();
            if state.closed.is_some() {
                return;
            }
            state.closed = Some(reason.into());
            (std::mem::take(&mut state.open), state.sinks())
        };
        self.writer.close();
        for mut call in open.into_values() {
            let text = format!("the server ended before it answered: {reason}");
            let code = crate::protocol::codes::SERVER_GONE;
            call.traced.take().into_iter().for_each(|traced| traced.gone(code));
            let answer = crate::protocol::error_response(&call.id, code, &text, None);
            call.mailbox.answer(answer.into(), Some(code));
        }
        if self.sharing == Sharing::Exclusive {
            sinks.iter().filter(|sink| !sink.lasting).for_each(|sink| sink.mailbox.close());
        }
        self.idle.notify_waiters();
        self.leaving.notify_waiters();
    }
}
