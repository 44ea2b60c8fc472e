//! Reading `compose ps --format json`.

use std::collections::BTreeMap;

use serde_json::Value;

/// One container of a project, as `compose ps` shows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `created`, `running`, `restarting`, `exited`, …
    pub(crate) state: String,
    /// `starting`, `healthy`, `unhealthy`; empty without a health check.
    pub(crate) health: String,
    pub(crate) exit_code: i64,
    /// `127.0.0.1:8000->8000/tcp`, one per published port.
    pub(crate) ports: Vec<String>,
}

/// Returns the containers by service name, from one JSON object a line.
pub(crate) fn by_service(json: &str) -> BTreeMap<String, Container> {
    json.lines().filter(|line| !line.is_empty()).map(|line| parse(line, &json_of(line))).collect()
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}`"))
}

fn parse(line: &str, value: &Value) -> (String, Container) {
    let text = |key: &str| match &value[key] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => panic!("{key} is {other} in `{line}`"),
    };
    let ports = value["Publishers"].as_array().into_iter().flatten();
    let container = Container {
        id: text("ID"),
        name: text("Name"),
        state: text("State"),
        health: text("Health"),
        exit_code: value["ExitCode"].as_i64().unwrap_or_default(),
        ports: ports.map(port).collect(),
    };
    (text("Service"), container)
}

fn port(publisher: &Value) -> String {
    let text = |key: &str| publisher[key].as_str().unwrap_or_default().to_owned();
    let (host, target) = (&publisher["PublishedPort"], &publisher["TargetPort"]);
    format!("{}:{host}->{target}/{}", text("URL"), text("Protocol"))
}
