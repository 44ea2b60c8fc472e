use proptest::prelude::*;

use super::*;

fn variable(name: &str) -> Option<String> {
    let known = [("a", "1"), ("empty", ""), ("list", "x  y"), ("path", "usr/local/lib/libz.so.1"), ("deep", "a/b")];
    known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn expander(quotes: Quotes) -> Expander<'static> {
    Expander { escape: '\\', quotes, keeps_unset: false, variable: &variable }
}

fn text(source: &str) -> Result<String, ExpandError> {
    expander(Quotes::Removed).text(source)
}

#[test]
fn every_form_of_substitution() {
    let table = [
        ("$a${a}b", "11b"),
        ("$none|${none}|", "||"),
        ("${none:-w} ${none-w} ${empty:-w} ${empty-w}", "w w w "),
        ("${a:+w} ${a+w} ${empty:+w} ${empty+w} ${none+w}", "w w  w "),
        ("${none:-${a}x}", "1x"),
        ("${none:-'}'}", "}"),
        ("${a:?no} ${empty?no}", "1 "),
        (
            "${path#*/} ${path##*/} ${path%.*} ${path%%.*}",
            "local/lib/libz.so.1 libz.so.1 usr/local/lib/libz.so usr/local/lib/libz",
        ),
        ("${path#nothing} ${path%?}", "usr/local/lib/libz.so.1 usr/local/lib/libz.so."),
        ("${path/lib/LIB} ${path//lib/L} ${deep/\\//-}", "usr/local/LIB/libz.so.1 usr/local/L/Lz.so.1 a-b"),
        ("\\$a '$a' \"$a\" \"\\$a\" \"\\x\"", "$a $a 1 $a \\x"),
        ("a\\ b", "a b"),
        ("$", "$"),
        ("$1a$$", "a"),
        ("trailing\\", "trailing"),
    ];
    for (source, expected) in table {
        assert_eq!(text(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn what_cannot_be_expanded_is_refused() {
    for source in ["${", "${a", "${}", "${:x}", "${{a}}", "${a:x}", "${a^}", "'", "\"", "${a:-", "${a/b}"] {
        assert!(text(source).is_err(), "{source}");
    }
    let unset = |message: &str| Err(ExpandError::Unset { name: "none".into(), message: message.into() });
    assert_eq!(text("${none:?set it}"), unset("set it"));
    assert_eq!(text("${none?}"), unset("is not allowed to be unset"));
}

#[test]
fn words_are_split_after_expansion_and_quotes_hold_them_together() {
    assert_eq!(expander(Quotes::Removed).words("$list \"$list\" '' a\\ b").unwrap(), ["x", "y", "x  y", "a b"]);
    assert_eq!(expander(Quotes::Kept).words("'a b' \"c\\\"\" d\\ e").unwrap(), ["'a b'", "\"c\\\"\"", "d\\ e"]);
    assert_eq!(expander(Quotes::Ignored).text("'$a' \"${a}\" \\$a").unwrap(), "'1' \"1\" $a");
}

#[test]
fn a_variable_that_is_not_set_can_stay_as_it_is() {
    let keeping = Expander { keeps_unset: true, ..expander(Quotes::Removed) };
    for source in ["$none", "${none}", "${none:-x}", "${none#x}", "${none/x/y}"] {
        assert_eq!(keeping.text(source).unwrap(), source);
    }
}

proptest! {
    #[test]
    fn any_text_is_expanded_or_refused(source in "[$a-c{}:+?#%/\\\\'\" \\-]{0,40}") {
        for quotes in [Quotes::Removed, Quotes::Kept, Quotes::Ignored] {
            let _ = expander(quotes).words(&source);
        }
    }

    #[test]
    fn text_without_signs_stays(source in "[^$\\\\'\"]{0,40}") {
        prop_assert_eq!(text(&source).unwrap(), source);
    }

    #[test]
    fn quotes_that_are_kept_give_the_same_words_again(source in "[a-c$ '\"\\\\]{0,30}") {
        let keeping = Expander { keeps_unset: true, ..expander(Quotes::Kept) };
        if let Ok(words) = keeping.words(&source) {
            let again = keeping.words(&words.join(" "));
            prop_assert_eq!(again, Ok(words));
        }
    }
}
