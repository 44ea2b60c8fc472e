//! One stage: its base, then its instructions, one after the other.
//!
//! Runs in the shell command's process, in a thread of the stage's own.

use serde_json::json;

use super::config::Config;
use super::error::{BuildError, StepError};
use super::expand::{Expander, Quotes};
use super::fault::Problem;
use super::graph::{Names, Origin};
use super::instruction::{Instruction, Step};
use super::layer::{Change, Outcome, tidy};
use super::parse::parse_trigger;
use super::path;
use super::place::Target;
use super::session::{Build, Report};
use super::state::State;
use crate::digest::Digest;

/// A stage being built.
pub(crate) struct Stage<'a, 'b> {
    pub(crate) build: &'b Build<'a>,
    pub(crate) at: usize,
    pub(crate) state: State,
    /// Whether the cache may answer.
    pub(crate) may_be_cached: bool,
    /// Instructions shown so far, the FROM included.
    shown: usize,
    /// Instructions to show.
    total: usize,
}

/// Builds a stage.
pub(crate) fn run(build: &Build<'_>, at: usize) -> Result<State, BuildError> {
    let stage = &build.file.stages[at];
    let place = |source| failure(build, stage.line, &stage.text, source);
    let Some(mut state) = base(build, at).map_err(place)? else { return Err(BuildError::Cancelled) };
    let triggers = state.config.take_triggers();
    let triggers = triggers.iter().map(|text| parse_trigger(text)).collect::<Result<Vec<_>, _>>();
    let triggers = triggers.map_err(|fault| place(fault.problem.into()))?;
    let names = |filter: &String| stage.name.as_ref() == Some(filter) || *filter == at.to_string();
    let may_be_cached = !build.request.no_cache && !build.request.no_cache_filter.iter().any(names);
    let total = 1 + triggers.iter().chain(&stage.steps).filter(|step| is_shown(step)).count();
    let mut running = Stage { build, at, state, may_be_cached, shown: 1, total };
    let name = running.title(&stage.text);
    build.report(&name).done(true);
    for step in triggers.iter().chain(&stage.steps) {
        if build.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        running.step(step)?;
    }
    Ok(running.state)
}

/// Returns the state a stage starts from; `None` if the stage it stands on has failed.
fn base(build: &Build<'_>, at: usize) -> Result<Option<State>, StepError> {
    let parse = |text: &String| {
        text.parse().map_err(|error: crate::platform::PlatformError| StepError::Refused(error.to_string()))
    };
    let platform = build.graph.platforms[at].as_ref().map(parse).transpose()?;
    Ok(Some(match &build.graph.bases[at] {
        Origin::Scratch => State::new(Config::scratch(platform.unwrap_or_else(|| build.platform())), Vec::new()),
        Origin::Image(reference) => build.image_state(reference, platform.as_ref())?,
        Origin::Named(name) => {
            let is_folder = || StepError::Refused(format!("context `{name}` is a folder, not an image to build on"));
            build.named_state(name, platform.as_ref())?.ok_or_else(is_folder)?
        }
        Origin::Stage(other) => match build.result(*other) {
            Some(state) => State { config: state.config.inherited(), ..State::clone(&state) },
            None => return Ok(None),
        },
    }))
}

/// Says where in the file a step has failed.
pub(crate) fn failure(build: &Build<'_>, line: usize, step: &str, source: StepError) -> BuildError {
    let place = match line {
        0 => "ONBUILD of the base image".to_owned(),
        _ => format!("{}:{line}", build.request.file_name),
    };
    BuildError::Step { place, step: step.to_owned(), source: Box::new(source) }
}

/// Tells whether an instruction changes files, so that it takes time.
fn is_shown(step: &Step) -> bool {
    matches!(step.instruction, Instruction::Copy(_) | Instruction::Run(_) | Instruction::Workdir(_))
}

impl Stage<'_, '_> {
    fn title(&self, text: &str) -> String {
        let stage = &self.build.file.stages[self.at];
        let is_only = self.build.file.stages.len() == 1;
        let name =
            stage.name.clone().unwrap_or_else(|| if is_only { String::new() } else { format!("stage-{}", self.at) });
        let space = if name.is_empty() { "" } else { " " };
        let first_line = text.lines().next().unwrap_or_default();
        format!("[{name}{space}{}/{}] {first_line}", self.shown, self.total)
    }

    fn step(&mut self, step: &Step) -> Result<(), BuildError> {
        if !is_shown(step) {
            return self
                .metadata(&step.instruction)
                .map_err(|source| failure(self.build, step.line, &step.text, source));
        }
        self.shown += 1;
        let report = self.build.report(&self.title(&step.text));
        let result = match &step.instruction {
            Instruction::Run(run) => self.run_command(step, run, &report),
            Instruction::Copy(copy) => {
                self.copy_files(copy, &report).map_err(|source| failure(self.build, step.line, &step.text, source))
            }
            Instruction::Workdir(path) => {
                self.work_in(path).map_err(|source| failure(self.build, step.line, &step.text, source))
            }
            _ => Ok(true),
        };
        match &result {
            Ok(is_cached) => report.done(*is_cached),
            Err(_) => report.failed(),
        }
        result.map(drop)
    }

    /// Expands the variables of a text.
    pub(crate) fn expand(&self, text: &str) -> Result<String, StepError> {
        Ok(self.expander(&|name| self.state.variable(name)).text(text)?)
    }

    fn expander<'c>(&self, variable: &'c dyn Fn(&str) -> Option<String>) -> Expander<'c> {
        Expander { escape: self.build.file.escape, quotes: Quotes::Removed, keeps_unset: false, variable }
    }

    fn expand_all(&self, texts: &[String]) -> Result<Vec<String>, StepError> {
        texts.iter().map(|text| self.expand(text)).collect()
    }

    fn expand_pairs(&self, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, StepError> {
        pairs.iter().map(|(name, value)| Ok((self.expand(name)?, self.expand(value)?))).collect()
    }

    /// Finds what a name means in this stage.
    pub(crate) fn origin(&self, from: Option<&String>) -> Result<Origin, StepError> {
        let Some(name) = from else { return Ok(Origin::Scratch) };
        let is_context = |name: &str| self.build.request.contexts.contains_key(name);
        let names = Names { stages: &self.build.file.stages, is_context: &is_context };
        Ok(names.find(name, self.at, true)?)
    }

    /// Carries out an instruction that changes the configuration only.
    fn metadata(&mut self, instruction: &Instruction) -> Result<(), StepError> {
        let said = match instruction {
            Instruction::Env(pairs) => {
                let pairs = self.expand_pairs(pairs)?;
                pairs.iter().for_each(|(name, value)| self.state.config.set_variable(name, value));
                joined(&pairs)
            }
            Instruction::Label(pairs) => {
                let pairs = self.expand_pairs(pairs)?;
                pairs.iter().for_each(|(name, value)| self.state.config.put("Labels", name, json!(value)));
                joined(&pairs)
            }
            Instruction::Arg(declarations) => self.declare(declarations)?,
            Instruction::Expose(ports) => self.expose(ports)?,
            Instruction::Volume(paths) => {
                let paths = self.expand_all(paths)?;
                paths.iter().for_each(|path| self.state.config.put("Volumes", path, json!({})));
                json!(paths).to_string()
            }
            Instruction::User(text) => self.set_text("User", text)?,
            Instruction::StopSignal(text) => {
                let signal = self.expand(text)?;
                check_signal(&signal)?;
                self.set_text("StopSignal", text)?
            }
            Instruction::Cmd(command) => {
                self.state.config.set_command(command);
                json!(self.state.config.argv(command)).to_string()
            }
            Instruction::Entrypoint(command) => {
                self.state.config.set_entrypoint(command);
                json!(self.state.config.argv(command)).to_string()
            }
            Instruction::Shell(words) => {
                self.state.config.set("Shell", json!(words));
                json!(words).to_string()
            }
            Instruction::Healthcheck(check) => {
                self.state.config.set_healthcheck(check);
                String::new()
            }
            Instruction::OnBuild(text) => {
                self.state.config.add_trigger(text);
                text.clone()
            }
            Instruction::Maintainer(name) => {
                self.state.config.author = Some(name.clone());
                name.clone()
            }
            Instruction::Copy(_) | Instruction::Run(_) | Instruction::Workdir(_) => return Ok(()),
        };
        let created_by = format!("{} {said}", instruction.name());
        self.state.config.record("", created_by.trim_end(), false);
        Ok(())
    }

    fn set_text(&mut self, field: &str, text: &str) -> Result<String, StepError> {
        let value = self.expand(text)?;
        self.state.config.set(field, json!(value));
        Ok(value)
    }

    fn declare(&mut self, declarations: &[(String, Option<String>)]) -> Result<String, StepError> {
        let mut said = Vec::new();
        for (name, default) in declarations {
            let name = self.expand(name)?;
            let default = default.as_ref().map(|text| self.expand(text)).transpose()?;
            self.state.scope.declare(name.clone(), default, &self.build.globals);
            said.push(self.state.scope.value(&name).map_or(name.clone(), |value| format!("{name}={value}")));
        }
        Ok(said.join(" "))
    }

    fn expose(&mut self, ports: &[String]) -> Result<String, StepError> {
        let mut all = Vec::new();
        for text in ports {
            let variable = |name: &str| self.state.variable(name);
            for word in self.expander(&variable).words(text)? {
                all.extend(exposed(&word)?);
            }
        }
        all.sort();
        all.iter().for_each(|port| self.state.config.put("ExposedPorts", port, json!({})));
        Ok(all.join(" "))
    }

    /// Makes the folder, as the user's own, and lets what follows start from there.
    fn work_in(&mut self, text: &str) -> Result<bool, StepError> {
        let folder = path::resolve(&self.state.config.working_dir(), &self.expand(text)?);
        self.state.config.set("WorkingDir", json!(folder));
        let (below, user) = (path::below_root(&folder), self.state.config.user());
        let key = super::key::Key::new("workdir").text(&self.state.chain()).text(&below).text(&user).finish();
        let title = format!("WORKDIR {folder}");
        let state = self.state.clone();
        let outcome = self.change(key, &title, &mut |staging| {
            let root = self.build.writable(&state, staging)?;
            if !Target::new(root.try_clone().map_err(StepError::io("open the root"))?).is_folder(&below) {
                let owner = match user.is_empty() {
                    true => (0, 0),
                    false => super::owner::resolve_user(&user, &self.build.joined(&state)?)?,
                };
                let made = Target::new(root).ensure_folder(&below, owner);
                made.map_err(StepError::io(format!("make the folder `{folder}`")))?;
            }
            tidy(staging)
        })?;
        Ok(self.finish(outcome, &title))
    }

    /// Does a step that changes files, unless the cache has the result.
    pub(crate) fn change(
        &self,
        key: Digest,
        title: &str,
        fill: &mut dyn FnMut(&crate::store::Staging) -> Result<(), StepError>,
    ) -> Result<Outcome, StepError> {
        let is_of_result = self.build.graph.is_of_result(self.at);
        let change = Change { key, title, may_be_cached: self.may_be_cached, is_of_result };
        self.build.change(&change, &self.state, fill)
    }

    /// Takes a step's result over; returns whether it came from the cache.
    pub(crate) fn finish(&mut self, outcome: Outcome, created_by: &str) -> bool {
        self.state.config.record(&outcome.created, created_by, outcome.layer.is_some());
        self.state.layers.extend(outcome.layer);
        outcome.is_cached
    }

    /// Gives another name to what is being done, where the instruction itself says it badly.
    pub(crate) fn note(&self, report: &Report<'_>, text: &str) {
        report.output(format!("{text}\n").as_bytes());
    }
}

fn joined(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Reads `80`, `80/udp` or `8000-8010/tcp`.
fn exposed(text: &str) -> Result<Vec<String>, Problem> {
    let wrong = || Problem::arguments("EXPOSE", format!("`{text}` is no port: use PORT, PORT-PORT or PORT/PROTOCOL"));
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    // What a run would publish is nobody's business here.
    let range = range.rsplit(':').next().unwrap_or(range);
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let (first, last, protocol) = (number(first)?, number(last)?, protocol.to_ascii_lowercase());
    if first > last || !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// Refuses what is no signal of Linux, by name or number: signal(7).
fn check_signal(text: &str) -> Result<(), Problem> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let is_number = text.parse::<u32>().is_ok_and(|number| (1..=64).contains(&number));
    let is_real_time = name.strip_prefix("RTMIN").or_else(|| name.strip_prefix("RTMAX")).is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix(['+', '-'])
                .is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number <= 30))
    });
    let is_name = format!("SIG{name}").parse::<nix::sys::signal::Signal>().is_ok();
    match is_number || is_real_time || is_name {
        true => Ok(()),
        false => Err(Problem::arguments("STOPSIGNAL", format!("`{text}` is no signal"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_single_or_ranges() {
        assert_eq!(exposed("80").unwrap(), ["80/tcp"]);
        assert_eq!(exposed("53/UDP").unwrap(), ["53/udp"]);
        assert_eq!(exposed("8000-8002").unwrap(), ["8000/tcp", "8001/tcp", "8002/tcp"]);
        for text in ["x", "80/x", "90-80", "70000", ""] {
            assert!(exposed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for text in ["SIGTERM", "kill", "9", "SIGRTMIN+3", "RTMAX-1", "SIGRTMIN"] {
            assert!(check_signal(text).is_ok(), "{text}");
        }
        for text in ["SIGFOO", "0", "65", "RTMIN+99", ""] {
            assert!(check_signal(text).is_err(), "{text}");
        }
    }
}
