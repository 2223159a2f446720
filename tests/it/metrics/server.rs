//! A real Prometheus, and its tool.

use crate::support::{eventually, outside};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

/// `promtool`, where it is.
pub struct Promtool(PathBuf);

/// Without Prometheus a test says so and ends.
pub fn promtool(test: &str) -> Option<Promtool> {
    outside(test, "MCPFLEET_TEST_PROMETHEUS").map(|prometheus| Promtool(prometheus.with_file_name("promtool")))
}

impl Promtool {
    /// Runs it in a folder; what it says must be that all is well.
    pub async fn run(&self, folder: &Path, arguments: &[&str]) {
        let output = Command::new(&self.0).args(arguments).current_dir(folder).output().await.expect("promtool");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }

    /// What it finds in metrics.
    pub async fn check_metrics(&self, text: &str) -> String {
        let mut command = Command::new(&self.0);
        command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("promtool");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(text.as_bytes()).await.expect("somebody who reads");
        drop(stdin);
        let output = child.wait_with_output().await.expect("an end");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

/// A Prometheus that ends with the test.
pub struct Prometheus {
    _child: Child,
    url: String,
    http: reqwest::Client,
    log: PathBuf,
}

/// What a query gave: labels, and the value.
pub type Rows = Vec<(BTreeMap<String, String>, f64)>;

impl Prometheus {
    /// Starts one in a folder, with this configuration, at an address.
    pub async fn start(program: &Path, folder: &Path, config: &Value, address: &str) -> Prometheus {
        fs::create_dir_all(folder).expect("a folder");
        fs::write(folder.join("prometheus.yml"), format!("{config:#}\n")).expect("a file");
        let log = folder.join("prometheus.log");
        let child = Command::new(program)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg(format!("--web.listen-address={address}"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a file"))
            .kill_on_drop(true)
            .spawn()
            .expect("Prometheus starts");
        let http = reqwest::Client::new();
        let mut server = Prometheus { _child: child, url: format!("http://{address}"), http, log };
        eventually("a Prometheus that is ready", async || {
            if let Some(ended) = server._child.try_wait().expect("a child") {
                panic!("Prometheus has ended: {ended}\n{}", fs::read_to_string(&server.log).unwrap_or_default());
            }
            let ready = server.http.get(format!("{}/-/ready", server.url)).send().await.ok()?;
            ready.status().is_success().then_some(())
        })
        .await;
        server
    }

    /// What a query gives now.
    pub async fn query(&self, query: &str) -> Rows {
        let answer = self.get("/api/v1/query", &[("query", query)]).await;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
        if answer["data"]["resultType"] == "scalar" {
            return vec![(BTreeMap::new(), number(&answer["data"]["result"][1]))];
        }
        let rows = answer["data"]["result"].as_array().expect("rows");
        rows.iter()
            .map(|row| (serde_json::from_value(row["metric"].clone()).expect("labels"), number(&row["value"][1])))
            .collect()
    }

    /// Asks until the answer is as it should be.
    pub async fn until<T>(&self, what: &str, query: &str, mut look: impl FnMut(&Rows) -> Option<T>) -> T {
        eventually(&format!("{what}: {query}"), async || look(&self.query(query).await)).await
    }

    /// The rules that could not be evaluated, with the reason.
    pub async fn bad_rules(&self) -> Vec<String> {
        let answer = self.get("/api/v1/rules", &[]).await;
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
        rules.filter(|rule| rule["health"] == "err").map(|rule| rule.to_string()).collect()
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let mut url = format!("{}{path}", self.url);
        for (index, (key, value)) in query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(&format!("{key}={}", encoded(value)));
        }
        let response = self.http.get(url).send().await.expect("an answer");
        serde_json::from_str(&response.text().await.expect("a whole answer")).expect("JSON")
    }
}

/// As it may stand in a URL.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
