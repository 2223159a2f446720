use super::*;
use crate::status::model::event::EventLevel;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

fn agent() -> Agent {
    Agent { name: "eu-1".into(), public_url: None }
}

fn notice(app: &str, message: &str) -> Notice {
    Notice {
        time: Timestamp::UNIX_EPOCH,
        kind: "ended".into(),
        level: EventLevel::Warning,
        subject: Subject::App(app.into()),
        source: None,
        message: message.into(),
        data: Value::Null,
        good: false,
    }
}

const INTERVAL: Duration = Duration::from_secs(300);

#[test]
fn what_comes_at_once_is_one_message() {
    let now = Instant::now();
    let mut digest = Digest::new(INTERVAL);
    assert_eq!((digest.due(), digest.take(&agent(), now)), (None, None));
    for number in 0..50 {
        digest.add(&notice(&format!("app-{number}"), "exit status 1"), now);
        digest.add(&notice(&format!("app-{number}"), "starts again in 2s"), now + Duration::from_secs(1));
    }
    assert_eq!(digest.due(), Some(now + WINDOW));
    assert_eq!(digest.take(&agent(), now + Duration::from_secs(2)), None);
    let text = digest.take(&agent(), now + WINDOW).unwrap();
    assert!(text.starts_with("mcpfleet on `eu-1`:\n• app `app-0`, ended (2 times): `starts again in 2s`\n"), "{text}");
    assert!(text.ends_with("\n… and 35 more; `mcpfleet status` shows all"), "{text}");
    assert_eq!((digest.due(), digest.take(&agent(), now + WINDOW)), (None, None));
}

#[test]
fn what_comes_again_and_again_is_told_now_and_then() {
    let mut now = Instant::now();
    let mut digest = Digest::new(INTERVAL);
    let mut messages = Vec::new();
    // A crash a second, for almost half an hour.
    for _ in 0..1790 {
        digest.add(&notice("demo", "exit status 1"), now);
        now += Duration::from_secs(1);
        messages.extend(digest.take(&agent(), now));
    }
    assert_eq!(messages.len(), 6, "{messages:#?}");
    assert!(messages[0].contains("(3 times)") && messages[1].contains("(300 times)"), "{messages:#?}");
    // Another one is told at once all the same.
    digest.add(&notice("other", "exit status 2"), now);
    let text = digest.take(&agent(), now + WINDOW).unwrap();
    assert!(text.contains("other") && !text.contains("demo"), "{text}");
}

#[test]
fn that_it_is_over_is_told_to_those_who_have_heard_of_it() {
    let now = Instant::now();
    let mut digest = Digest::new(INTERVAL);
    let (good, bad) = (Notice { good: true, ..notice("demo", "Ready") }, notice("demo", "exit status 1"));
    assert!(!digest.is_troubled(&good.subject));
    digest.add(&bad, now);
    assert!(digest.is_troubled(&good.subject));
    digest.take(&agent(), now + WINDOW).unwrap();
    assert!(digest.is_troubled(&good.subject));
    // An hour later, too.
    let later = now + Duration::from_secs(3600);
    assert_eq!(digest.take(&agent(), later), None);
    assert!(digest.is_troubled(&good.subject));
    digest.add(&good, later);
    let text = digest.take(&agent(), later + WINDOW).unwrap();
    assert!(text.ends_with("`Ready`"), "{text}");
    assert!(!digest.is_troubled(&good.subject));
}

#[test]
fn text_of_strangers_means_nothing() {
    let now = Instant::now();
    let mut digest = Digest::new(INTERVAL);
    let hostile =
        "<!channel> @here `x` <https://evil.example|click> & *bold* ![](http://evil.example/x.png)\n• app `b`";
    digest.add(&notice("demo", hostile), now);
    let text = digest.take(&agent(), now + WINDOW).unwrap();
    let line = text.lines().nth(1).unwrap();
    assert_eq!(text.lines().count(), 2);
    let expected = "• app `demo`, ended: `&lt;!channel&gt; @\u{200b}here 'x' &lt;https://evil.example|click&gt; &amp; *bold* \
                    ![](http://evil.example/x.png) • app 'b'`";
    assert_eq!(line, expected);
}

proptest! {
    #[test]
    fn no_text_breaks_out(message in ".{0,400}", name in ".{0,60}") {
        let now = Instant::now();
        let mut digest = Digest::new(INTERVAL);
        digest.add(&Notice { subject: Subject::Source(name), ..notice("x", &message) }, now);
        let text = digest.take(&agent(), now + WINDOW).unwrap();
        prop_assert_eq!(text.lines().count(), 2);
        prop_assert!(!text.contains(['<', '>']));
        let broken_up = "@\u{200b}";
        prop_assert_eq!(text.matches('@').count(), text.matches(broken_up).count());
        prop_assert_eq!(text.matches('`').count() % 2, 0);
        prop_assert!(text.chars().count() < 1000);
        let sent: Value = serde_json::from_str(&body(&text)).unwrap();
        prop_assert_eq!(sent["text"].as_str(), Some(text.as_str()));
    }

    /// However it goes on: nobody hears of a subject more often than once in the interval.
    #[test]
    fn nobody_is_flooded(steps in proptest::collection::vec((0u8..4, 0u64..40), 1..300)) {
        let mut now = Instant::now();
        let mut digest = Digest::new(INTERVAL);
        let mut last: HashMap<String, Instant> = HashMap::new();
        for (app, seconds) in steps {
            now += Duration::from_secs(seconds);
            let app = format!("app-{app}");
            digest.add(&notice(&app, "exit status 1"), now);
            if let Some(text) = digest.take(&agent(), now) {
                for app in (0..4).map(|number| format!("app-{number}")).filter(|app| text.contains(app.as_str())) {
                    if let Some(before) = last.insert(app, now) {
                        prop_assert!(now - before >= INTERVAL);
                    }
                }
            }
        }
    }
}
