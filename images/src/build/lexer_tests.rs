use proptest::prelude::*;

use super::*;

fn lines(text: &str) -> Vec<(usize, String, String)> {
    lex(text).unwrap().lines.into_iter().map(|line| (line.number, line.name, line.rest)).collect()
}

fn line(number: usize, name: &str, rest: &str) -> (usize, String, String) {
    (number, name.to_owned(), rest.to_owned())
}

#[test]
fn lines_are_joined_and_comments_within_them_dropped() {
    let text = "\u{feff}# a comment\r\n\r\nFROM a\r\n  RUN x \\\n  # within\n\n   y \\  \n z\n#end\nCMD q";
    assert_eq!(lines(text), [line(3, "FROM", "a"), line(4, "RUN", "x    y  z"), line(10, "CMD", "q")]);
    assert!(lex(text).unwrap().lines[1].has_empty_continuation);
}

#[test]
fn a_mark_whose_meaning_is_taken_away_ends_the_line() {
    assert_eq!(lines("FROM a\nRUN x\\\\\nCMD y"), [line(1, "FROM", "a"), line(2, "RUN", "x\\\\"), line(3, "CMD", "y")]);
    assert_eq!(lines("# escape=`\nFROM a `\n b"), [line(2, "FROM", "a  b")]);
}

#[test]
fn directives_stand_at_the_top_once_and_end_with_the_first_other_line() {
    let lexed = lex("#syntax=docker/dockerfile:1\n# ESCAPE = `\n# check=skip=all\nFROM a").unwrap();
    assert_eq!((lexed.syntax.as_deref(), lexed.escape), (Some("docker/dockerfile:1"), '`'));
    assert_eq!(lexed.check.as_deref(), Some("skip=all"));
    assert_eq!(lex("# unknown=1\n# escape=`\nFROM a").unwrap().escape, '\\');
    assert_eq!(lex("\n# escape=`\nFROM a").unwrap().escape, '\\');
    for text in ["# escape=`\n# escape=`\nFROM a", "# escape=x\nFROM a"] {
        assert!(matches!(lex(text).unwrap_err().problem, Problem::Directive { .. }), "{text}");
    }
    assert_eq!(lex("# only\n\n").unwrap_err().problem, Problem::Empty);
}

#[test]
fn here_documents_end_with_their_name_alone() {
    let text = "FROM a\nRUN <<EOF cat 3<<-'B c'\none\n EOF\nEOF\n\ttwo\n\tB c\nCMD x";
    let lexed = lex(text).unwrap();
    let heredocs = &lexed.lines[1].heredocs;
    assert_eq!((heredocs[0].content.as_str(), heredocs[0].is_expanded), ("one\n EOF\n", true));
    assert_eq!((heredocs[1].content.as_str(), heredocs[1].is_expanded), ("two\n", false));
    assert_eq!((heredocs[1].name.as_str(), heredocs[1].descriptor.as_str()), ("B c", "3"));
    assert_eq!(lexed.lines[2].number, 8);
    assert_eq!(lex("FROM a\nCOPY <<E /x\ny").unwrap_err(), Problem::Heredoc("E".into()).at(2));
}

#[test]
fn what_only_looks_like_a_here_document_is_none() {
    for text in ["RUN [\"<<EOF\"]", "CMD <<EOF", "RUN echo $((1<<2))", "RUN cat <<<word", "RUN \"<<EOF\""] {
        assert_eq!(lex(text).map(|lexed| lexed.lines[0].heredocs.len()), Ok(0), "{text}");
    }
    assert_eq!(lex("ONBUILD RUN <<E\nx\nE").unwrap().lines[0].heredocs.len(), 1);
}

proptest! {
    #[test]
    fn any_text_is_split_or_refused(text in "\\PC{0,200}") {
        let _ = lex(&text);
    }

    #[test]
    fn text_like_a_dockerfile_is_split_or_refused(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                "FROM", "RUN", "COPY", "ONBUILD", " ", "\n", "\\", "`", "#", "<<", "-", "EOF", "'", "\"", "$", "{", "}", "[",
                "]", "escape=", "=", "\t", "\r\n", "a", "/",
            ]),
            0..60,
        )
    ) {
        let text = parts.concat();
        if let Ok(lexed) = lex(&text) {
            let count = text.split_inclusive('\n').count();
            prop_assert!(lexed.lines.iter().all(|line| line.number >= 1 && line.number <= count));
            prop_assert!(lexed.lines.windows(2).all(|pair| pair[0].number < pair[1].number));
        }
    }
}
