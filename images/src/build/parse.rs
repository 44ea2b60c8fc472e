//! From logical lines to instructions: the grammar of each.
//!
//! Runs in the shell command's process; pure. Dockerfile reference, one section for each instruction.

use std::time::Duration;

use super::fault::{Fault, Problem, closest};
use super::instruction::{Command, Copy, Dockerfile, Healthcheck, Instruction, Run, Stage, Step};
use super::lexer::{Heredoc, Line, lex};
use super::words::{Flags, json_list, plain_words, quoted_words};

/// Every instruction there is.
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Reads a Dockerfile.
///
/// # Errors
/// The first [`Fault`].
pub(crate) fn parse(text: &str) -> Result<Dockerfile, Fault> {
    let lexed = lex(text)?;
    let (globals, stages) = (Vec::new(), Vec::new());
    let mut file = Dockerfile { escape: lexed.escape, check: lexed.check, globals, stages };
    for line in &lexed.lines {
        add(&mut file, line).map_err(|problem| problem.at(line.number))?;
    }
    match (file.stages.is_empty(), lexed.lines.first()) {
        (true, Some(line)) => {
            Err(Problem::arguments("FROM", "there is none, so there is nothing to build").at(line.number))
        }
        _ => Ok(file),
    }
}

/// Reads one instruction that stands by itself: the trigger of an ONBUILD.
pub(crate) fn parse_trigger(text: &str) -> Result<Step, Fault> {
    let lexed = lex(text)?;
    let line = &lexed.lines[0];
    let mut step = step(line, '\\').map_err(|problem| problem.at(0))?;
    step.line = 0;
    Ok(step)
}

fn add(file: &mut Dockerfile, line: &Line) -> Result<(), Problem> {
    if line.name.eq_ignore_ascii_case("FROM") {
        return from(line, file.escape).map(|stage| file.stages.push(stage));
    }
    let step = step(line, file.escape)?;
    match (file.stages.last_mut(), &step.instruction) {
        (Some(stage), _) => stage.steps.push(step),
        (None, Instruction::Arg(_)) => file.globals.push(step),
        (None, instruction) => return Err(Problem::NoStage(instruction.name().to_owned())),
    }
    Ok(())
}

fn from(line: &Line, escape: char) -> Result<Stage, Problem> {
    let (flags, rest) = Flags::split(&line.rest, escape);
    flags.check("FROM", &["platform"])?;
    let words = plain_words(&rest);
    let (base, name) = match &words[..] {
        [base] => (base, None),
        [base, word, name] if word.eq_ignore_ascii_case("AS") => (base, Some(stage_name(name)?)),
        _ => return Err(Problem::arguments("FROM", "it takes an image and perhaps `AS name`")),
    };
    Ok(Stage {
        line: line.number,
        text: format!("FROM {}", line.rest),
        base: base.clone(),
        platform: flags.one("FROM", "platform")?,
        name,
        steps: Vec::new(),
    })
}

fn stage_name(name: &str) -> Result<String, Problem> {
    let lower = name.to_ascii_lowercase();
    let is_part = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-_.".contains(char);
    if lower.starts_with(|char: char| char.is_ascii_lowercase()) && lower.chars().all(is_part) {
        return Ok(lower);
    }
    let why = "a name consists of letters, digits, `-`, `_` and `.`, a letter first";
    Err(Problem::Stage { name: name.to_owned(), why })
}

fn step(line: &Line, escape: char) -> Result<Step, Problem> {
    let upper = line.name.to_ascii_uppercase();
    let Some(name) = INSTRUCTIONS.into_iter().find(|known| *known == upper) else {
        let suggestion = closest(&upper, &INSTRUCTIONS).map(str::to_owned);
        return Err(Problem::Unknown { name: line.name.clone(), suggestion });
    };
    if line.rest.is_empty() && !["CMD", "ENTRYPOINT"].contains(&name) {
        return Err(Problem::arguments(name, "it needs at least one argument"));
    }
    let (flags, rest) = match name {
        "ADD" | "COPY" | "RUN" | "HEALTHCHECK" => Flags::split(&line.rest, escape),
        _ => (Flags::default(), line.rest.clone()),
    };
    let parsing = Parsing { name, flags: &flags, rest: &rest, heredocs: &line.heredocs, escape };
    Ok(Step { line: line.number, text: format!("{name} {}", line.rest), instruction: parsing.instruction()? })
}

/// One instruction being read.
struct Parsing<'a> {
    name: &'static str,
    flags: &'a Flags,
    rest: &'a str,
    heredocs: &'a [Heredoc],
    escape: char,
}

impl Parsing<'_> {
    fn instruction(&self) -> Result<Instruction, Problem> {
        let text = || self.rest.to_owned();
        Ok(match self.name {
            "ADD" | "COPY" => Instruction::Copy(self.copy()?),
            "RUN" => Instruction::Run(self.run()?),
            "CMD" => Instruction::Cmd(self.command(self.rest)?),
            "ENTRYPOINT" => Instruction::Entrypoint(self.command(self.rest)?),
            "LABEL" => Instruction::Label(self.pairs()?),
            "ENV" => Instruction::Env(self.pairs()?),
            "ARG" => Instruction::Arg(self.declarations()?),
            "EXPOSE" => Instruction::Expose(plain_words(self.rest)),
            "VOLUME" => Instruction::Volume(self.list()?),
            "HEALTHCHECK" => Instruction::Healthcheck(self.healthcheck()?),
            "SHELL" => Instruction::Shell(self.shell()?),
            "MAINTAINER" => Instruction::Maintainer(text()),
            "USER" => Instruction::User(text()),
            "WORKDIR" => Instruction::Workdir(text()),
            "STOPSIGNAL" => Instruction::StopSignal(text()),
            "ONBUILD" => Instruction::OnBuild(self.trigger()?),
            _ => return Err(self.wrong("it cannot stand here")),
        })
    }

    fn wrong(&self, why: impl Into<String>) -> Problem {
        Problem::arguments(self.name, why)
    }

    fn command(&self, text: &str) -> Result<Command, Problem> {
        Ok(json_list(self.name, text)?.map_or_else(|| Command::Shell(text.to_owned()), Command::Exec))
    }

    fn list(&self) -> Result<Vec<String>, Problem> {
        let list = json_list(self.name, self.rest)?.unwrap_or_else(|| plain_words(self.rest));
        match list.is_empty() || list.iter().any(String::is_empty) {
            true => Err(self.wrong("an empty path is none")),
            false => Ok(list),
        }
    }

    fn copy(&self) -> Result<Copy, Problem> {
        let own: &[&str] = match self.name {
            "ADD" => &["checksum", "chmod", "chown", "exclude", "keep-git-dir", "link", "unpack"],
            _ => &["chmod", "chown", "exclude", "from", "link", "parents"],
        };
        self.flags.check(self.name, own)?;
        let words = json_list(self.name, self.rest)?.unwrap_or_else(|| plain_words(self.rest));
        let [sources @ .., destination] = &words[..] else {
            return Err(self.wrong("it needs a source and a destination"));
        };
        if sources.is_empty() {
            return Err(self.wrong("it needs a source and a destination"));
        }
        if self.heredocs.len() == words.len() {
            return Err(self.wrong("a here-document cannot be the destination"));
        }
        let is_mark = |word: &String| !super::lexer::heredoc_marks(word, self.escape).is_empty();
        let has_marks = !self.heredocs.is_empty();
        let one = |name| self.flags.one(self.name, name);
        let switch = |name| self.flags.switch(self.name, name);
        Ok(Copy {
            is_add: self.name == "ADD",
            sources: sources.iter().filter(|word| !(has_marks && is_mark(word))).cloned().collect(),
            inline: self.heredocs.to_vec(),
            destination: destination.clone(),
            from: one("from")?,
            chown: one("chown")?,
            chmod: one("chmod")?,
            is_link: switch("link")?.unwrap_or(false),
            keeps_parents: switch("parents")?.unwrap_or(false),
            exclude: self.flags.all(self.name, "exclude")?,
            checksum: one("checksum")?,
            keeps_git: switch("keep-git-dir")?.unwrap_or(false),
            unpack: switch("unpack")?,
        })
    }

    fn run(&self) -> Result<Run, Problem> {
        self.flags.check("RUN", &["device", "mount", "network", "security"])?;
        if !self.flags.all("RUN", "device")?.is_empty() {
            return Err(Problem::flag(
                "RUN",
                "device",
                "steps get no devices; `lighter run --device` and `lighter commit` do the same",
            ));
        }
        let network = self.flags.one("RUN", "network")?;
        if let Some(network) = network.as_deref().filter(|network| !["default", "none", "host"].contains(network)) {
            return Err(Problem::flag("RUN", "network", format!("`{network}` is none of default, none and host")));
        }
        let security = self.flags.one("RUN", "security")?;
        if let Some(other) = security.as_deref().filter(|security| !["sandbox", "insecure"].contains(security)) {
            return Err(Problem::flag("RUN", "security", format!("`{other}` is neither sandbox nor insecure")));
        }
        let mounts = self.flags.all("RUN", "mount")?;
        Ok(Run { command: self.command(self.rest)?, heredocs: self.heredocs.to_vec(), mounts, network, security })
    }

    fn quoted(&self) -> Result<Vec<String>, Problem> {
        Ok(quoted_words(self.rest, self.escape)?)
    }

    /// `NAME=VALUE …`, or the older `NAME VALUE`, where everything after the name is the value.
    fn pairs(&self) -> Result<Vec<(String, String)>, Problem> {
        let words = self.quoted()?;
        let first = words.first().ok_or_else(|| self.wrong("it needs a name and a value"))?;
        if !first.contains('=') {
            let (name, value) =
                self.rest.split_once(char::is_whitespace).ok_or_else(|| self.wrong("use NAME=VALUE"))?;
            return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
        }
        let pair = |word: &String| match word.split_once('=') {
            Some(("", _)) => Err(self.wrong(format!("`{word}` has no name"))),
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(self.wrong(format!("`{word}` has no `=`: use NAME=VALUE"))),
        };
        words.iter().map(pair).collect()
    }

    fn declarations(&self) -> Result<Vec<(String, Option<String>)>, Problem> {
        let declaration = |word: String| match word.split_once('=') {
            Some(("", _)) => Err(self.wrong(format!("`{word}` has no name"))),
            Some((name, value)) => Ok((name.to_owned(), Some(value.to_owned()))),
            None => Ok((word, None)),
        };
        self.quoted()?.into_iter().map(declaration).collect()
    }

    fn shell(&self) -> Result<Vec<String>, Problem> {
        let words = json_list("SHELL", self.rest)?.filter(|words| !words.is_empty());
        words.ok_or_else(|| self.wrong("it takes a JSON list of the shell and its arguments"))
    }

    fn trigger(&self) -> Result<String, Problem> {
        let mut text = self.rest.to_owned();
        for heredoc in self.heredocs {
            text.push_str(&format!("\n{}{}", heredoc.content, heredoc.name));
        }
        let name = self.rest.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        if ["ONBUILD", "FROM", "MAINTAINER"].contains(&name.as_str()) {
            return Err(self.wrong(format!("`{name}` cannot be a trigger")));
        }
        parse_trigger(&text).map_err(|fault| fault.problem)?;
        Ok(text)
    }

    fn healthcheck(&self) -> Result<Healthcheck, Problem> {
        self.flags.check("HEALTHCHECK", &["interval", "retries", "start-interval", "start-period", "timeout"])?;
        let (kind, rest) = self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, ""));
        match kind.to_ascii_uppercase().as_str() {
            "NONE" if rest.is_empty() => Ok(Healthcheck::None),
            "NONE" => Err(self.wrong("`NONE` takes no arguments")),
            "CMD" if rest.trim().is_empty() => Err(self.wrong("`CMD` needs a command")),
            "CMD" => {
                let retries = self.flags.one(self.name, "retries")?;
                let number = |text: String| {
                    text.parse().map_err(|_| Problem::flag("HEALTHCHECK", "retries", format!("`{text}` is no number")))
                };
                Ok(Healthcheck::Command {
                    command: self.command(rest.trim())?,
                    interval: self.duration("interval")?,
                    timeout: self.duration("timeout")?,
                    start_period: self.duration("start-period")?,
                    start_interval: self.duration("start-interval")?,
                    retries: retries.map(number).transpose()?,
                })
            }
            _ => Err(self.wrong(format!("`{kind}` is neither CMD nor NONE"))),
        }
    }

    /// Reads a time; 0 means the default, so it is none.
    fn duration(&self, flag: &str) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.flags.one(self.name, flag)? else { return Ok(None) };
        let wrong = |why: &str| Problem::flag("HEALTHCHECK", flag, format!("`{text}` {why}"));
        let duration = duration(&text).ok_or_else(|| wrong("is no time: use 30s or 1m30s"))?;
        match duration {
            Duration::ZERO => Ok(None),
            short if short < Duration::from_millis(1) => Err(wrong("is less than a millisecond")),
            _ => Ok(Some(duration)),
        }
    }
}

/// Reads a time as Go writes it: `1h30m`, `1.5s`, `0`.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * seconds;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(sum).ok()).flatten()
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
