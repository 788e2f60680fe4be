//! Runs to an MLflow server over its REST interface (2.0): parameters, metrics, tags, artifacts.

use crate::exit::{Exit, USAGE};
use crate::store::Entry;
use serde_json::{Value, json};
use std::path::Path;

/// Exit code of a connection that fails.
const CONNECTION: u8 = 5;
/// Items of one `log-batch` request: the server takes 1,000 in all, 100 of them parameters or
/// tags.
const METRICS_MAX: usize = 800;
const TEXTS_MAX: usize = 100;
/// Longest value of a parameter the server takes.
const PARAM_BYTES_MAX: usize = 6_000;

/// A server and the experiment runs go to.
#[derive(Debug)]
pub struct Server {
    url: String,
    experiment: String,
    agent: ureq::Agent,
}

/// A run that the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId {
    /// Its number there.
    pub id: String,
    /// Where its files lie.
    artifact_uri: String,
}

impl Server {
    /// Connects to `url` and finds or makes the experiment.
    ///
    /// # Errors
    /// Exit code 5 with what the server or the network says.
    pub fn new(url: &str, experiment: &str) -> Result<Server, Exit> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(std::time::Duration::from_secs(30)));
        let mut server = Server {
            url: url.trim_end_matches('/').to_owned(),
            experiment: String::new(),
            agent: config.build().into(),
        };
        let found = server.get("experiments/get-by-name", &[("experiment_name", experiment)]);
        server.experiment = match found {
            Ok(found) => text(&found["experiment"]["experiment_id"])?,
            Err(_) => {
                let made = server.post("experiments/create", &json!({"name": experiment}))?;
                text(&made["experiment_id"])?
            }
        };
        Ok(server)
    }

    /// Writes a whole entry as one run. An entry that is there already, told by its hash, is not
    /// written again: an export can be repeated.
    ///
    /// # Errors
    /// Exit code 5.
    pub fn export(&self, entry: &Entry, hash: &str) -> Result<RunId, Exit> {
        let filter = format!("tags.`ijk.entry_sha256` = '{hash}'");
        let search = json!({"experiment_ids": [self.experiment], "filter": filter});
        let found = self.post("runs/search", &search)?;
        if let Some(run) = found["runs"].as_array().and_then(|runs| runs.first())
            && run["info"]["status"] == "FINISHED"
        {
            return run_id(run);
        }
        let run = self.begin(&entry.name, &entry.created)?;
        let mut tags: Vec<(String, String)> =
            entry.tags.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        tags.push(("ijk.entry".into(), entry.id.to_string()));
        tags.push(("ijk.kind".into(), entry.kind.clone()));
        tags.push(("ijk.entry_sha256".into(), hash.to_owned()));
        let params: Vec<(String, String)> =
            entry.params.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        self.texts(&run, &params, &tags)?;
        let single = entry.metrics.iter().map(|(k, v)| (k.clone(), *v, 0));
        let series = entry
            .series
            .iter()
            .flat_map(|(k, points)| points.iter().map(move |(step, v)| (k.clone(), *v, *step)));
        let returns =
            entry.returns.iter().enumerate().map(|(i, v)| ("returns".to_owned(), *v, i as u64));
        let all: Vec<_> = single.chain(series).chain(returns).collect();
        self.metrics(&run, &all)?;
        for path in entry.artifacts.keys() {
            self.artifact(&run, Path::new(path))?;
        }
        self.end(&run)?;
        Ok(run)
    }

    /// Starts a run.
    ///
    /// # Errors
    /// Exit code 5.
    pub fn begin(&self, name: &str, created: &str) -> Result<RunId, Exit> {
        let at = created.parse::<jiff::Timestamp>().map_or(0, |t| t.as_millisecond());
        let body = json!({
            "experiment_id": self.experiment, "run_name": name, "start_time": at.max(0),
        });
        run_id(&self.post("runs/create", &body)?["run"])
    }

    /// Writes parameters and tags.
    ///
    /// # Errors
    /// Exit code 5.
    pub fn texts(
        &self,
        run: &RunId,
        params: &[(String, String)],
        tags: &[(String, String)],
    ) -> Result<(), Exit> {
        let items = |all: &[(String, String)]| -> Vec<Value> {
            let short = |v: &str| -> String {
                let mut end = v.len().min(PARAM_BYTES_MAX);
                while !v.is_char_boundary(end) {
                    end -= 1;
                }
                v[..end].to_owned()
            };
            all.iter().map(|(k, v)| json!({"key": k, "value": short(v)})).collect()
        };
        for part in params.chunks(TEXTS_MAX) {
            self.post("runs/log-batch", &json!({"run_id": run.id, "params": items(part)}))?;
        }
        for part in tags.chunks(TEXTS_MAX) {
            self.post("runs/log-batch", &json!({"run_id": run.id, "tags": items(part)}))?;
        }
        Ok(())
    }

    /// Writes metrics: key, value, step. Values that are no numbers are left out: JSON has none.
    ///
    /// # Errors
    /// Exit code 5.
    pub fn metrics(&self, run: &RunId, all: &[(String, f64, u64)]) -> Result<(), Exit> {
        let now = jiff::Timestamp::now().as_millisecond();
        let finite: Vec<_> = all.iter().filter(|(_, v, _)| v.is_finite()).collect();
        for part in finite.chunks(METRICS_MAX) {
            let metrics: Vec<Value> = part.iter().map(|m| point(m, now)).collect();
            self.post("runs/log-batch", &json!({"run_id": run.id, "metrics": metrics}))?;
        }
        Ok(())
    }

    /// Uploads a file through the server's artifact proxy.
    ///
    /// # Errors
    /// Exit code 2 where the file cannot be read, 5 for the rest. A server that keeps artifacts
    /// elsewhere (no `mlflow-artifacts:` address) takes none this way, and says so.
    pub fn artifact(&self, run: &RunId, path: &Path) -> Result<(), Exit> {
        let bytes = std::fs::read(path).map_err(|e| Exit::file(USAGE, path, e))?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(place) = run.artifact_uri.strip_prefix("mlflow-artifacts:") else {
            let uri = &run.artifact_uri;
            let said = format!("the server keeps artifacts at {uri}, not behind its own proxy");
            return Err(Exit::new(CONNECTION, said));
        };
        let place = place.trim_start_matches('/');
        let url = format!("{}/api/2.0/mlflow-artifacts/artifacts/{place}/{name}", self.url);
        let sent = self.agent.put(&url).send(&bytes[..]);
        self.answer(&url, sent).map(|_| ())
    }

    /// Ends a run well.
    ///
    /// # Errors
    /// Exit code 5.
    pub fn end(&self, run: &RunId) -> Result<(), Exit> {
        let at = jiff::Timestamp::now().as_millisecond();
        let body = json!({"run_id": run.id, "status": "FINISHED", "end_time": at});
        self.post("runs/update", &body).map(|_| ())
    }

    fn get(&self, method: &str, query: &[(&str, &str)]) -> Result<Value, Exit> {
        let url = format!("{}/api/2.0/mlflow/{method}", self.url);
        let request = query.iter().fold(self.agent.get(&url), |r, (k, v)| r.query(*k, *v));
        self.answer(&url, request.call())
    }

    fn post(&self, method: &str, body: &Value) -> Result<Value, Exit> {
        let url = format!("{}/api/2.0/mlflow/{method}", self.url);
        self.answer(&url, self.agent.post(&url).send_json(body))
    }

    fn answer(
        &self,
        url: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, Exit> {
        let fail = |what: String| Exit::new(CONNECTION, format!("MLflow at {url}: {what}"));
        let mut answer = answer.map_err(|e| fail(e.to_string()))?;
        let status = answer.status();
        let body = answer.body_mut().read_to_string().map_err(|e| fail(e.to_string()))?;
        if !status.is_success() {
            let short: String = body.chars().take(300).collect();
            return Err(fail(format!("{status}: {short}")));
        }
        if body.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&body).map_err(|e| fail(format!("no JSON: {e}")))
    }
}

/// One value of a metric as the server takes it.
fn point((key, value, step): &(String, f64, u64), now: i64) -> Value {
    json!({"key": key, "value": value, "step": step, "timestamp": now})
}

fn text(value: &Value) -> Result<String, Exit> {
    let said = || Exit::new(CONNECTION, format!("MLflow: expected a text, found {value}"));
    value.as_str().map(str::to_owned).ok_or_else(said)
}

fn run_id(run: &Value) -> Result<RunId, Exit> {
    let info = &run["info"];
    Ok(RunId { id: text(&info["run_id"])?, artifact_uri: text(&info["artifact_uri"])? })
}
