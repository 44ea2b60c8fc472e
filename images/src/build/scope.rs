//! Which variables an instruction sees: ARG of the stage and before it, `--build-arg`, and the image's environment.
//!
//! Runs in the shell command's process; pure. Dockerfile reference, "ARG", "Scope", "Predefined ARGs".

use std::collections::BTreeMap;

use super::expand::{ExpandError, Expander, Quotes};
use super::instruction::{Instruction, Step};
use crate::platform::Platform;

/// Arguments that need no ARG, and are neither in the history nor in the key of a step unless one declares them.
const PREDEFINED: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Tells whether an argument needs no ARG.
pub(crate) fn is_predefined(name: &str) -> bool {
    PREDEFINED.contains(&name)
}

/// What is set before the first stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Globals {
    /// `--build-arg`.
    given: BTreeMap<String, String>,
    /// ARG before the first FROM, and the platforms.
    values: BTreeMap<String, String>,
}

impl Globals {
    /// Evaluates the ARGs before the first FROM.
    pub(crate) fn new(
        given: &BTreeMap<String, String>,
        platforms: (&Platform, &Platform),
        steps: &[Step],
        escape: char,
    ) -> Result<Globals, (usize, ExpandError)> {
        let (build, target) = platforms;
        let mut globals = Globals { given: given.clone(), values: platform_values("BUILD", build) };
        globals.values.extend(platform_values("TARGET", target));
        globals.values.insert("TARGETSTAGE".to_owned(), String::new());
        for step in steps {
            let Instruction::Arg(declarations) = &step.instruction else { continue };
            for (name, default) in declarations {
                let at = |error| (step.line, error);
                let name = globals.expand(name, escape).map_err(at)?;
                let default = default.as_ref().map(|text| globals.expand(text, escape)).transpose().map_err(at)?;
                let value = globals.given.get(&name).cloned().or(default);
                if let Some(value) = value {
                    globals.values.insert(name, value);
                }
            }
        }
        Ok(globals)
    }

    /// Expands a word of a FROM.
    pub(crate) fn expand(&self, text: &str, escape: char) -> Result<String, ExpandError> {
        let variable = |name: &str| self.values.get(name).cloned();
        Expander { escape, quotes: Quotes::Removed, keeps_unset: false, variable: &variable }.text(text)
    }
}

fn platform_values(prefix: &str, platform: &Platform) -> BTreeMap<String, String> {
    let values = [
        ("PLATFORM", platform.to_string()),
        ("OS", platform.os.clone()),
        ("ARCH", platform.architecture.clone()),
        ("VARIANT", platform.variant.clone().unwrap_or_default()),
    ];
    values.into_iter().map(|(name, value)| (format!("{prefix}{name}"), value)).collect()
}

/// The ARGs of one stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// In the order of declaration.
    declared: Vec<(String, Option<String>)>,
}

impl Scope {
    /// Declares an argument: `--build-arg`, else the default, else what is set before the first stage.
    pub(crate) fn declare(&mut self, name: String, default: Option<String>, globals: &Globals) {
        let value = globals.given.get(&name).cloned().or(default).or_else(|| globals.values.get(&name).cloned());
        self.declared.retain(|(own, _)| *own != name);
        self.declared.push((name, value));
    }

    /// Returns an argument's value.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.declared.iter().find(|(own, _)| own == name).and_then(|(_, value)| value.clone())
    }

    /// Returns the declared arguments that have a value, as `NAME=value`, but for those that the environment sets too.
    pub(crate) fn pairs(&self, is_set: &dyn Fn(&str) -> bool) -> Vec<String> {
        let pairs = self.declared.iter().filter(|(name, _)| !is_set(name));
        pairs.filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?))).collect()
    }

    /// Returns the predefined arguments that were given and are not declared.
    pub(crate) fn undeclared(&self, globals: &Globals) -> Vec<String> {
        let given = globals.given.iter().filter(|(name, _)| is_predefined(name));
        let given = given.filter(|(name, _)| !self.declared.iter().any(|(own, _)| own == *name));
        given.map(|(name, value)| format!("{name}={value}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::parse::parse;

    fn globals(text: &str) -> Globals {
        let given = BTreeMap::from([("given".to_owned(), "1".to_owned()), ("HTTP_PROXY".to_owned(), "p".to_owned())]);
        let (build, target) = ("linux/amd64".parse().unwrap(), "linux/arm/v7".parse().unwrap());
        let file = parse(&format!("{text}\nFROM a")).unwrap();
        Globals::new(&given, (&build, &target), &file.globals, '\\').unwrap()
    }

    #[test]
    fn arguments_before_the_first_stage_see_one_another() {
        let globals = globals("ARG a=x given=2\nARG b=${a}y");
        assert_eq!(globals.expand("$a $b $given $TARGETARCH-$TARGETVARIANT $none", '\\').unwrap(), "x xy 1 arm-v7 ");
    }

    #[test]
    fn a_stage_sees_what_it_declares() {
        let globals = globals("ARG a=x");
        let mut scope = Scope::default();
        assert_eq!(scope.value("a"), None);
        for (name, default) in [("a", None), ("given", Some("2")), ("BUILDOS", None), ("none", None), ("b", Some("c"))]
        {
            scope.declare(name.to_owned(), default.map(str::to_owned), &globals);
        }
        assert_eq!(scope.pairs(&|name| name == "b"), ["a=x", "given=1", "BUILDOS=linux"]);
        assert_eq!(scope.undeclared(&globals), ["HTTP_PROXY=p"]);
        scope.declare("HTTP_PROXY".to_owned(), None, &globals);
        assert!(scope.undeclared(&globals).is_empty());
    }
}
