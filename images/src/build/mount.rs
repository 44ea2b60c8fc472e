//! `RUN --mount`: what it says.
//!
//! Runs in the shell command's process; pure. Dockerfile reference, "RUN --mount".

use super::fault::{Problem, closest};
use super::path::{last, resolve};

/// One mount of a RUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountSpec {
    /// What appears there.
    pub(crate) kind: Kind,
    /// Absolute path inside; empty where the kind has none or chooses one.
    pub(crate) target: String,
    pub(crate) is_read_only: bool,
    /// Stage, image or named context that the files come from; `None` is the build context.
    pub(crate) from: Option<String>,
    /// Path below that.
    pub(crate) source: String,
    pub(crate) id: Option<String>,
    pub(crate) is_required: bool,
    /// Environment variable that gets a secret.
    pub(crate) variable: Option<String>,
    pub(crate) mode: Option<u32>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Bytes of a tmpfs.
    pub(crate) size: Option<u64>,
    pub(crate) sharing: Sharing,
}

/// What a mount shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    Shared,
    /// Whoever comes while it is in use gets another one.
    Private,
    /// Whoever comes while it is in use waits.
    Locked,
}

/// The keys of a mount.
const KEYS: [&str; 19] = [
    "dst",
    "destination",
    "env",
    "from",
    "gid",
    "id",
    "mode",
    "readonly",
    "readwrite",
    "required",
    "ro",
    "rw",
    "sharing",
    "size",
    "source",
    "src",
    "target",
    "type",
    "uid",
];

/// Returns what a mount takes its files from, as it is written.
pub(crate) fn source_of(text: &str) -> Option<String> {
    fields(text).into_iter().find(|(key, _)| key == "from").and_then(|(_, value)| value)
}

/// Splits `key=value,key`; a value in double quotes may have commas in it.
fn fields(text: &str) -> Vec<(String, Option<String>)> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for char in text.chars() {
        match char {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            _ => fields.last_mut().expect("there is one from the beginning").push(char),
        }
    }
    let pair = |field: String| match field.split_once('=') {
        Some((key, value)) => (key.trim().to_ascii_lowercase(), Some(value.to_owned())),
        None => (field.trim().to_ascii_lowercase(), None),
    };
    fields.into_iter().map(pair).collect()
}

impl MountSpec {
    /// Reads a mount whose variables are expanded; a relative target starts at `working_dir`.
    ///
    /// # Errors
    /// An unknown key or value, or one that the kind of mount does not have.
    pub(crate) fn parse(text: &str, working_dir: &str) -> Result<MountSpec, Problem> {
        let mut mount = MountSpec {
            kind: Kind::Bind,
            target: String::new(),
            is_read_only: true,
            from: None,
            source: String::new(),
            id: None,
            is_required: false,
            variable: None,
            mode: None,
            uid: 0,
            gid: 0,
            size: None,
            sharing: Sharing::Shared,
        };
        let fields = fields(text);
        let kind = fields.iter().rfind(|(key, _)| key == "type").and_then(|(_, value)| value.as_deref());
        mount.kind = match kind.unwrap_or("bind") {
            "bind" => Kind::Bind,
            "cache" => Kind::Cache,
            "tmpfs" => Kind::Tmpfs,
            "secret" => Kind::Secret,
            "ssh" => Kind::Ssh,
            other => return Err(wrong(format!("there is no type `{other}`"))),
        };
        mount.is_read_only = mount.kind == Kind::Bind;
        for (key, value) in &fields {
            mount.set(key, value.as_deref())?;
        }
        mount.finish(working_dir)
    }

    fn set(&mut self, key: &str, value: Option<&str>) -> Result<(), Problem> {
        if !KEYS.contains(&key) {
            let meant = closest(key, &KEYS).map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
            return Err(wrong(format!("there is no key `{key}`{meant}")));
        }
        let is_for = |kinds: &[Kind]| match kinds.contains(&self.kind) {
            true => Ok(()),
            false => Err(wrong(format!("a mount of this type has no `{key}`"))),
        };
        let switch = || match value {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(wrong(format!("`{key}={other}` is neither true nor false"))),
        };
        let needed = || value.map(str::to_owned).ok_or_else(|| wrong(format!("`{key}` needs a value")));
        let octal = |text: String| u32::from_str_radix(&text, 8).map_err(|_| wrong(format!("`{text}` is no mode")));
        let number = |text: String| text.parse().map_err(|_| wrong(format!("`{key}={text}` is no number")));
        match key {
            "type" => {}
            "target" | "dst" | "destination" => self.target = needed()?,
            "source" | "src" => is_for(&[Kind::Bind, Kind::Cache]).and(needed()).map(|path| self.source = path)?,
            "from" => is_for(&[Kind::Bind, Kind::Cache]).and(needed()).map(|from| self.from = Some(from))?,
            "readonly" | "ro" => self.is_read_only = switch()?,
            "readwrite" | "rw" => self.is_read_only = !switch()?,
            "id" => is_for(&[Kind::Cache, Kind::Secret, Kind::Ssh]).and(needed()).map(|id| self.id = Some(id))?,
            "required" => is_for(&[Kind::Secret, Kind::Ssh]).and(switch()).map(|is| self.is_required = is)?,
            "env" => is_for(&[Kind::Secret]).and(needed()).map(|name| self.variable = Some(name))?,
            "mode" => self.mode = Some(needed().and_then(octal)?),
            "uid" => self.uid = needed().and_then(number)?,
            "gid" => self.gid = needed().and_then(number)?,
            "size" => is_for(&[Kind::Tmpfs]).and(needed().and_then(bytes)).map(|size| self.size = Some(size))?,
            _ => {
                self.sharing = match needed()?.as_str() {
                    "shared" => Sharing::Shared,
                    "private" => Sharing::Private,
                    "locked" => Sharing::Locked,
                    other => return Err(wrong(format!("there is no sharing `{other}`"))),
                }
            }
        }
        Ok(())
    }

    /// Fills in what follows from the rest.
    fn finish(mut self, working_dir: &str) -> Result<MountSpec, Problem> {
        match self.kind {
            Kind::Secret => {
                let id = self.id.clone().or_else(|| Some(last(&self.target).to_owned()).filter(|id| !id.is_empty()));
                let id = id.ok_or_else(|| wrong("a secret needs `id` or `target`"))?;
                if self.target.is_empty() && self.variable.is_none() {
                    self.target = format!("/run/secrets/{id}");
                }
                self.id = Some(id);
            }
            Kind::Ssh => {}
            _ if self.target.is_empty() => return Err(wrong("`target` is missing")),
            _ => {}
        }
        if !self.target.is_empty() {
            self.target = resolve(working_dir, &self.target);
            if self.target == "/" {
                return Err(wrong("`target` cannot be the root"));
            }
        }
        Ok(self)
    }
}

/// Reads a number of bytes with an optional unit.
fn bytes(text: String) -> Result<u64, Problem> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.find(|char: char| !char.is_ascii_digit()).unwrap_or(lower.len());
    let shift = match lower[digits..].trim_end_matches("ib").trim_end_matches('b') {
        "" => Some(0),
        "k" => Some(10),
        "m" => Some(20),
        "g" => Some(30),
        _ => None,
    };
    let size = shift.and_then(|shift| lower[..digits].parse::<u64>().ok()?.checked_mul(1 << shift));
    size.ok_or_else(|| wrong(format!("`{text}` is no size")))
}

fn wrong(why: impl Into<String>) -> Problem {
    Problem::flag("RUN", "mount", why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> MountSpec {
        MountSpec::parse(text, "/srv").unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn each_type_has_its_defaults() {
        let bind = parse("source=a,target=b");
        assert_eq!((bind.kind, bind.target.as_str(), bind.is_read_only), (Kind::Bind, "/srv/b", true));
        assert!(!parse("type=bind,TARGET=/x,rw").is_read_only);
        let cache = parse("type=cache,target=/var/cache,sharing=locked,uid=5,mode=0700");
        assert_eq!(
            (cache.sharing, cache.uid, cache.mode, cache.is_read_only),
            (Sharing::Locked, 5, Some(0o700), false)
        );
        let secret = parse("type=secret,id=key,required");
        assert_eq!((secret.target.as_str(), secret.is_required), ("/run/secrets/key", true));
        let variable = parse("type=secret,id=key,env=KEY");
        assert_eq!((variable.target.as_str(), variable.variable.as_deref()), ("", Some("KEY")));
        assert_eq!(parse("type=tmpfs,target=/t,size=2m").size, Some(2 << 20));
        assert_eq!(parse("\"type=bind\",\"target=/a,b\"").target, "/a,b");
        assert_eq!(source_of("type=bind,from=x,target=/y").as_deref(), Some("x"));
    }

    #[test]
    fn what_a_mount_does_not_have_is_refused() {
        for text in [
            "",
            "target=/",
            "type=x,target=/a",
            "tarket=/a",
            "target=/a,size=1",
            "type=tmpfs,target=/a,from=x",
            "type=secret",
            "type=cache,target=/a,sharing=x",
            "target",
            "type=tmpfs,target=/a,size=x",
            "target=/a,mode=9",
        ] {
            assert!(MountSpec::parse(text, "/").is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z=,\"/0-9]{0,60}") {
            let _ = MountSpec::parse(&text, "/");
            let _ = source_of(&text);
        }
    }
}
