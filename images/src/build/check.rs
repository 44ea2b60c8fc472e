//! `build --check`: what is legal in a Dockerfile and yet likely a mistake.
//!
//! Runs in the shell command's process; pure but for [`Ignore`]'s text, which the caller has read. The rules and their names
//! are those of Docker's build checks.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Fault, Problem};
use super::ignore::Ignore;
use super::instruction::{Command, Dockerfile, Instruction, Stage, Step};
use super::lexer::lex;
use super::parse::parse;
use super::path;
use super::request::BuildRequest;
use super::scope::{Globals, is_predefined};
use crate::platform::Platform;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// Line in the file, from 1.
    pub line: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong, one sentence.
    pub text: String,
}

/// What `# check=` says.
#[derive(Debug, Default)]
struct Settings {
    skip: Vec<String>,
    is_error: bool,
}

/// Words in the name of a variable that say that its value is a secret.
const SECRET_WORDS: [&str; 8] = ["apikey", "auth", "credential", "key", "password", "passwd", "secret", "token"];

/// Names that a stage should not have, as they mean something else.
const RESERVED: [&str; 2] = ["context", "scratch"];

/// Checks the Dockerfile of a request; returns the findings, and whether the file says that they are errors.
///
/// # Errors
/// [`Fault`] if the file cannot be read at all.
pub fn check(request: &BuildRequest) -> Result<(Vec<Warning>, bool), Fault> {
    let file = parse(&request.dockerfile)?;
    let settings = settings(file.check.as_deref())?;
    let mut found = Findings::default();
    found.layout(&request.dockerfile)?;
    found.stages(&file);
    found.bases(&file, request);
    for stage in &file.stages {
        found.stage(stage);
        found.variables(&file, stage, request);
    }
    if let Ok(ignore) = Ignore::parse(&request.ignore) {
        found.ignored(&file, &ignore);
    }
    let mut warnings = found.warnings;
    let is_skipped = |rule: &str| settings.skip.iter().any(|skip| skip == "all" || skip == rule);
    warnings.retain(|warning| !is_skipped(warning.rule));
    warnings.sort();
    warnings.dedup();
    Ok((warnings, settings.is_error))
}

/// Lists the arguments that were given and that no ARG of the file takes: typing errors, most likely.
///
/// # Errors
/// [`Fault`] if the file cannot be read at all.
pub fn unused_arguments(request: &BuildRequest) -> Result<Vec<String>, Fault> {
    let file = parse(&request.dockerfile)?;
    let steps = file.globals.iter().chain(file.stages.iter().flat_map(|stage| &stage.steps));
    let takes = |step: &Step, name: &str| matches!(&step.instruction, Instruction::Arg(declared) if declared.iter().any(|(own, _)| own == name));
    let is_builders = |name: &str| name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH" || is_predefined(name);
    let unused = request.arguments.keys().filter(|name| !is_builders(name));
    Ok(unused.filter(|name| !steps.clone().any(|step| takes(step, name))).cloned().collect())
}

/// Reads `skip=A,B;error=true`.
fn settings(text: Option<&str>) -> Result<Settings, Fault> {
    let mut settings = Settings::default();
    for part in text.unwrap_or_default().split(';').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("skip", rules)) => settings.skip.extend(rules.split(',').map(|rule| rule.trim().to_owned())),
            Some(("error", value)) => settings.is_error = value.trim() == "true",
            _ => {
                let why = "use skip=RULE,… and error=true, with `;` between them";
                return Err(Problem::Directive { name: "check".to_owned(), why }.at(1));
            }
        }
    }
    Ok(settings)
}

#[derive(Default)]
struct Findings {
    warnings: Vec<Warning>,
}

impl Findings {
    fn add(&mut self, line: usize, rule: &'static str, text: impl Into<String>) {
        self.warnings.push(Warning { line, rule, text: text.into() });
    }

    /// How the lines are written.
    fn layout(&mut self, text: &str) -> Result<(), Fault> {
        let lexed = lex(text)?;
        let is_lower = |name: &str| name.chars().all(|char| char.is_ascii_lowercase());
        let is_upper = |name: &str| name.chars().all(|char| char.is_ascii_uppercase());
        let lower = lexed.lines.iter().filter(|line| is_lower(&line.name)).count();
        let wants_lower = lower * 2 > lexed.lines.len();
        for line in &lexed.lines {
            if line.has_empty_continuation {
                self.add(line.number, "NoEmptyContinuation", "an empty line stands within the instruction");
            }
            let fits = if wants_lower { is_lower(&line.name) } else { is_upper(&line.name) };
            if !fits {
                let case = if wants_lower { "lower" } else { "upper" };
                let text = format!("`{}` should be written in {case} case, as most instructions are", line.name);
                self.add(line.number, "ConsistentInstructionCasing", text);
            }
            if line.name.eq_ignore_ascii_case("FROM") {
                self.casing_of_from(line.number, &line.name, &line.rest);
            }
        }
        Ok(())
    }

    fn casing_of_from(&mut self, number: usize, from: &str, rest: &str) {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let Some(position) = words.iter().position(|word| word.eq_ignore_ascii_case("as")) else { return };
        let (word, name) = (words[position], words.get(position + 1).copied().unwrap_or_default());
        if name.chars().any(|char| char.is_ascii_uppercase()) {
            self.add(number, "StageNameCasing", format!("stage name `{name}` should be lower case"));
        }
        if word.chars().all(char::is_uppercase) != from.chars().all(char::is_uppercase) {
            self.add(number, "FromAsCasing", format!("`{word}` and `{from}` are written in different case"));
        }
    }

    fn stages(&mut self, file: &Dockerfile) {
        let mut seen = BTreeSet::new();
        for stage in &file.stages {
            let Some(name) = &stage.name else { continue };
            if !seen.insert(name) {
                self.add(stage.line, "DuplicateStageName", format!("another stage is called `{name}` too"));
            }
            if RESERVED.contains(&name.as_str()) {
                self.add(stage.line, "ReservedStageName", format!("`{name}` means something else"));
            }
        }
    }

    fn bases(&mut self, file: &Dockerfile, request: &BuildRequest) {
        let known = known_globals(file, request);
        for stage in &file.stages {
            for name in variables(&stage.base) {
                if !known.contains_key(&name) {
                    self.add(stage.line, "UndefinedArgInFrom", format!("no ARG before the first FROM sets `{name}`"));
                } else if known[&name].is_none() && !stage.base.contains(&format!("{{{name}:")) {
                    let text = format!("without `--build-arg {name}` there is no valid base");
                    self.add(stage.line, "InvalidDefaultArgInFrom", text);
                }
            }
            match stage.platform.as_deref() {
                Some("$TARGETPLATFORM" | "${TARGETPLATFORM}") => {
                    let text = "`--platform=$TARGETPLATFORM` is what is meant without it";
                    self.add(stage.line, "RedundantTargetPlatform", text);
                }
                Some(constant) if !constant.contains('$') => {
                    let text = format!("`--platform={constant}` is the same for every platform that is built");
                    self.add(stage.line, "FromPlatformFlagConstDisallowed", text);
                }
                _ => {}
            }
        }
    }

    fn stage(&mut self, stage: &Stage) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut has_absolute_folder = false;
        let mut has_shell = false;
        for step in &stage.steps {
            let name = step.instruction.name();
            if ["CMD", "ENTRYPOINT", "HEALTHCHECK"].contains(&name) && seen.insert(name, step.line).is_some() {
                let text = format!("only the last {name} of a stage counts");
                self.add(step.line, "MultipleInstructionsDisallowed", text);
            }
            match &step.instruction {
                Instruction::Cmd(Command::Shell(_)) | Instruction::Entrypoint(Command::Shell(_)) if !has_shell => {
                    let text = format!("{name} in the JSON form gets signals itself, not a shell around it");
                    self.add(step.line, "JSONArgsRecommended", text);
                }
                Instruction::Shell(_) => has_shell = true,
                Instruction::Maintainer(_) => {
                    self.add(step.line, "MaintainerDeprecated", "use LABEL org.opencontainers.image.authors=…");
                }
                Instruction::Workdir(folder) => {
                    if !folder.starts_with(['/', '$']) && !has_absolute_folder {
                        let text = format!("`{folder}` starts from wherever the base image is");
                        self.add(step.line, "WorkdirRelativePath", text);
                    }
                    has_absolute_folder |= folder.starts_with('/');
                }
                Instruction::Expose(ports) => self.ports(step.line, ports),
                Instruction::Env(_) | Instruction::Label(_) => self.legacy_form(step, name),
                _ => {}
            }
            self.secrets(step);
        }
    }

    fn ports(&mut self, line: usize, ports: &[String]) {
        for port in ports {
            let (range, protocol) = port.split_once('/').unwrap_or((port, ""));
            if protocol.chars().any(|char| char.is_ascii_uppercase()) {
                self.add(line, "ExposeProtoCasing", format!("the protocol of `{port}` should be lower case"));
            }
            if range.contains(':') {
                self.add(line, "ExposeInvalidFormat", format!("`{port}`: addresses and host ports mean nothing here"));
            }
        }
    }

    fn legacy_form(&mut self, step: &Step, name: &str) {
        let rest = step.text.split_whitespace().nth(1).unwrap_or_default();
        if !rest.contains('=') {
            self.add(step.line, "LegacyKeyValueFormat", format!("use {name} NAME=VALUE, with `=`"));
        }
    }

    fn secrets(&mut self, step: &Step) {
        let names: Vec<&String> = match &step.instruction {
            Instruction::Env(pairs) => pairs.iter().map(|(name, _)| name).collect(),
            Instruction::Arg(declarations) => declarations.iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        };
        for name in names {
            let lower = name.to_ascii_lowercase();
            let is_secret = lower.split('_').any(|word| SECRET_WORDS.contains(&word)) && !lower.contains("public");
            if is_secret {
                let text = format!("`{name}` stays readable in the image: use RUN --mount=type=secret");
                self.add(step.line, "SecretsUsedInArgOrEnv", text);
            }
        }
    }

    /// Variables that nothing sets. What the base image sets is not known here: a stage on an image is let off.
    fn variables(&mut self, file: &Dockerfile, stage: &Stage, request: &BuildRequest) {
        let stands_on_scratch = stage.base == "scratch";
        let stands_on_stage = file.stages.iter().any(|other| other.name.as_deref() == Some(&stage.base));
        let mut known: BTreeSet<String> = BTreeSet::from(["PATH".to_owned()]);
        if !stands_on_scratch || stands_on_stage {
            return;
        }
        for step in &stage.steps {
            for name in used(&step.instruction) {
                if !known.contains(&name) && !request.arguments.contains_key(&name) {
                    self.add(step.line, "UndefinedVar", format!("nothing sets `{name}`"));
                }
            }
            match &step.instruction {
                Instruction::Env(pairs) => known.extend(pairs.iter().map(|(name, _)| name.clone())),
                Instruction::Arg(declared) => known.extend(declared.iter().map(|(name, _)| name.clone())),
                _ => {}
            }
        }
    }

    fn ignored(&mut self, file: &Dockerfile, ignore: &Ignore) {
        for step in file.stages.iter().flat_map(|stage| &stage.steps) {
            let Instruction::Copy(copy) = &step.instruction else { continue };
            if copy.from.is_some() {
                continue;
            }
            for source in copy.sources.iter().filter(|source| !source.contains(['*', '?', '[', '$', ':'])) {
                let below = path::below_root(source);
                if !below.is_empty() && ignore.is_ignored(&below) {
                    self.add(step.line, "CopyIgnoredFile", format!("`{source}` is left out by .dockerignore"));
                }
            }
        }
    }
}

/// Returns the variables that can be used in a FROM, with their values, if they have any without a `--build-arg`.
fn known_globals(file: &Dockerfile, request: &BuildRequest) -> BTreeMap<String, Option<String>> {
    let host = Platform::host();
    let globals = Globals::new(&request.arguments, (&host, &host), &file.globals, file.escape).unwrap_or_default();
    let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
    for name in ["PLATFORM", "OS", "ARCH", "VARIANT"] {
        known.insert(format!("TARGET{name}"), Some(String::new()));
        known.insert(format!("BUILD{name}"), Some(String::new()));
    }
    for step in &file.globals {
        let Instruction::Arg(declarations) = &step.instruction else { continue };
        for (name, _) in declarations {
            let value = globals.expand(&format!("${{{name}}}"), file.escape).ok().filter(|value| !value.is_empty());
            known.insert(name.clone(), value);
        }
    }
    known
}

/// Returns the variables in the words that are expanded.
fn used(instruction: &Instruction) -> Vec<String> {
    let texts: Vec<&String> = match instruction {
        Instruction::Copy(copy) => copy.sources.iter().chain([&copy.destination]).collect(),
        Instruction::Env(pairs) | Instruction::Label(pairs) => pairs.iter().map(|(_, value)| value).collect(),
        Instruction::User(text) | Instruction::Workdir(text) | Instruction::StopSignal(text) => vec![text],
        Instruction::Volume(texts) | Instruction::Expose(texts) => texts.iter().collect(),
        _ => Vec::new(),
    };
    texts.into_iter().flat_map(|text| variables(text)).collect()
}

/// Lists `$NAME` and `${NAME}` in a text, but for those with a default.
fn variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let is_escaped = rest[..at].ends_with('\\');
        rest = &rest[at + 1..];
        let inner = rest.strip_prefix('{').unwrap_or(rest);
        let end = inner.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(inner.len());
        let has_default = inner[end..].starts_with([':', '-', '+']);
        if end > 0 && !is_escaped && !has_default {
            names.push(inner[..end].to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(dockerfile: &str, ignore: &str) -> Vec<(usize, &'static str)> {
        let request =
            BuildRequest { dockerfile: dockerfile.to_owned(), ignore: ignore.to_owned(), ..BuildRequest::default() };
        check(&request).unwrap().0.into_iter().map(|warning| (warning.line, warning.rule)).collect()
    }

    #[test]
    fn an_argument_that_no_stage_takes_is_found() {
        let names = ["a", "b", "c", "HTTP_PROXY", "BUILDKIT_INLINE_CACHE"];
        let arguments = names.map(|name| (name.to_owned(), "1".to_owned())).into();
        let dockerfile = "ARG a\nFROM x\nFROM y\nARG b=2 d\n".to_owned();
        assert_eq!(
            unused_arguments(&BuildRequest { dockerfile, arguments, ..BuildRequest::default() }).unwrap(),
            ["c"]
        );
    }

    #[test]
    fn each_rule_finds_its_mistake_and_nothing_else() {
        let table: [(&str, &[(usize, &str)]); 22] = [
            ("FROM a AS Build", &[(1, "StageNameCasing")]),
            ("FROM a as build", &[(1, "FromAsCasing")]),
            ("FROM a\nRUN x \\\n\n  y", &[(2, "NoEmptyContinuation")]),
            ("FROM a\nRUN x\nrun y", &[(3, "ConsistentInstructionCasing")]),
            ("FROM a AS b\nFROM a AS b", &[(2, "DuplicateStageName")]),
            ("FROM a AS scratch", &[(1, "ReservedStageName")]),
            ("FROM a\nCMD x", &[(2, "JSONArgsRecommended")]),
            ("FROM a\nSHELL [\"s\"]\nCMD x", &[]),
            ("FROM a\nMAINTAINER x", &[(2, "MaintainerDeprecated")]),
            ("FROM $none", &[(1, "UndefinedArgInFrom")]),
            ("ARG v\nFROM a:$v", &[(2, "InvalidDefaultArgInFrom")]),
            ("ARG v=1\nFROM a:$v", &[]),
            ("FROM a\nWORKDIR x", &[(2, "WorkdirRelativePath")]),
            ("FROM scratch\nCOPY $x /", &[(2, "UndefinedVar")]),
            ("FROM a\nCMD [\"a\"]\nCMD [\"b\"]", &[(3, "MultipleInstructionsDisallowed")]),
            ("FROM a\nENV x y", &[(2, "LegacyKeyValueFormat")]),
            ("FROM --platform=$TARGETPLATFORM a", &[(1, "RedundantTargetPlatform")]),
            ("FROM --platform=linux/amd64 a", &[(1, "FromPlatformFlagConstDisallowed")]),
            ("FROM a\nENV DB_PASSWORD=x PUBLIC_KEY=y", &[(2, "SecretsUsedInArgOrEnv")]),
            ("FROM a\nEXPOSE 80/TCP", &[(2, "ExposeProtoCasing")]),
            ("FROM a\nEXPOSE 1:80", &[(2, "ExposeInvalidFormat")]),
            ("# check=skip=MaintainerDeprecated\nFROM a\nMAINTAINER x", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(rules(text, ""), expected, "{text}");
        }
        assert_eq!(rules("FROM a\nCOPY secret /", "secret"), [(2, "CopyIgnoredFile")]);
    }

    #[test]
    fn a_file_can_say_that_findings_are_errors() {
        let request = |text: &str| BuildRequest { dockerfile: text.to_owned(), ..BuildRequest::default() };
        assert!(check(&request("# check=error=true\nFROM a")).unwrap().1);
        assert!(!check(&request("FROM a")).unwrap().1);
        assert!(check(&request("# check=x\nFROM a")).is_err());
    }
}
