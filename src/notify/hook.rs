//! What a webhook of one's own is sent: JSON, signed as the Standard Webhooks have it. Pure.

use super::{forge::Agent, notice::Notice, request::Request};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::json;
use sha2::Sha256;

/// How a secret begins that is written in base64.
const ENCODED: &str = "whsec_";

/// The body of a message.
pub fn body(notice: &Notice, agent: &Agent) -> String {
    let agent = match &agent.public_url {
        Some(url) => json!({"name": agent.name, "url": url}),
        None => json!({"name": agent.name}),
    };
    json!({"version": 1, "type": notice.kind, "timestamp": notice.time, "agent": agent, "data": notice.data})
        .to_string()
}

/// The request. `id` is the same at each attempt.
///
/// # Errors
/// Why the secret cannot sign, for people.
pub fn request(url: &str, id: &str, body: &str, secret: &str, now: Timestamp) -> Result<Request, String> {
    let key = match secret.strip_prefix(ENCODED) {
        Some(encoded) => BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| format!("what follows `{ENCODED}` in the secret is not base64"))?,
        None => secret.as_bytes().to_vec(),
    };
    let timestamp = now.as_second();
    // Any length is fine for a key.
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "the secret is no key".to_owned())?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let headers = vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ];
    Ok(Request { url: url.to_owned(), headers, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn as_the_standard_has_it() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let request = request("https://x/y", "msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#, secret, now);
        let headers = request.map(|request| request.headers).unwrap_or_default();
        assert_eq!(headers[1], ("webhook-timestamp", "1614265330".to_owned()));
        assert_eq!(headers[2], ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()));
    }

    #[test]
    fn any_secret_will_do_but_one_that_is_not_what_it_says() {
        let now = Timestamp::UNIX_EPOCH;
        let signature = |secret: &str, id: &str, body: &str| {
            request("https://x/y", id, body, secret, now).map(|request| request.headers[2].1.clone())
        };
        let signed = signature("plain words", "a", "{}").unwrap();
        assert_ne!(signature("plain words", "b", "{}").unwrap(), signed);
        assert_ne!(signature("plain words", "a", "[]").unwrap(), signed);
        assert_ne!(signature("other words", "a", "{}").unwrap(), signed);
        let error = signature("whsec_???", "a", "{}").unwrap_err();
        assert!(error.contains("base64") && !error.contains("???"), "{error}");
    }
}
