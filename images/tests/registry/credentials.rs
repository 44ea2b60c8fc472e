//! Who we are, to whom, and to whom not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lighter_images::progress::{Event, Progress, Silent};
use lighter_images::pull::pull;
use lighter_images::push::{PushOptions, push};
use lighter_images::registry::{Credential, CredentialStore, Place, RegistryConfig, login, logout};

use crate::image::publish;
use crate::mock::{Fault, Registry};
use crate::{Scene, reference, shown, two_layers};

/// What the tests log in as; `SECRET` must be seen nowhere but where it belongs.
const USER: &str = "captain";
const SECRET: &str = "sentinel-4711";

/// `captain:sentinel-4711` in base64, as RFC 7617 has it.
const BASIC: &str = "Basic Y2FwdGFpbjpzZW50aW5lbC00NzEx";

/// Keeps warnings.
#[derive(Default)]
struct Warnings(std::sync::Mutex<Vec<String>>);

impl Progress for Warnings {
    fn report(&self, event: Event<'_>) {
        if let Event::Warning { text } = event {
            self.0.lock().expect("no test panics while it reports").push(text.to_owned());
        }
    }
}

impl Scene {
    fn logins(&self) -> PathBuf {
        self.directory.path().join("config.json")
    }

    /// Has the scene look for logins in a file with this text.
    fn keep(&mut self, text: &str) {
        fs::write(self.logins(), text).expect("the directory is ours");
        let programs = vec![self.directory.path().to_owned()];
        self.options.access.credentials = CredentialStore::new(vec![self.logins()], programs);
    }

    /// Keeps the tests' login for the scene's registry.
    fn keep_login(&mut self) {
        let auth = BASIC.trim_start_matches("Basic ");
        self.keep(&format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, self.registry.address));
    }

    /// Pulls `a:1`, and returns the warnings.
    fn pull_and_watch(&self) -> (bool, Vec<String>) {
        let warnings = Warnings::default();
        let result = pull(&self.store, &reference(&self.name("a:1")), &self.options, &warnings);
        (result.is_ok(), warnings.0.into_inner().expect("nobody panicked"))
    }
}

fn password() -> Credential {
    Credential::Password { user: USER.to_owned(), password: SECRET.to_owned() }
}

#[test]
#[ignore = "needs root"]
fn a_registry_that_wants_a_token_gets_one_for_that_repository() {
    let scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    scene.registry.require_token(&scene.registry.address);
    scene.pull("a:1").unwrap();
    let tokens = scene.registry.asked("/token");
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].path, "/token?service=mock&scope=repository%3Aa%3Apull");
    let blobs = scene.registry.asked("/blobs/");
    assert!(blobs.iter().all(|asked| asked.authorization.as_deref() == Some("Bearer sesame-1")));
    scene.registry.fail("/token", &[Fault::status(403, "")]);
    let error = shown(&scene.pull("secret:1").unwrap_err());
    assert!(error.contains("does not exist, or reading it needs a login"), "{error}");
}

#[test]
#[ignore = "needs root"]
fn a_token_that_runs_out_within_a_pull_is_renewed() {
    let scene = Scene::new();
    let layers = two_layers();
    publish(&scene.registry, "a", "1", &layers);
    scene.registry.require_token(&scene.registry.address);
    scene.registry.fail(layers[1].digest().as_str(), &[Fault::CutAt(100_000), Fault::Expire]);
    let image = scene.pull("a:1").unwrap();
    assert_eq!(scene.store.layers(&image).unwrap().len(), 2);
    assert_eq!(scene.registry.asked("/token").len(), 2);
}

#[test]
#[ignore = "needs root"]
fn a_password_is_shown_when_it_is_asked_for_and_not_before() {
    let mut scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    scene.keep_login();
    scene.pull("a:1").unwrap();
    assert!(scene.registry.asked("").iter().all(|asked| asked.authorization.is_none()), "nobody asked");
    scene.registry.require_basic(BASIC);
    publish(&scene.registry, "a", "2", &two_layers());
    scene.pull("a:2").unwrap();
    scene.registry.require_basic("Basic other");
    let error = shown(&scene.pull("a:3").unwrap_err());
    assert!(error.contains(&format!("access denied to user `{USER}` of `{}`", scene.logins().display())), "{error}");
    assert!(!error.contains(SECRET), "{error}");
}

#[test]
#[ignore = "needs root"]
fn a_redirect_to_another_host_takes_no_login_along() {
    for header in [BASIC, "token"] {
        let mut scene = Scene::new();
        let [first, second] = two_layers();
        let (digest, elsewhere) = (first.digest(), Registry::start());
        publish(&scene.registry, "a", "1", &[first, second]);
        elsewhere.serve("/cdn", "application/octet-stream", &two_layers()[0].blob);
        scene.keep_login();
        match header {
            BASIC => scene.registry.require_basic(BASIC),
            _ => scene.registry.require_token(&scene.registry.address),
        }
        let location = format!("Location: http://{}/cdn", elsewhere.address.replace("127.0.0.1", "localhost"));
        scene.registry.fail(digest.as_str(), &[Fault::status(307, location)]);
        scene.pull("a:1").unwrap();
        let seen = elsewhere.asked("/cdn");
        assert_eq!((seen.len(), &seen[0].authorization), (1, &None));
        assert!(scene.registry.asked(digest.as_str())[0].authorization.is_some(), "the registry itself saw it");
    }
}

#[test]
#[ignore = "needs root"]
fn a_host_behind_a_redirect_gets_no_login_by_asking_for_one() {
    let mut scene = Scene::new();
    let [first, second] = two_layers();
    let (digest, elsewhere) = (first.digest(), Registry::start());
    publish(&scene.registry, "a", "1", &[first, second]);
    scene.keep_login();
    elsewhere.require_basic(BASIC);
    elsewhere.serve("/cdn", "application/octet-stream", b"");
    let location = format!("Location: http://{}/cdn", elsewhere.address);
    scene.registry.fail(digest.as_str(), &vec![Fault::status(307, location); 9]);
    let error = shown(&scene.pull("a:1").unwrap_err());
    assert!(error.contains("access denied"), "{error}");
    let seen = [elsewhere.asked(""), scene.registry.asked("")].concat();
    assert!(seen.iter().all(|asked| asked.authorization.is_none()), "{seen:?}");
}

#[test]
#[ignore = "needs root"]
fn a_limit_says_as_whom_we_asked() {
    let mut scene = Scene::new();
    scene.keep_login();
    scene.registry.require_basic(BASIC);
    publish(&scene.registry, "a", "1", &two_layers());
    scene.registry.fail(
        "manifests/1",
        &[Fault::status(401, "WWW-Authenticate: Basic realm=x"), Fault::status(429, "Retry-After: 86400")],
    );
    let error = shown(&scene.pull("a:1").unwrap_err());
    let expected =
        format!("answers 429 and asks to wait 86400 s (asked as user `{USER}` of `{}`)", scene.logins().display());
    assert!(error.ends_with(&expected), "{error}");
}

#[test]
#[ignore = "needs root"]
fn a_redirect_to_where_clouds_keep_secrets_is_refused() {
    let scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    scene.registry.fail("manifests/1", &[Fault::status(307, "Location: http://169.254.169.254/latest/meta-data")]);
    let error = shown(&scene.pull("a:1").unwrap_err());
    assert!(error.contains("redirect to a link-local address refused"), "{error}");
    let again = vec![Fault::status(307, "Location: /v2/a/manifests/1"); 20];
    scene.registry.fail("manifests/1", &again);
    let error = shown(&scene.pull("a:1").unwrap_err());
    assert!(error.contains("too many redirects"), "{error}");
}

#[test]
#[ignore = "needs root"]
fn a_token_server_of_another_domain_is_not_told_the_password_unless_it_is_listed() {
    let mut scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    scene.keep_login();
    let elsewhere = Registry::start();
    scene.registry.require_token(&elsewhere.address.replace("127.0.0.1", "localhost"));
    let (succeeded, warnings) = scene.pull_and_watch();
    assert!(succeeded && warnings[0].contains("token server `localhost` is not of the domain"), "{warnings:?}");
    assert_eq!(elsewhere.asked("/token")[0].authorization, None);

    let text = format!("[registry.'{}']\ntoken_servers = ['localhost']", scene.registry.address);
    scene.options.access.config = RegistryConfig::parse(&text, Path::new("config.toml")).unwrap();
    scene.store.remove(&scene.name("a:1"), false, &|_| None).unwrap();
    assert_eq!(scene.pull_and_watch(), (true, vec![]));
    let asked = &elsewhere.asked("/token")[1];
    assert_eq!(asked.authorization.as_deref(), Some(BASIC));
    assert_eq!(asked.path, "/token?service=mock&scope=repository%3Aa%3Apull&account=captain");
}

#[test]
#[ignore = "needs root"]
fn an_identity_token_is_exchanged_for_tokens_by_post() {
    let mut scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    scene.registry.require_token(&scene.registry.address);
    scene.keep("{}");
    let logged_in = login(&scene.registry.address, &password(), &scene.options.access).unwrap();
    assert_eq!(logged_in.place, Place::File(scene.logins()));
    let asked = &scene.registry.asked("/token")[0];
    assert_eq!(asked.path, "/token?service=mock&account=captain&client_id=lighter&offline_token=true");
    assert_eq!(asked.authorization.as_deref(), Some(BASIC));
    let kept = fs::read_to_string(scene.logins()).unwrap();
    assert!(kept.contains("open-1") && !kept.contains(BASIC.trim_start_matches("Basic ")), "{kept}");

    scene.pull("a:1").unwrap();
    let asked = &scene.registry.asked("/token")[1];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/token"));
    let form =
        "grant_type=refresh_token&refresh_token=open-1&service=mock&client_id=lighter&scope=repository%3Aa%3Apull";
    assert_eq!(String::from_utf8_lossy(&asked.body), form);
    assert_eq!(asked.authorization, None);
}

#[test]
#[ignore = "needs root"]
fn a_login_is_kept_only_when_the_registry_takes_it() {
    let mut scene = Scene::new();
    scene.keep("{}");
    let address = scene.registry.address.clone();
    scene.registry.require_basic("Basic other");
    let error = shown(&login(&address, &password(), &scene.options.access).unwrap_err());
    let expected = format!("log in to `{address}`: registry `http://{address}`: access denied to user `captain`");
    assert_eq!(error, expected);
    assert_eq!(fs::read_to_string(scene.logins()).unwrap(), "{}");

    scene.registry.require_basic(BASIC);
    login(&address, &password(), &scene.options.access).unwrap();
    assert_eq!(fs::metadata(scene.logins()).unwrap().permissions().mode() & 0o777, 0o600);
    publish(&scene.registry, "a", "1", &two_layers());
    scene.pull("a:1").unwrap();
    assert_eq!(logout(&address, &scene.options.access).unwrap(), Some(Place::File(scene.logins())));
    assert_eq!(logout(&address, &scene.options.access).unwrap(), None);
    assert!(scene.pull("a:2").is_err());
}

#[test]
#[ignore = "needs root"]
fn a_broken_helper_is_told_and_a_public_image_comes_all_the_same() {
    let mut scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    scene.registry.require_token(&scene.registry.address);
    scene.keep(r#"{"credsStore": "gone"}"#);
    let (succeeded, warnings) = scene.pull_and_watch();
    let expected = "going on without a login: credential helper `docker-credential-gone` is not in PATH";
    assert_eq!((succeeded, warnings), (true, vec![expected.to_owned()]));
}

#[test]
#[ignore = "needs root"]
fn an_upload_that_goes_on_at_another_host_takes_no_login_along() {
    let mut scene = Scene::new();
    publish(&scene.registry, "a", "1", &two_layers());
    scene.pull("a:1").unwrap();
    let (target, elsewhere) = (Registry::start(), Registry::start());
    scene.configure(&target.address, &[&format!("http://{}", scene.registry.address)]);
    let name = reference(&format!("{}/a:1", target.address));
    pull(&scene.store, &name, &scene.options, &Silent).unwrap();
    target.require_basic(BASIC);
    let auth = BASIC.trim_start_matches("Basic ");
    scene.keep(&format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, target.address));
    target.fail("/blobs/uploads/", &vec![Fault::Elsewhere(elsewhere.address.clone()); 3]);
    let options = PushOptions { access: scene.options.access.clone(), ..PushOptions::default() };
    // The other host knows nothing of the uploads, so they begin again; what matters is what it was told.
    push(&scene.store, &name, &options, &Silent).unwrap();
    let seen = elsewhere.asked("/upload/");
    assert!(!seen.is_empty() && seen.iter().all(|asked| asked.authorization.is_none()), "{seen:?}");
}
