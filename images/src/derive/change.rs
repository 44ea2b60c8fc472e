//! `--change`: instructions of a Dockerfile that change an image's configuration and nothing else.
//!
//! Runs in the shell command's process; pure. Dockerfile reference; the set is that of `docker commit --change`.

use serde_json::{Map, Value, json};

use super::words;

/// Why an instruction is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It is none of those that change the configuration.
    #[error(
        "`{0}` cannot change an image: use CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR"
    )]
    Instruction(String),
    /// Its arguments are not those it takes.
    #[error("`{what}` is malformed: {why}")]
    Malformed {
        /// The instruction or a part of it.
        what: String,
        /// Why.
        why: &'static str,
    },
}

/// A configuration being changed.
#[derive(Debug)]
pub struct Changes {
    config: Map<String, Value>,
    /// CMD was among the changes, so that a later ENTRYPOINT leaves it.
    has_command: bool,
}

impl Changes {
    /// Starts from `config`, the configuration's `config` in Docker's words.
    pub fn new(config: Map<String, Value>) -> Changes {
        Changes { config, has_command: false }
    }

    /// Applies one instruction.
    ///
    /// # Errors
    /// [`ChangeError`], with the configuration as it was.
    pub fn apply(&mut self, instruction: &str) -> Result<(), ChangeError> {
        let text = instruction.trim();
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let upper = name.to_ascii_uppercase();
        let malformed = |why| ChangeError::Malformed { what: text.to_owned(), why };
        if rest.is_empty() && KNOWN.contains(&upper.as_str()) {
            return Err(malformed("it has no argument"));
        }
        match upper.as_str() {
            "CMD" => {
                self.has_command = true;
                self.set("Cmd", json!(command(rest)));
            }
            "ENTRYPOINT" => {
                if !self.has_command {
                    self.config.remove("Cmd");
                }
                self.set("Entrypoint", json!(command(rest)));
            }
            "ENV" => self.pairs(rest, |changes, name, value| changes.set_variable(name, value))?,
            "LABEL" => self.pairs(rest, |changes, name, value| changes.put("Labels", name, json!(value)))?,
            "EXPOSE" => self.expose(&self.words(rest)?)?,
            "VOLUME" => self.volumes(rest)?,
            "ONBUILD" => self.push("OnBuild", rest),
            "USER" => self.set_word("User", rest)?,
            "STOPSIGNAL" => self.set_word("StopSignal", rest)?,
            "WORKDIR" => self.work_in(rest)?,
            "HEALTHCHECK" => {
                let check = healthcheck(rest).map_err(malformed)?;
                self.set("Healthcheck", check);
            }
            _ => return Err(ChangeError::Instruction(name.to_owned())),
        }
        Ok(())
    }

    /// Returns the changed configuration.
    pub fn finish(self) -> Map<String, Value> {
        self.config
    }

    fn set(&mut self, name: &str, value: Value) {
        self.config.insert(name.to_owned(), value);
    }

    fn put(&mut self, map: &str, name: &str, value: Value) {
        let map = self.config.entry(map.to_owned()).or_insert_with(|| json!({}));
        if !map.is_object() {
            *map = json!({});
        }
        map[name] = value;
    }

    fn push(&mut self, list: &str, text: &str) {
        let list = self.config.entry(list.to_owned()).or_insert_with(|| json!([]));
        match list.as_array_mut() {
            Some(list) => list.push(json!(text)),
            None => *list = json!([text]),
        }
    }

    fn set_variable(&mut self, name: &str, value: &str) {
        let pair = format!("{name}={value}");
        let list = self.config.get_mut("Env").and_then(Value::as_array_mut);
        let same = |old: &Value| old.as_str().and_then(|old| old.split('=').next()) == Some(name);
        match list.and_then(|list| list.iter_mut().find(|old| same(old))) {
            Some(old) => *old = json!(pair),
            None => self.push("Env", &pair),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        let pairs = self.config.get("Env")?.as_array()?.iter().filter_map(Value::as_str);
        let mut values = pairs.filter_map(|pair| pair.split_once('=')).filter(|(other, _)| *other == name);
        values.next().map(|(_, value)| value.to_owned())
    }

    fn words(&self, text: &str) -> Result<Vec<String>, ChangeError> {
        words::split(text, &|name| self.variable(name))
    }

    /// `NAME=VALUE …`, or the older `NAME VALUE`, where everything after the name is the value.
    fn pairs(&mut self, text: &str, set: impl Fn(&mut Changes, &str, &str)) -> Result<(), ChangeError> {
        let words = self.words(text)?;
        let malformed = || ChangeError::Malformed { what: text.to_owned(), why: "use NAME=VALUE" };
        let first = words.first().ok_or_else(malformed)?;
        if !first.contains('=') {
            let value = words[1..].join(" ");
            if value.is_empty() {
                return Err(malformed());
            }
            set(self, first, &value);
            return Ok(());
        }
        let pairs = words.iter().map(|word| word.split_once('=').filter(|(name, _)| !name.is_empty()));
        let pairs = pairs.collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
        pairs.into_iter().for_each(|(name, value)| set(self, name, value));
        Ok(())
    }

    fn expose(&mut self, ports: &[String]) -> Result<(), ChangeError> {
        let mut all = Vec::new();
        for port in ports {
            let malformed =
                || ChangeError::Malformed { what: port.clone(), why: "use PORT, PORT-PORT or PORT/PROTOCOL" };
            let (range, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(malformed);
            if !["tcp", "udp", "sctp"].contains(&protocol) || number(first)? > number(last)? {
                return Err(malformed());
            }
            all.extend((number(first)?..=number(last)?).map(|port| format!("{port}/{protocol}")));
        }
        all.iter().for_each(|port| self.put("ExposedPorts", port, json!({})));
        Ok(())
    }

    fn volumes(&mut self, text: &str) -> Result<(), ChangeError> {
        let volumes = match list(text) {
            Some(volumes) => volumes,
            None => self.words(text)?,
        };
        volumes.iter().for_each(|volume| self.put("Volumes", volume, json!({})));
        Ok(())
    }

    fn set_word(&mut self, name: &str, text: &str) -> Result<(), ChangeError> {
        let words = self.words(text)?;
        let [word] = &words[..] else {
            return Err(ChangeError::Malformed { what: text.to_owned(), why: "it is not one word" });
        };
        self.set(name, json!(word));
        Ok(())
    }

    /// A relative folder is below the one so far.
    fn work_in(&mut self, text: &str) -> Result<(), ChangeError> {
        let before = self.config.get("WorkingDir").and_then(Value::as_str).unwrap_or("/").to_owned();
        let folder = self.words(text)?.join(" ");
        self.set("WorkingDir", json!(std::path::Path::new("/").join(before).join(folder)));
        Ok(())
    }
}

/// The instructions that are understood.
const KNOWN: [&str; 11] = [
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Reads the exec form, a JSON list of texts.
fn list(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// Reads a command: the exec form as it is, the rest through a shell.
fn command(text: &str) -> Vec<String> {
    list(text).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

fn healthcheck(text: &str) -> Result<Value, &'static str> {
    let mut check = json!({});
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).ok_or("it has no command")?;
        let (name, value) = option.split_once('=').ok_or("options are --NAME=VALUE")?;
        let duration = || duration(value).ok_or("a time is written 30s or 1m30s");
        match name {
            "interval" => check["Interval"] = json!(duration()?),
            "timeout" => check["Timeout"] = json!(duration()?),
            "start-period" => check["StartPeriod"] = json!(duration()?),
            "start-interval" => check["StartInterval"] = json!(duration()?),
            "retries" => check["Retries"] = json!(value.parse::<u32>().map_err(|_| "retries is a number")?),
            _ => return Err("it has an option that does not exist"),
        }
        rest = after.trim_start();
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    check["Test"] = match (kind.to_ascii_uppercase().as_str(), command.trim()) {
        ("NONE", "") => json!(["NONE"]),
        ("CMD", command) if !command.is_empty() => match list(command) {
            Some(words) => json!([vec!["CMD".to_owned()], words].concat()),
            None => json!(["CMD-SHELL", command]),
        },
        _ => return Err("use NONE or CMD"),
    };
    Ok(check)
}

/// Reads a time as Go writes it, in nanoseconds.
fn duration(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|char: char| char.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let nanoseconds = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(nanoseconds)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changed(instructions: &[&str]) -> Value {
        let config = json!({"Env": ["PATH=/bin", "A=1"], "Cmd": ["old"], "WorkingDir": "/srv"});
        let mut changes = Changes::new(config.as_object().unwrap().clone());
        instructions.iter().for_each(|instruction| changes.apply(instruction).unwrap());
        Value::Object(changes.finish())
    }

    #[test]
    fn instructions_change_what_a_dockerfile_would() {
        let config = changed(&[
            "ENV A=2 B=\"x y\"",
            "env C $A-d",
            "LABEL a.b=c",
            "EXPOSE 80 53/udp 8000-8001",
            "VOLUME [\"/a b\"]",
            "VOLUME /c /d",
            "WORKDIR app",
            "USER 1000:1000",
            "STOPSIGNAL SIGINT",
            "ONBUILD RUN x",
            "HEALTHCHECK --interval=1m30s --retries=2 CMD [\"true\"]",
            "CMD echo $HOME",
            "ENTRYPOINT [\"/e\", \"x\"]",
        ]);
        let expected = json!({
            "Env": ["PATH=/bin", "A=2", "B=x y", "C=2-d"],
            "Labels": {"a.b": "c"},
            "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}},
            "Volumes": {"/a b": {}, "/c": {}, "/d": {}},
            "WorkingDir": "/srv/app",
            "User": "1000:1000",
            "StopSignal": "SIGINT",
            "OnBuild": ["RUN x"],
            "Healthcheck": {"Interval": 90_000_000_000u64, "Retries": 2, "Test": ["CMD", "true"]},
            "Cmd": ["/bin/sh", "-c", "echo $HOME"],
            "Entrypoint": ["/e", "x"],
        });
        assert_eq!(config, expected);
    }

    #[test]
    fn a_new_entrypoint_takes_the_old_command_away() {
        assert_eq!(changed(&["ENTRYPOINT [\"/e\"]"])["Cmd"], Value::Null);
    }

    #[test]
    fn what_is_no_change_is_refused_by_name() {
        let mut changes = Changes::new(Map::new());
        let table = [
            ("RUN x", "`RUN` cannot change an image"),
            ("CMD", "no argument"),
            ("EXPOSE x", "`x` is malformed"),
            ("EXPOSE 9-8", "`9-8` is malformed"),
            ("ENV A", "NAME=VALUE"),
            ("USER a b", "one word"),
            ("HEALTHCHECK --x=1 CMD y", "does not exist"),
            ("HEALTHCHECK RUN y", "NONE or CMD"),
        ];
        for (instruction, why) in table {
            let error = changes.apply(instruction).unwrap_err().to_string();
            assert!(error.contains(why), "{instruction}: {error}");
        }
        assert!(changes.finish().is_empty());
    }

    proptest! {
        #[test]
        fn any_instruction_is_refused_or_applied(text in "(CMD|ENV|LABEL|EXPOSE|VOLUME|HEALTHCHECK|WORKDIR|USER) \\PC{0,40}") {
            let _ = Changes::new(Map::new()).apply(&text);
        }
    }
}
