//! What an answer means. Pure: the time is told.

use super::{
    request::{Answer, Response},
    text::line,
};
use jiff::{Timestamp, fmt::rfc2822};
use std::time::Duration;

/// However long somebody asks to be left alone, they are asked again after this.
const MAX_PAUSE: Duration = Duration::from_secs(3600);
const A_MINUTE: Duration = Duration::from_secs(60);
/// How much is told of what came back, in characters.
const SHOWN: usize = 200;

/// `secret` is what was shown to the server, which must not show it to others.
pub fn judged(response: &Response, secret: &str, now: Timestamp) -> Answer {
    let status = response.status;
    let after = pause(response, now);
    match status {
        200..300 => Answer::Taken,
        // Pending already: GitLab does not go from a state to the same one.
        400 if response.body.contains("Cannot transition status via :enqueue from") => Answer::Taken,
        // 409: another status of the same commit is being written, as GitLab has it.
        408 | 409 | 425 | 429 | 500.. => Answer::Later { problem: said(response, secret), after },
        // With a time, a server means that there were too many; GitHub may say so in words, and means a minute then.
        403 if after.is_some() || response.body.to_ascii_lowercase().contains("rate limit") => {
            Answer::Later { problem: said(response, secret), after: after.or(Some(A_MINUTE)) }
        }
        300..400 => Answer::Refused {
            problem: format!("it answers {status}, and redirects are not followed: give the address where it is now"),
        },
        _ => Answer::Refused { problem: said(response, secret) },
    }
}

/// How long the server asks to be left alone, at most [`MAX_PAUSE`].
fn pause(response: &Response, now: Timestamp) -> Option<Duration> {
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    let asked = response.retry_after.as_deref().map(str::trim).and_then(|value| match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        // Of a number that is too large for us, as long as can be.
        Err(_) if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() => Some(MAX_PAUSE),
        Err(_) => rfc2822::parse(value).ok().map(|at| until(at.timestamp())),
    });
    let limited = || {
        let none_left = response.rate_limit_remaining.as_deref().map(str::trim) == Some("0");
        let reset = response.rate_limit_reset.as_deref().filter(|_| none_left)?.trim().parse().ok()?;
        Timestamp::from_second(reset).ok().map(until)
    };
    asked.or_else(limited).map(|pause| pause.min(MAX_PAUSE))
}

fn said(response: &Response, secret: &str) -> String {
    let (status, said) = (response.status, line(&without(&response.body, secret), SHOWN));
    let advice = match status {
        401 => ": the credential is not accepted",
        403 => ": the credential does not allow it",
        404 => ": it is not there, or the credential does not show it",
        _ => "",
    };
    match said.is_empty() {
        true => format!("it answers {status}{advice}"),
        false => format!("it answers {status}{advice}: {said}"),
    }
}

/// A text without a credential; of one that is a URL, without what follows its host either, which servers echo by itself.
pub fn without(text: &str, secret: &str) -> String {
    let path = secret.split_once("://").and_then(|(_, rest)| rest.get(rest.find('/')?..)).filter(|path| path.len() > 1);
    let secrets = [Some(secret).filter(|secret| !secret.is_empty()), path];
    secrets.into_iter().flatten().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, body: body.to_owned(), ..Response::default() }
    }

    fn later(response: &Response) -> Option<Option<u64>> {
        let now = "2026-11-29T10:00:00Z".parse().unwrap();
        match judged(response, "", now) {
            Answer::Later { after, .. } => Some(after.map(|after| after.as_secs())),
            Answer::Taken | Answer::Refused { .. } => None,
        }
    }

    #[test]
    fn what_is_tried_again() {
        for status in [408, 409, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(later(&response(status, "")), Some(None), "{status}");
        }
        for status in [200, 201, 202, 204, 301, 302, 307, 400, 401, 403, 404, 410, 422] {
            assert_eq!(later(&response(status, "")), None, "{status}");
        }
        let after = |value: &str| later(&Response { retry_after: Some(value.to_owned()), ..response(429, "") });
        let table = [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("86400", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sun, 29 Nov 2026 10:00:30 GMT", Some(30)),
            ("Sun, 29 Nov 2026 09:00:30 GMT", Some(0)),
            ("soon", None),
            ("", None),
            ("-1", None),
        ];
        for (value, expected) in table {
            assert_eq!(after(value), Some(expected), "{value:?}");
        }
        // GitHub's way to say so.
        let limited = |remaining: &str| Response {
            rate_limit_remaining: Some(remaining.to_owned()),
            rate_limit_reset: Some("1795946460".to_owned()),
            ..response(403, "")
        };
        assert_eq!(later(&limited("0")), Some(Some(60)));
        assert_eq!(later(&limited("7")), None);
        let in_words = r#"{"message": "You have exceeded a secondary rate limit."}"#;
        assert_eq!(later(&response(403, in_words)), Some(Some(60)));
    }

    #[test]
    fn what_is_said_shows_no_secret() {
        let now = Timestamp::UNIX_EPOCH;
        let refused = |response: &Response| match judged(response, "t0ken", now) {
            Answer::Refused { problem } => problem,
            other => panic!("{other:?}"),
        };
        let echo = refused(&response(401, "{\"message\":\"bad token t0ken\n\u{1b}[31m\"}"));
        assert_eq!(echo, "it answers 401: the credential is not accepted: {\"message\":\"bad token *** \\u{1b}[31m\"}");
        assert!(refused(&response(422, &"x".repeat(1 << 20))).len() < 250);
        let url = "https://hooks.example.com/services/T0/abc";
        assert_eq!(without("Cannot POST /services/T0/abc", url), "Cannot POST ***");
        assert_eq!(without(&format!("no {url}/ here"), url), "no ***/ here");
        assert_eq!(
            (without("a/b", "https://x.example"), without("a/b", "https://x.example/")),
            ("a/b".into(), "a/b".into())
        );
        assert!(refused(&response(301, "t0ken")).contains("redirects are not followed"));
    }

    #[test]
    fn what_is_so_already_is_fine() {
        let body = r#"{"message":"Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")"}"#;
        assert_eq!(judged(&response(400, body), "", Timestamp::UNIX_EPOCH), Answer::Taken);
        let other = body.replace("enqueue", "drop").replace("pending", "success");
        assert!(matches!(judged(&response(400, &other), "", Timestamp::UNIX_EPOCH), Answer::Refused { .. }));
    }
}
