use proptest::prelude::*;

use super::*;

fn only(text: &str) -> Instruction {
    parse(&format!("FROM a\n{text}")).unwrap_or_else(|fault| panic!("{text}: {fault}")).stages[0].steps[0]
        .instruction
        .clone()
}

fn problem(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn stages_have_names_bases_and_platforms() {
    let file = parse("ARG v=1\nFROM --platform=$BUILDPLATFORM a:$v AS Build\nRUN x\nfrom scratch").unwrap();
    assert_eq!(file.globals.len(), 1);
    let stage = &file.stages[0];
    assert_eq!((stage.base.as_str(), stage.name.as_deref(), stage.line), ("a:$v", Some("build"), 2));
    assert_eq!(stage.platform.as_deref(), Some("$BUILDPLATFORM"));
    assert_eq!(file.stages[1].base, "scratch");
}

#[test]
fn commands_have_two_forms() {
    assert_eq!(only("CMD [\"a\", \"b c\"]"), Instruction::Cmd(Command::Exec(vec!["a".into(), "b c".into()])));
    assert_eq!(only("CMD echo \"x\"  y"), Instruction::Cmd(Command::Shell("echo \"x\"  y".into())));
    assert_eq!(only("ENTRYPOINT []"), Instruction::Entrypoint(Command::Exec(vec![])));
    assert_eq!(only("CMD ['a']"), Instruction::Cmd(Command::Shell("['a']".into())));
}

#[test]
fn pairs_have_two_forms() {
    let pairs =
        |texts: &[(&str, &str)]| texts.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    assert_eq!(
        only("ENV a=1 b=\"x y\" c=d\\ e"),
        Instruction::Env(pairs(&[("a", "1"), ("b", "\"x y\""), ("c", "d\\ e")]))
    );
    assert_eq!(only("ENV a  b = c"), Instruction::Env(pairs(&[("a", "b = c")])));
    assert_eq!(only("LABEL \"k v\"=x"), Instruction::Label(pairs(&[("\"k v\"", "x")])));
    assert_eq!(only("ARG a b=c"), Instruction::Arg(vec![("a".into(), None), ("b".into(), Some("c".into()))]));
}

#[test]
fn copy_takes_here_documents_and_flags() {
    let Instruction::Copy(copy) = only("COPY --chown=1:2 --link --exclude=a --exclude=b x <<E /to/\ntext\nE") else {
        panic!()
    };
    assert_eq!((copy.sources, copy.destination.as_str()), (vec!["x".to_owned()], "/to/"));
    assert_eq!((copy.inline[0].content.as_str(), copy.is_link, copy.exclude.len()), ("text\n", true, 2));
}

#[test]
fn health_checks_have_times() {
    let Instruction::Healthcheck(Healthcheck::Command { interval, timeout, retries, .. }) =
        only("HEALTHCHECK --interval=1m30s --timeout=0 --retries=2 CMD x")
    else {
        panic!()
    };
    assert_eq!((interval, timeout, retries), (Some(Duration::from_secs(90)), None, Some(2)));
    assert_eq!(only("HEALTHCHECK none"), Instruction::Healthcheck(Healthcheck::None));
}

#[test]
fn a_trigger_carries_its_here_document() {
    assert_eq!(only("ONBUILD RUN <<E\nx\nE"), Instruction::OnBuild("RUN <<E\nx\nE".into()));
    let step = parse_trigger("RUN <<E\nx\nE").unwrap();
    assert!(matches!(step.instruction, Instruction::Run(Run { heredocs, .. }) if heredocs[0].content == "x\n"));
}

#[test]
fn mistakes_are_named_with_their_line() {
    let table = [
        ("", "line 1: the file has no instructions"),
        ("ARG a", "line 1: `FROM`: there is none, so there is nothing to build"),
        ("RUN x", "line 1: `RUN` stands before the first `FROM`; only `ARG` may"),
        ("FROM a\n\nCOPPY x y", "line 3: unknown instruction `COPPY`: did you mean `COPY`?"),
        ("FROM a b", "line 1: `FROM`: it takes an image and perhaps `AS name`"),
        ("FROM a AS 1b", "line 1: stage `1b`: a name consists of letters, digits, `-`, `_` and `.`, a letter first"),
        ("FROM a\nCOPY x", "line 2: `COPY`: it needs a source and a destination"),
        ("FROM a\nCOPY --checksum=x a b", "line 2: `COPY` with flag `--checksum`: there is no such flag"),
        ("FROM a\nCOPY <<E <<F\nE\nF", "line 2: `COPY`: a here-document cannot be the destination"),
        ("FROM a\nENV a=1 b", "line 2: `ENV`: `b` has no `=`: use NAME=VALUE"),
        ("FROM a\nRUN [1]", "line 2: `RUN`: a list in JSON form must consist of texts"),
        ("FROM a\nSHELL bash", "line 2: `SHELL`: it takes a JSON list of the shell and its arguments"),
        ("FROM a\nONBUILD FROM b", "line 2: `ONBUILD`: `FROM` cannot be a trigger"),
        (
            "FROM a\nHEALTHCHECK --interval=1 CMD x",
            "line 2: `HEALTHCHECK` with flag `--interval`: `1` is no time: use 30s or 1m30s",
        ),
        ("FROM a\nRUN --network=x y", "line 2: `RUN` with flag `--network`: `x` is none of default, none and host"),
        ("FROM a\nUSER", "line 2: `USER`: it needs at least one argument"),
    ];
    for (text, expected) in table {
        assert_eq!(problem(text), expected);
    }
}

proptest! {
    #[test]
    fn any_instruction_is_read_or_refused(
        name in prop::sample::select(INSTRUCTIONS.to_vec()),
        rest in "[-a-c=\\[\\]\"' ,$\\{\\}<\\\\\n/]{0,60}",
    ) {
        let _ = parse(&format!("FROM a\n{name} {rest}"));
    }
}
