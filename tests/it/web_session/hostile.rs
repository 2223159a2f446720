//! Those who would like to use a browser's session: other pages, other ports of the host, other hosts' names for it.

use super::browser::{Browser, code, link, refusal, told};
use crate::access::fleet::{Client, start, token};
use reqwest::{Method, RequestBuilder, header::HeaderValue};
use serde_json::json;

/// An order, as a page of this origin would make it with what it has.
fn order(browser: &Browser, with_proof: bool, headers: &[(&str, &str)]) -> RequestBuilder {
    let mut request = browser.with_cookie(Method::POST, "/v1/apps/alpha/restart").json(&json!({}));
    if with_proof {
        request = request.header("x-mcpfleet-proof", browser.proof.as_deref().unwrap());
    }
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

#[tokio::test]
async fn other_pages() {
    let agent = start().await;
    let browser = Browser::of_operator(&agent).await;
    let own = format!("http://{}", browser.host);
    let port = browser.host.rsplit(':').next().unwrap();
    let by_name = format!("http://localhost:{port}");
    for (with_proof, headers, expected) in [
        (true, &[][..], 202),
        (true, &[("origin", &*own), ("sec-fetch-site", "same-origin")], 202),
        (false, &[], 403),
        // Another port, or another name, of the same host: the browser sends the cookie, and the page has no proof. Even if it had.
        (false, &[("origin", "http://127.0.0.1:1"), ("sec-fetch-site", "same-site")], 403),
        (true, &[("origin", "http://127.0.0.1:1")], 403),
        (true, &[("origin", &*by_name)], 403),
        (true, &[("sec-fetch-site", "same-site")], 403),
        (true, &[("sec-fetch-site", "cross-site")], 403),
        (true, &[("origin", &*own), ("sec-fetch-site", "cross-site")], 403),
        (true, &[("origin", "http://evil.example")], 403),
        (true, &[("origin", "null")], 403),
        (true, &[("origin", &*own), ("origin", &*own)], 403),
        // DNS rebinding.
        (true, &[("host", "evil.example")], 403),
        (true, &[("host", "evil.example"), ("origin", "http://evil.example")], 403),
    ] {
        let (status, code) = refusal(order(&browser, with_proof, headers)).await;
        assert_eq!(status, expected, "{with_proof} {headers:?}: {code}");
    }
    // Nor may another page read, where the browser says that it is one.
    for site in ["same-site", "cross-site"] {
        for path in ["/v1/status", "/v1/me", "/v1/watch", "/v1/audit"] {
            let request = browser.with_cookie(Method::GET, path).header("sec-fetch-site", site);
            assert_eq!(refusal(request).await, (403, "wrong-origin".into()), "{site} {path}");
        }
    }
    // With the cookie alone one reads, and nothing else.
    for path in ["/v1/status", "/v1/me", "/v1/audit", "/v1/events"] {
        let answer = browser.with_cookie(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    for (method, path) in [
        (Method::POST, "/v1/reconcile"),
        (Method::POST, "/v1/suspend"),
        (Method::POST, "/v1/resume"),
        (Method::POST, "/v1/web/links"),
        (Method::PUT, "/v1/status"),
        (Method::GET, "/mcp"),
        (Method::GET, "/mcp/alpha"),
        (Method::POST, "/mcp/alpha"),
        (Method::DELETE, "/mcp/alpha"),
        (Method::POST, "/nothing"),
    ] {
        let request = browser.with_cookie(method.clone(), path).json(&json!({}));
        assert_eq!(refusal(request).await, (403, "no-proof".into()), "{method} {path}");
    }
}

#[tokio::test]
async fn cookies_and_proofs_of_all_kinds() {
    let agent = start().await;
    let (operator, ada) = (Browser::of_operator(&agent).await, Browser::of_user(&agent, "ada").await);
    let cookie = operator.cookie.clone().unwrap();
    let (name, secret) = cookie.split_once('=').unwrap();
    let own = operator.proof.clone().unwrap();
    let other = ada.proof.clone().unwrap();
    // Of another session.
    let swapped = Browser { proof: Some(other), ..operator.clone() };
    assert_eq!(swapped.restarts().await, (403, "no-proof".into()));
    for wrong in ["", "x", &own[1..], &format!("{own}x"), secret] {
        let swapped = Browser { proof: Some(wrong.to_owned()), ..operator.clone() };
        assert_eq!(swapped.restarts().await.0, 403, "{wrong}");
    }
    assert_eq!(refusal(order(&operator, true, &[("x-mcpfleet-proof", &own)])).await.0, 403, "it is there twice");
    let asked = async |values: &[&[u8]]| {
        let request = values.iter().fold(operator.bare(Method::GET, "/v1/me"), |request, value| {
            request.header("cookie", HeaderValue::from_bytes(value).unwrap())
        });
        let (status, me) = told(request.send().await.unwrap()).await;
        (status, me["principal"].as_str().or(me["error"]["code"].as_str()).unwrap_or_default().to_owned())
    };
    let fine = (200, "operator".to_owned());
    let out = (401, "unauthenticated".to_owned());
    let dead = format!("{name}={}", "A".repeat(43));
    assert_eq!(asked(&[cookie.as_bytes()]).await, fine);
    assert_eq!(asked(&[&[b"a=\xff\xfe\x80; ".as_slice(), cookie.as_bytes(), b"; =;;\xff"].concat()]).await, fine);
    assert_eq!(asked(&[b"theme=dark", cookie.as_bytes()]).await, fine);
    assert_eq!(asked(&[dead.as_bytes(), cookie.as_bytes()]).await, fine, "one that somebody else has put there");
    assert_eq!(asked(&[cookie.as_bytes(), cookie.as_bytes()]).await, fine);
    assert_eq!(asked(&[dead.as_bytes()]).await, out);
    for wrong in [
        format!("{name}=\"{secret}\"").as_bytes(),
        format!("{name}={secret}\u{0}").replace('\u{0}', "%00").as_bytes(),
        [name.as_bytes(), b"=", &secret.as_bytes()[..42], b"\xff"].concat().as_slice(),
        format!("{}={secret}", name.to_uppercase()).as_bytes(),
        format!("__Host-{name}={secret}").as_bytes(),
        format!("mcpfleet={secret}").as_bytes(),
        b"\xff\xff",
        b"",
    ] {
        assert_eq!(asked(&[wrong]).await, out, "{}", String::from_utf8_lossy(wrong));
    }
    // Somebody else's session beside the own one: nobody is taken for anybody.
    let both = [cookie.as_bytes(), b"; ", ada.cookie.as_deref().unwrap().as_bytes()].concat();
    assert_eq!(asked(&[&both]).await, (401, "several-sessions".into()));
    let page = operator.bare(Method::GET, "/").header("cookie", HeaderValue::from_bytes(&both).unwrap());
    assert!(page.send().await.unwrap().text().await.unwrap().contains("<h1>Log in</h1>"));
    // Many of them, and more than a head may have.
    let many = vec![dead.as_str(); 500].join("; ");
    assert_eq!(asked(&[many.as_bytes()]).await, out);
    let huge = operator.bare(Method::GET, "/v1/me").header("cookie", "x".repeat(100_000)).send().await.unwrap();
    assert_eq!(huge.status(), 431);
    assert_eq!(asked(&[cookie.as_bytes()]).await, fine);
}

#[tokio::test]
async fn nobody_is_signed_in_by_another_page() {
    let agent = start().await;
    let browser = Browser::new(&agent);
    let shown = json!({"token": token("ada")});
    let foreign = |headers: &[(&str, &str)], body: String| {
        let request = browser.bare(Method::POST, "/v1/web/sessions").body(body);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    const JSON: (&str, &str) = ("content-type", "application/json");
    for (headers, body, expected) in [
        // What a form can send without asking.
        (&[("content-type", "text/plain"), ("origin", "http://127.0.0.1:1")][..], shown.to_string(), 415),
        (&[("content-type", "text/plain")], shown.to_string(), 415),
        (&[("content-type", "application/x-www-form-urlencoded")], format!("token={}", token("ada")), 415),
        (&[("content-type", "multipart/form-data; boundary=x")], shown.to_string(), 415),
        (&[], shown.to_string(), 415),
        (&[JSON, ("origin", "http://evil.example")], shown.to_string(), 403),
        (&[JSON, ("origin", "null")], shown.to_string(), 403),
        (&[JSON, ("origin", "http://127.0.0.1:1")], shown.to_string(), 403),
        (&[JSON, ("sec-fetch-site", "same-site")], shown.to_string(), 403),
        (&[JSON, ("sec-fetch-site", "cross-site")], shown.to_string(), 403),
        (&[JSON, ("host", "evil.example")], shown.to_string(), 403),
        (&[JSON], "{".into(), 400),
        (&[JSON], format!("{{\"token\": \"{}\"}}", "x".repeat(100_000)), 413),
    ] {
        let response = foreign(headers, body).send().await.unwrap();
        assert!(response.headers().get("set-cookie").is_none(), "{headers:?}");
        assert_eq!(response.status(), expected, "{headers:?}");
    }
    // No page is told by the agent that it may ask.
    let preflight = browser
        .bare(Method::OPTIONS, "/v1/web/sessions")
        .header("origin", "http://127.0.0.1:1")
        .header("access-control-request-method", "POST")
        .send()
        .await
        .unwrap();
    assert!(!preflight.headers().keys().any(|name| name.as_str().starts_with("access-control")), "{preflight:?}");
    // And a link is not used up by it.
    let link = link(&agent).await;
    let shown = json!({"code": code(&link)});
    let tried = foreign(&[JSON, ("origin", "http://127.0.0.1:1")], shown.to_string()).send().await.unwrap();
    assert_eq!(tried.status(), 403);
    assert_eq!(Browser::with(&agent, shown).await.principal().await, "operator");
}

#[tokio::test]
async fn who_guesses_is_slowed_down_and_keeps_nobody_out() {
    let agent = start().await;
    let mut guesser = Browser::new(&agent);
    let mut codes = Vec::new();
    for n in 0..30 {
        let shown =
            if n % 2 == 0 { json!({"code": format!("{n:043}")}) } else { json!({"token": format!("guess-{n}")}) };
        codes.push(guesser.sign_in(&shown).await.1["error"]["code"].as_str().unwrap().to_owned());
    }
    assert!(codes[..20].iter().all(|code| code.starts_with("invalid-")), "{codes:?}");
    assert!(codes[25..].iter().all(|code| code == "too-many-failures"), "{codes:?}");
    let late = guesser.sign_in_request(&json!({"code": "y".repeat(43)})).send().await.unwrap();
    assert_eq!(late.status(), 429);
    assert!(late.headers().contains_key("retry-after"));
    // One account with those who guess tokens.
    let other = Client::with(&agent.listen, Some("guess")).get("/v1/status").send().await.unwrap();
    assert_eq!(other.status(), 429);
    // Whoever knows is let in all the same.
    assert_eq!(Browser::of_user(&agent, "ada").await.principal().await, "user/ada");
    assert_eq!(Browser::of_operator(&agent).await.principal().await, "operator");
}
