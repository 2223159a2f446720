//! Whether a server that has answered once still does.

use super::{
    link::Link,
    probe::Place,
    question::{Unanswered, ask},
};
use crate::{
    protocol::{Era, codes},
    resource::Health,
};
use serde_json::json;

/// What a check has come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    Well,
    /// Why it counts as unwell.
    Unwell(String),
    /// It has ended or is about to; others see to that.
    Over,
}

/// What is to be done about a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Well,
    /// It goes on serving, for now. The reason is for people.
    Unwell(String),
    /// It has had its chances.
    Restart(String),
}

/// Judges one finding, given how many checks in a row have failed before it; counts on.
pub fn judge(failed: &mut u32, finding: Finding, health: &Health) -> Verdict {
    match finding {
        Finding::Well => {
            *failed = 0;
            Verdict::Well
        }
        Finding::Over => Verdict::Well,
        Finding::Unwell(reason) => {
            *failed = failed.saturating_add(1);
            let text = format!("health check {failed} of {} failed: {reason}", health.failures);
            if *failed >= health.failures { Verdict::Restart(text) } else { Verdict::Unwell(text) }
        }
    }
}

/// Asks the server for a sign of life: `ping` in the legacy era, `server/discover` in the modern one. Any answer is one,
/// also that it does not know the question; but not what is answered in the stead of one that cannot be reached.
pub async fn check(link: &Link, place: Place, era: Era, health: &Health) -> Finding {
    let method = match era {
        Era::Legacy => "ping",
        Era::Modern => "server/discover",
    };
    match ask(link, era, method, json!({}), health.timeout).await {
        Err(Unanswered::Refused { code: codes::UNAVAILABLE, message, .. }) if place == Place::Elsewhere => {
            Finding::Unwell(message)
        }
        Ok(_) | Err(Unanswered::Refused { .. }) => Finding::Well,
        Err(Unanswered::Ended(_)) => Finding::Over,
        Err(reason @ (Unanswered::Silent { .. } | Unanswered::Overloaded)) => Finding::Unwell(reason.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_server_has_its_chances() {
        let health = Health { interval: Duration::from_secs(1), timeout: Duration::from_secs(1), failures: 2 };
        let mut failed = 0;
        let unwell = || Finding::Unwell("silence".into());
        let first = Verdict::Unwell("health check 1 of 2 failed: silence".into());
        assert_eq!(judge(&mut failed, unwell(), &health), first);
        assert_eq!(judge(&mut failed, Finding::Well, &health), Verdict::Well, "which makes up for it");
        assert_eq!(judge(&mut failed, unwell(), &health), first);
        let second = Verdict::Restart("health check 2 of 2 failed: silence".into());
        assert_eq!(judge(&mut failed, unwell(), &health), second);
        let once = Health { failures: 1, ..health };
        assert!(matches!(judge(&mut 0, unwell(), &once), Verdict::Restart(_)));
    }
}
