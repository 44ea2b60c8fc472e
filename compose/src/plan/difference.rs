//! In which fields two specifications differ, in the words of a compose file.

use lighter_engine::{ContainerSpec, Mount, MountKind, NetworkMode};
use serde_json::Value;

/// Longest value shown; more would hide what the line is about.
const LONGEST: usize = 60;

/// Returns one line for each field: ``environment.LEVEL `low` → `high` ``. Labels of ours, names of anonymous volumes and
/// the image are not compared.
pub(super) fn difference(old: &ContainerSpec, new: &ContainerSpec) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", &comparable(old), &comparable(new), &mut lines);
    lines
}

/// Returns a specification as a tree without what may differ between equal services.
fn comparable(spec: &ContainerSpec) -> Value {
    let mut value = serde_json::to_value(spec).unwrap_or_default();
    let Some(fields) = value.as_object_mut() else { return value };
    if let NetworkMode::Container(_) = spec.network {
        // The old one has the id of a container, the new one its name.
        fields.insert("network".to_owned(), Value::from("that of a container"));
    }
    for field in ["name", "image", "entrypoint_len", "exposed"] {
        fields.remove(field);
    }
    if let Some(labels) = fields.get_mut("labels").and_then(Value::as_object_mut) {
        labels.retain(|name, _| !name.starts_with("com.docker.compose."));
    }
    let pairs = spec.env.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let environment = pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    fields.insert("env".to_owned(), Value::Object(environment));
    let (content, mounts): (Vec<_>, Vec<_>) = spec.mounts.iter().partition(|mount| digest(mount).is_some());
    let mounts = mounts.into_iter().map(|mount| (mount.target.clone(), comparable_mount(mount)));
    fields.insert("mounts".to_owned(), Value::Object(mounts.collect()));
    let content = content.into_iter().map(|mount| (mount.target.clone(), Value::from(digest(mount))));
    fields.insert("content".to_owned(), Value::Object(content.collect()));
    value
}

/// Returns the name of a file with the content of a config or secret: a digest, with which a short secret could be guessed.
fn digest(mount: &Mount) -> Option<String> {
    let MountKind::Bind { source, .. } = &mount.kind else { return None };
    let name = source.file_name()?.to_str()?;
    let is_digest = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| name.to_owned())
}

/// Returns a mount as a tree without the layer for its kind.
fn comparable_mount(mount: &Mount) -> Value {
    let mut fields = serde_json::Map::from_iter([("read_only".to_owned(), Value::from(mount.read_only))]);
    let kind = serde_json::to_value(&mount.kind).unwrap_or_default();
    for (kind, of_kind) in kind.as_object().into_iter().flatten() {
        fields.insert("type".to_owned(), Value::from(kind.as_str()));
        fields.extend(of_kind.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    }
    if matches!(mount.kind, MountKind::Volume { anonymous: true, .. }) {
        fields.remove("name");
    }
    Value::Object(fields)
}

fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = if path.is_empty() { word(key).to_owned() } else { format!("{path}.{key}") };
                compare(&path, before.get(key).unwrap_or(&Value::Null), after.get(key).unwrap_or(&Value::Null), lines);
            }
        }
        _ => lines.push(format!("{path} {} → {}", shown(path, old), shown(path, new))),
    }
}

/// Names a field as a compose file does.
fn word(field: &str) -> &str {
    match field {
        "env" => "environment",
        "args" => "command",
        "mounts" => "volumes",
        "isolation" => "security",
        "stop_grace" => "stop_grace_period",
        "health" => "healthcheck",
        "log" => "logging",
        "open_stdin" => "stdin_open",
        other => other,
    }
}

fn shown(path: &str, value: &Value) -> String {
    // A plan is shown and logged: what looks like a secret stays out of it.
    let name = path.to_ascii_lowercase();
    let secret = name.starts_with("content.")
        || ["password", "passwd", "secret", "token", "key"].iter().any(|word| name.contains(word));
    match value {
        Value::Null => "nothing".to_owned(),
        _ if secret => "`…`".to_owned(),
        Value::String(text) if name.ends_with("_proxy") && !text.contains("//") => {
            format!("`{}`", cut(&without_password(text))) // a proxy may be named without a scheme
        }
        Value::String(text) => format!("`{}`", cut(&without_passwords(text))),
        other => format!("`{}`", cut(&masked(other).to_string())),
    }
}

/// Returns a value with each of its texts as [`without_passwords`] has it.
fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(without_passwords(text)),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), masked(value))).collect(),
        other => other.clone(),
    }
}

/// Returns a text with `…` for the password in each of its URLs, as in `HTTP_PROXY` and `DATABASE_URL`.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("//");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // who and where: up to a path, a query or a fragment (RFC 3986, 3.2), or the end of the URL
        let end = part.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#')).unwrap_or(part.len());
        let (authority, behind) = part.split_at(end);
        shown.extend(["//", &without_password(authority), behind]);
    }
    shown
}

/// Returns `USER:PASSWORD@HOST` with `…` for the password.
fn without_password(authority: &str) -> String {
    let Some((user, host)) = authority.rsplit_once('@') else { return authority.to_owned() };
    match user.split_once(':') {
        Some((user, _)) => format!("{user}:…@{host}"),
        None => authority.to_owned(),
    }
}

fn cut(text: &str) -> String {
    let text: String = text.escape_debug().collect();
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use lighter_engine::ImageSource;

    use super::*;

    fn spec() -> ContainerSpec {
        let image = ImageSource { reference: "tea".to_owned(), id: "sha256:1".to_owned() };
        ContainerSpec::new("web-1".to_owned(), image, vec!["serve".to_owned()])
    }

    #[test]
    fn every_changed_field_is_named_as_in_the_file() {
        let (mut old, mut new) = (spec(), spec());
        old.env = vec!["LEVEL=low".to_owned(), "SAME=1".to_owned(), "DB_PASSWORD=a".to_owned()];
        new.env = vec!["SAME=1".to_owned(), "LEVEL=high".to_owned(), "NEW=x".to_owned(), "DB_PASSWORD=b".to_owned()];
        new.args = vec!["serve".to_owned(), "--fast".to_owned()];
        new.resources.memory = Some(1024);
        new.labels.insert("com.docker.compose.config-hash".to_owned(), "other".to_owned());
        assert_eq!(
            difference(&old, &new),
            [
                "command `[\"serve\"]` → `[\"serve\",\"--fast\"]`".replace("\"", "\\\""),
                "environment.DB_PASSWORD `…` → `…`".to_owned(),
                "environment.LEVEL `low` → `high`".to_owned(),
                "environment.NEW nothing → `x`".to_owned(),
                "resources.memory nothing → `1024`".to_owned(),
            ]
        );
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        for (text, shown) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://me:hush@proxy:3128/x@y:z", "http://me:…@proxy:3128/x@y:z"),
            ("http://me:hu@sh:1@proxy", "http://me:…@proxy"),
            ("http://me@proxy", "http://me@proxy"),
            ("--db=pg://a:b@c/d --cache redis://:e@f", "--db=pg://a:…@c/d --cache redis://:…@f"),
            ("kafka://a:b@c,kafka://d:e@f", "kafka://a:…@c,kafka://d:…@f"),
            ("registry:5000/tea@sha256:1", "registry:5000/tea@sha256:1"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
        let (mut old, mut new) = (spec(), spec());
        old.env = vec!["https_proxy=me:hush@proxy:3128".to_owned()];
        new.env = vec!["https_proxy=http://me:hush@proxy:3128".to_owned()];
        new.args = vec!["--db=pg://a:b@c".to_owned()];
        assert_eq!(
            difference(&old, &new),
            [
                r#"command `[\"serve\"]` → `[\"--db=pg://a:…@c\"]`"#,
                "environment.https_proxy `me:…@proxy:3128` → `http://me:…@proxy:3128`"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_password_it_is_not_shown(password in "[^\\s/?#]{8,20}") {
            let shown = without_passwords(&format!("http://me:{password}@host/"));
            assert_eq!(shown, "http://me:…@host/", "{password}");
        }
    }
}
