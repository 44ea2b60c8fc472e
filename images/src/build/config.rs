//! An image's configuration while it is built: Docker's words, and whatever else the base has.
//!
//! Runs in the shell command's process; pure.

use serde_json::{Map, Value, json};

use super::instruction::{Command, Healthcheck};
use crate::platform::Platform;

/// Where programs are looked for in an image that says nothing: the value that Docker gives.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The shell of a command line, unless SHELL says otherwise.
const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// What an image says about itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) platform: Platform,
    /// `config` of the document.
    fields: Map<String, Value>,
    pub(crate) author: Option<String>,
    /// One entry for each instruction, the base's first.
    pub(crate) history: Vec<Value>,
    /// CMD was among this stage's instructions, so that a later ENTRYPOINT leaves it.
    has_command: bool,
}

impl Config {
    /// The configuration of nothing: `FROM scratch`.
    pub(crate) fn scratch(platform: Platform) -> Config {
        let fields = Map::from_iter([("Env".to_owned(), json!([DEFAULT_PATH])), ("WorkingDir".to_owned(), json!("/"))]);
        Config { platform, fields, author: None, history: Vec::new(), has_command: false }
    }

    /// Starts from the document of a base image.
    pub(crate) fn of(document: &Value, platform: Platform) -> Config {
        let fields = document["config"].as_object().cloned().unwrap_or_default();
        let history = document["history"].as_array().cloned().unwrap_or_default();
        let author = document["author"].as_str().map(str::to_owned);
        let mut config = Config { platform, fields, author, history, has_command: false };
        if config.variable("PATH").is_none() {
            let mut env = config.texts("Env");
            env.push(DEFAULT_PATH.to_owned());
            config.set("Env", json!(env));
        }
        config
    }

    /// Starts a stage on this one's result.
    pub(crate) fn inherited(&self) -> Config {
        Config { has_command: false, ..self.clone() }
    }

    /// Takes the instructions that the base has for whoever builds on it.
    pub(crate) fn take_triggers(&mut self) -> Vec<String> {
        let triggers = self.texts("OnBuild");
        self.fields.remove("OnBuild");
        triggers
    }

    pub(crate) fn environment(&self) -> Vec<String> {
        self.texts("Env")
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let pairs = self.environment();
        let value = pairs.iter().filter_map(|pair| pair.split_once('=')).find(|(own, _)| *own == name);
        value.map(|(_, value)| value.to_owned())
    }

    pub(crate) fn working_dir(&self) -> String {
        self.text("WorkingDir").filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned())
    }

    pub(crate) fn user(&self) -> String {
        self.text("User").unwrap_or_default()
    }

    /// Returns the program and arguments that a command means.
    pub(crate) fn argv(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(line) => {
                let mut words = self.texts("Shell");
                if words.is_empty() {
                    words = DEFAULT_SHELL.map(str::to_owned).to_vec();
                }
                words.push(line.clone());
                words
            }
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.fields.get(name)?.as_str().map(str::to_owned)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let list = self.fields.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    /// Adds to one of the maps, `Labels`, `Volumes` or `ExposedPorts`.
    pub(crate) fn put(&mut self, map: &str, name: &str, value: Value) {
        let map = self.fields.entry(map.to_owned()).or_insert_with(|| json!({}));
        if !map.is_object() {
            *map = json!({});
        }
        map[name] = value;
    }

    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        let mut env = self.environment();
        let pair = format!("{name}={value}");
        match env.iter().position(|old| old.split('=').next() == Some(name)) {
            Some(position) => env[position] = pair,
            None => env.push(pair),
        }
        self.set("Env", json!(env));
    }

    pub(crate) fn add_trigger(&mut self, text: &str) {
        let mut triggers = self.texts("OnBuild");
        triggers.push(text.to_owned());
        self.set("OnBuild", json!(triggers));
    }

    pub(crate) fn set_command(&mut self, command: &Command) {
        self.has_command = true;
        self.set("Cmd", json!(self.argv(command)));
    }

    pub(crate) fn set_entrypoint(&mut self, command: &Command) {
        let argv = self.argv(command);
        self.set("Entrypoint", if argv.is_empty() { Value::Null } else { json!(argv) });
        if !self.has_command {
            self.fields.remove("Cmd");
        }
    }

    pub(crate) fn set_healthcheck(&mut self, check: &Healthcheck) {
        let value = match check {
            Healthcheck::None => json!({"Test": ["NONE"]}),
            Healthcheck::Command { command, interval, timeout, start_period, start_interval, retries } => {
                let test = match command {
                    Command::Exec(words) => [vec!["CMD".to_owned()], words.clone()].concat(),
                    Command::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
                };
                let mut value = json!({"Test": test});
                let times = [
                    ("Interval", interval),
                    ("Timeout", timeout),
                    ("StartPeriod", start_period),
                    ("StartInterval", start_interval),
                ];
                for (name, time) in times {
                    if let Some(time) = time {
                        value[name] = json!(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
                    }
                }
                if let Some(retries) = retries {
                    value["Retries"] = json!(retries);
                }
                value
            }
        };
        self.set("Healthcheck", value);
    }

    /// Notes an instruction that has been carried out.
    pub(crate) fn record(&mut self, created: &str, created_by: &str, makes_layer: bool) {
        let mut entry = json!({"created": created, "created_by": created_by, "comment": "lighter"});
        if !makes_layer {
            entry["empty_layer"] = json!(true);
        }
        self.history.push(entry);
    }

    /// Returns the document of an image with these layers.
    pub(crate) fn document(&self, diff_ids: &[String], created: &str) -> Value {
        let mut document = json!({
            "created": created,
            "architecture": self.platform.architecture,
            "os": self.platform.os,
            "config": self.fields,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": self.history,
        });
        for (name, value) in [("variant", &self.platform.variant), ("author", &self.author)] {
            if let Some(value) = value {
                document[name] = json!(value);
            }
        }
        document
    }

    /// Returns the fields, for what compares them.
    #[cfg(test)]
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Config {
        let document = json!({"config": {"Env": ["A=1"], "Cmd": ["old"], "OnBuild": ["RUN x"], "Labels": null}});
        Config::of(&document, Platform::host())
    }

    #[test]
    fn an_entrypoint_clears_the_bases_command_only() {
        let exec = |word: &str| Command::Exec(vec![word.to_owned()]);
        let mut config = base();
        config.set_entrypoint(&exec("e"));
        assert_eq!((config.fields().get("Cmd"), &config.fields()["Entrypoint"]), (None, &json!(["e"])));
        let mut config = base();
        config.set_command(&exec("c"));
        config.set_entrypoint(&Command::Exec(vec![]));
        assert_eq!((&config.fields()["Cmd"], &config.fields()["Entrypoint"]), (&json!(["c"]), &Value::Null));
    }

    #[test]
    fn the_base_gives_its_variables_and_its_triggers_once() {
        let mut config = base();
        assert_eq!(config.environment(), ["A=1", DEFAULT_PATH]);
        assert_eq!(config.take_triggers(), ["RUN x"]);
        assert!(config.take_triggers().is_empty());
        config.set_variable("A", "2=3");
        assert_eq!(config.variable("A").as_deref(), Some("2=3"));
        config.put("Labels", "a.b", json!("c"));
        assert_eq!(config.fields()["Labels"]["a.b"], "c");
    }

    #[test]
    fn the_shell_is_the_usual_one_until_another_is_said() {
        let mut config = base();
        assert_eq!(config.argv(&Command::Shell("x y".into())), ["/bin/sh", "-c", "x y"]);
        config.set("Shell", json!(["/bin/bash", "-ec"]));
        assert_eq!(config.argv(&Command::Shell("x".into())), ["/bin/bash", "-ec", "x"]);
    }
}
