//! What a browser does with a page of the agent, as far as the agent can see it.

use crate::support::Agent;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// A browser, with the cookie and the proof that it got when it signed in.
#[derive(Clone)]
pub struct Browser {
    pub http: reqwest::Client,
    /// `127.0.0.1:PORT`.
    pub host: String,
    /// `NAME=VALUE`.
    pub cookie: Option<String>,
    pub proof: Option<String>,
}

impl Browser {
    pub fn new(agent: &Agent) -> Browser {
        Browser::at(&agent.listen)
    }

    /// One that goes to this host and port.
    pub fn at(listen: &str) -> Browser {
        Browser { http: reqwest::Client::new(), host: listen.to_owned(), cookie: None, proof: None }
    }

    /// One that has been given a link of the operator's.
    pub async fn of_operator(agent: &Agent) -> Browser {
        Browser::with(agent, json!({"code": code(&link(agent).await)})).await
    }

    /// One of a user who has typed a token.
    pub async fn of_user(agent: &Agent, name: &str) -> Browser {
        Browser::with(agent, json!({"token": crate::access::fleet::token(name)})).await
    }

    /// Who somebody is by the token of that user.
    pub async fn of_user_or_nobody(agent: &Agent, name: &str) -> String {
        let mut browser = Browser::new(agent);
        browser.sign_in(&json!({"token": crate::access::fleet::token(name)})).await;
        browser.principal().await
    }

    pub async fn with(agent: &Agent, shown: Value) -> Browser {
        let mut browser = Browser::new(agent);
        let (status, said) = browser.sign_in(&shown).await;
        assert_eq!(status, 200, "{said}");
        browser
    }

    /// Signs in, and keeps what comes of it.
    pub async fn sign_in(&mut self, shown: &Value) -> (u16, Value) {
        let response = self.sign_in_request(shown).send().await.unwrap();
        if let Some(set) = response.headers().get("set-cookie") {
            let set = set.to_str().unwrap();
            self.cookie = Some(set.split(';').next().unwrap().to_owned());
        }
        let (status, said) = told(response).await;
        if let Some(proof) = said["proof"].as_str() {
            self.proof = Some(proof.to_owned());
        }
        (status, said)
    }

    pub fn sign_in_request(&self, shown: &Value) -> RequestBuilder {
        let request = self.bare(Method::POST, "/v1/web/sessions").header("content-type", "application/json");
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        request.header("origin", format!("http://{}", self.host)).body(shown.to_string())
    }

    /// Without cookie and proof.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.host))
    }

    /// With the cookie alone, as from any page of this host.
    pub fn with_cookie(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.bare(method, path);
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// As the page of the agent itself asks.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.with_cookie(method, path).header("sec-fetch-site", "same-origin");
        match &self.proof {
            Some(proof) => request.header("x-mcpfleet-proof", proof),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        told(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        let request = request.header("origin", format!("http://{}", self.host));
        told(request.body(body.to_string()).send().await.unwrap()).await
    }

    /// Status and code of the error of an order to restart `alpha`.
    pub async fn restarts(&self) -> (u16, String) {
        let (status, said) = self.post("/v1/apps/alpha/restart", json!({})).await;
        (status, said["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Who the agent takes it for; empty: nobody.
    pub async fn principal(&self) -> String {
        let (_, me) = self.get("/v1/me").await;
        me["principal"].as_str().unwrap_or_default().to_owned()
    }
}

/// Status and body of an answer.
pub async fn told(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Status and code of the error of an answer.
pub async fn refusal(request: RequestBuilder) -> (u16, String) {
    let (status, said) = told(request.send().await.unwrap()).await;
    (status, said["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// A link that the operator has asked for.
pub async fn link(agent: &Agent) -> String {
    let said = agent.says(&["web", "--no-browser", "-o", "json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["opened"], false);
    assert!(said["expires"].is_string(), "{said}");
    said["url"].as_str().unwrap().to_owned()
}

pub fn code(link: &str) -> &str {
    link.split_once("/web/open#").expect("a link").1
}
