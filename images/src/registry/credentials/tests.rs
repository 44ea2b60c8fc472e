use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

/// A `config.json` and a directory of helpers, in a directory of the test's own.
struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new(config: &str) -> Desk {
        let desk = Desk { directory: tempfile::tempdir().unwrap() };
        fs::write(desk.config(), config).unwrap();
        desk
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("config.json")
    }

    fn store(&self) -> CredentialStore {
        CredentialStore::new(vec![self.config()], vec![self.directory.path().to_owned()])
    }

    /// Installs a helper that keeps its one secret in a file.
    fn helper(&self, name: &str, script: &str) {
        let path = self.directory.path().join(program(name));
        fs::write(&path, format!("#!/bin/sh\ncd '{}'\n{script}\n", self.directory.path().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }
}

use super::helper::program;

fn server(domain: &str) -> Server {
    Server::new(domain, None)
}

fn password(user: &str, password: &str) -> Credential {
    Credential::Password { user: user.to_owned(), password: password.to_owned() }
}

fn found(desk: &Desk, domain: &str) -> Option<Credential> {
    desk.store().find(&server(domain)).unwrap().map(|found| found.credential)
}

const KEEPER: &str = r#"case $1 in
store) cat >secret ;;
get) cat >asked; [ -e secret ] && cat secret || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) cat >erased; rm secret ;;
esac"#;

#[test]
fn what_docker_wrote_is_read() {
    // The texts are base64 of "me:pass:word" and of "hub:secret".
    let desk = Desk::new(
        r#"{"auths": {"a.b:5000": {"auth": "bWU6cGFzczp3b3Jk"}, "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="},
            "c.d": {"auth": "", "identitytoken": "t"}, "e.f": {}}}"#,
    );
    assert_eq!(found(&desk, "a.b:5000"), Some(password("me", "pass:word")));
    assert_eq!(found(&desk, "docker.io"), Some(password("hub", "secret")));
    assert_eq!(found(&desk, "c.d"), Some(Credential::IdentityToken("t".into())));
    assert_eq!([found(&desk, "e.f"), found(&desk, "a.b")], [None, None]);
}

#[test]
fn a_login_is_kept_closed_and_beside_what_others_keep_there() {
    let desk = Desk::new(r#"{"HttpHeaders": {"X": "y"}, "auths": {"https://a.b/v1/": {"auth": "eDp5"}}, "z": [1]}"#);
    fs::set_permissions(desk.config(), fs::Permissions::from_mode(0o644)).unwrap();
    let place = desk.store().keep(&server("a.b"), &password("me", "word")).unwrap();
    assert_eq!(place, Place::File(desk.config()));
    assert_eq!(found(&desk, "a.b"), Some(password("me", "word")));
    assert_eq!(fs::metadata(desk.config()).unwrap().permissions().mode() & 0o777, 0o600);
    let value: serde_json::Value = serde_json::from_str(&desk.text()).unwrap();
    assert_eq!((&value["HttpHeaders"]["X"], &value["z"][0]), (&"y".into(), &1.into()));
    assert_eq!(value["auths"].as_object().unwrap().len(), 1, "the old key of the same server is replaced");
    assert_eq!(desk.store().forget(&server("a.b")).unwrap(), Some(place));
    assert_eq!(desk.store().forget(&server("a.b")).unwrap(), None);
    assert_eq!(fs::read_dir(desk.directory.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_helper_gets_and_gives_the_secret_and_the_file_none_of_it() {
    let desk = Desk::new(r#"{"credHelpers": {"a.b": "test"}}"#);
    desk.helper("test", KEEPER);
    assert_eq!(found(&desk, "a.b"), None);
    let place = desk.store().keep(&server("a.b"), &password("me", "sentinel")).unwrap();
    assert_eq!(place, Place::Helper("docker-credential-test".into()));
    assert_eq!(found(&desk, "a.b"), Some(password("me", "sentinel")));
    assert!(!desk.text().contains("sentinel"), "{}", desk.text());
    assert_eq!(fs::read_to_string(desk.directory.path().join("asked")).unwrap(), "a.b");
    desk.store().forget(&server("a.b")).unwrap();
    assert_eq!(found(&desk, "a.b"), None);
    desk.store().keep(&server("a.b"), &Credential::IdentityToken("t".into())).unwrap();
    assert_eq!(found(&desk, "a.b"), Some(Credential::IdentityToken("t".into())));
}

#[test]
fn one_store_for_all_is_asked_by_docker_hubs_old_name_too() {
    let desk = Desk::new(r#"{"credsStore": "test", "auths": {"e.f": {"auth": "eDp5"}}}"#);
    desk.helper("test", KEEPER);
    desk.store().keep(&server("docker.io"), &password("me", "word")).unwrap();
    assert_eq!(found(&desk, "docker.io"), Some(password("me", "word")));
    assert_eq!(fs::read_to_string(desk.directory.path().join("asked")).unwrap(), "https://index.docker.io/v1/");
}

#[test]
fn a_missing_or_broken_helper_is_named_and_matters_to_its_registry_alone() {
    let desk = Desk::new(
        r#"{"credHelpers": {"a.b": "gone", "c.d": "bad", "e.f": "../x", "g.h": "talk"}, "auths": {"i.j": {"auth": "eDp5"}}}"#,
    );
    desk.helper("bad", "echo out of order; echo sentinel >&2; exit 3");
    desk.helper("talk", "echo sentinel");
    let error = |domain: &str| desk.store().find(&server(domain)).unwrap_err().to_string();
    assert_eq!(error("a.b"), "credential helper `docker-credential-gone` is not in PATH");
    assert_eq!(error("c.d"), "credential helper `docker-credential-bad` failed: out of order");
    assert!(error("e.f").contains("has a name that is not"));
    assert_eq!(error("g.h"), "credential helper `docker-credential-talk` does not answer with the JSON it should");
    assert_eq!(found(&desk, "i.j"), Some(password("x", "y")));
}

#[test]
fn the_second_file_is_asked_for_what_the_first_does_not_know() {
    let (first, second) = (Desk::new("{}"), Desk::new(r#"{"auths": {"a.b/team": {"auth": "eDp5"}}}"#));
    let store = CredentialStore::new(vec![PathBuf::from("/nonexistent/x"), first.config(), second.config()], vec![]);
    let of = |path| store.find(&Server::new("a.b", Some(path))).unwrap().and_then(|found| found.place);
    assert_eq!(of("team/app"), Some(Place::File(second.config())));
    assert_eq!(of("other/app"), None);
}

#[test]
fn a_damaged_file_is_named_and_its_content_is_not_repeated() {
    let desk = Desk::new("{\"auths\": {\"a.b\": {\"auth\": \"c2VudGluZWw=\"}}}");
    let error = desk.store().find(&server("a.b")).unwrap_err().to_string();
    assert!(error.ends_with("the login of `a.b` is not base64 of `user:password`"), "{error}");
    fs::write(desk.config(), "{\n\"sentinel").unwrap();
    let error = desk.store().find(&server("a.b")).unwrap_err().to_string();
    assert!(error.ends_with("is not a JSON object of the form docker writes (line 2)"), "{error}");
    assert!(desk.store().keep(&server("a.b"), &password("me", "word")).is_err(), "what is there is not lost");
    assert_eq!(desk.text(), "{\n\"sentinel");
}

#[test]
fn a_secret_is_not_shown() {
    let all = [password("me", "sentinel"), Credential::IdentityToken("sentinel".into())];
    assert!(!format!("{all:?}").contains("sentinel"));
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(text in "\\PC{0,200}") {
        let desk = Desk::new(&text);
        let _ = desk.store().find(&server("a.b"));
    }

    #[test]
    fn any_password_reads_back(user in "[^:\\x00]{1,20}", word in "[^\\x00]{0,40}") {
        let desk = Desk::new("{}");
        desk.store().keep(&server("a.b"), &password(&user, &word)).unwrap();
        prop_assert_eq!(found(&desk, "a.b"), Some(password(&user, &word)));
    }
}
