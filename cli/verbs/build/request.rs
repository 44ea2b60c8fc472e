//! From flags to what is built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lighter_engine::images::archive::LayoutImage;
use lighter_engine::images::build::{Allowed, BuildRequest, NamedContext, RunOptions, Secret, StepNetwork, is_remote};

use super::{BuildFlags, Source, cache};
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::run::parse;

/// Variables that become build arguments by themselves, as docker's client takes them from its configuration.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

pub(super) fn request(ctx: &Context, flags: &BuildFlags, source: &Source) -> Result<BuildRequest, Failure> {
    refuse(flags)?;
    let here = &ctx.invocation.working_directory;
    let mut arguments: BTreeMap<_, _> = ctx.proxies().into_iter().collect();
    for pair in flags.build_arg.iter().filter_map(|text| ctx.pair(text)) {
        let (name, value) = pair.split_once('=').expect("a completed pair has a `=`");
        arguments.insert(name.to_owned(), value.to_owned());
    }
    let epoch = arguments.get(EPOCH).map(String::as_str).or(ctx.variable(EPOCH)).filter(|text| !text.is_empty());
    let epoch = epoch.map(|text| text.parse().map_err(|_| Failure::text(format!("{EPOCH}=`{text}` is no number"))));
    let contexts = flags.build_context.iter().map(|text| {
        let (name, place) = pair("--build-context", text)?;
        Ok((name, place_of(&place, here)?))
    });
    if is_on(&arguments, "BUILDKIT_MULTI_PLATFORM") {
        let how = "an index is made where --platform names several platforms";
        return Err(Failure::text(format!("--build-arg `BUILDKIT_MULTI_PLATFORM` is not supported: {how}")));
    }
    let has_inline_cache = cache::is_inline(&flags.cache_to) || is_on(&arguments, "BUILDKIT_INLINE_CACHE");
    let run = RunOptions { hostname: arguments.get("BUILDKIT_SANDBOX_HOSTNAME").cloned(), ..run_options(flags)? };
    let mut request = BuildRequest {
        file_name: source.file_name.clone(),
        dockerfile: source.dockerfile.clone(),
        context: source.folder.clone(),
        ignore: source.ignore.clone(),
        contexts: contexts.collect::<Result<_, Failure>>()?,
        arguments,
        target: flags.target.clone(),
        labels: flags.label.iter().map(|text| pair("--label", text)).collect::<Result<_, _>>()?,
        no_cache: flags.no_cache,
        no_cache_filter: flags.no_cache_filter.clone(),
        pull: flags.pull,
        pull_options: ctx.pull_options(None)?,
        run,
        allowed: allowed(&flags.allow)?,
        latest_time: epoch.transpose()?,
        cache_sources: cache::sources(&flags.cache_from, here)?,
        has_inline_cache,
        ..BuildRequest::default()
    };
    for text in &flags.secret {
        let (id, secret) = secret(ctx, text)?;
        request.secrets.insert(id, secret);
    }
    for text in &flags.ssh {
        let (id, socket) = agent(ctx, text)?;
        request.agents.insert(id, socket);
    }
    Ok(request)
}

/// Refuses what docker has and lighter has not, instead of doing something else.
fn refuse(flags: &BuildFlags) -> Result<(), Failure> {
    let no_scanner = |flag: String| {
        Failure::text(format!("{flag}: a list of what is in the image is not supported"))
            .hint("run a scanner on the image, or on what `--output type=oci` writes")
    };
    if flags.sbom.as_deref().is_some_and(|value| !matches!(value, "false" | "0" | "none")) {
        return Err(no_scanner("--sbom".to_owned()));
    }
    for text in &flags.attest {
        let fields = fields(text);
        match fields.get("type") {
            Some(&"provenance") => {}
            Some(&"sbom") if fields.get("disabled") == Some(&"true") => {}
            Some(&"sbom") => return Err(no_scanner(format!("--attest `{text}`"))),
            _ => return Err(Failure::text(format!("--attest `{text}`: use type=provenance"))),
        }
    }
    if let Some(name) = flags.builder.as_ref().filter(|name| !name.is_empty() && *name != "default") {
        return Err(Failure::text(format!("--builder `{name}`: there is one builder, `default`")));
    }
    if let Some(method) = flags.call.as_ref().filter(|method| !["build", "check"].contains(&method.as_str())) {
        return Err(Failure::text(format!("--call `{method}` is not supported: use build or check")));
    }
    if flags.squash {
        return Err(Failure::text(
            "--squash is not supported: copy the files into a last stage that is `FROM scratch`",
        ));
    }
    if flags.rm == Some(false) {
        return Err(Failure::text("--rm=false: containers of steps never stay; see --debug-shell"));
    }
    Ok(())
}

/// Tells the argument by which BuildKit is told to keep git's own files of a context (Dockerfile reference, "BuildKit
/// built-in build args").
pub(crate) fn keeps_git(pair: &str) -> bool {
    matches!(pair.strip_prefix("BUILDKIT_CONTEXT_KEEP_GIT_DIR="), Some("1" | "true"))
}

/// Tells whether another of those arguments is set and says yes.
fn is_on(arguments: &BTreeMap<String, String>, name: &str) -> bool {
    arguments.get(name).is_some_and(|value| matches!(value.as_str(), "1" | "true"))
}

pub(super) fn pair(flag: &str, text: &str) -> Result<(String, String), Failure> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    match name.is_empty() {
        true => Err(Failure::text(format!("{flag} `{text}`: use NAME=VALUE"))),
        false => Ok((name.to_owned(), value.to_owned())),
    }
}

/// Reads where a named context is.
pub(crate) fn place_of(place: &str, here: &Path) -> Result<NamedContext, Failure> {
    if let Some(image) = place.strip_prefix("docker-image://") {
        return Ok(NamedContext::Image(image.to_owned()));
    }
    if is_remote(place) {
        return Ok(NamedContext::Remote(place.to_owned()));
    }
    if let Some(place) = place.strip_prefix("oci-layout://") {
        let (folder, image) = LayoutImage::split(place)
            .map_err(|error| Failure::text(format!("context `oci-layout://{place}`: {error}")))?;
        return Ok(NamedContext::Layout { folder: here.join(folder), image });
    }
    if place.starts_with("target:") {
        let how = "it means a target of a bake file: name the stage itself, or use `service:` in a Compose file";
        return Err(Failure::text(format!("context `{place}` is not supported: {how}")));
    }
    if place.contains("://") || place.starts_with("oci-layout:") {
        let how = "use a folder, docker-image://, oci-layout://, https:// or a git repository";
        return Err(Failure::text(format!("context `{place}` is not supported: {how}")));
    }
    let folder = here.join(place);
    match folder.is_dir() {
        true => Ok(NamedContext::Folder(folder)),
        false => Err(Failure::text(format!("context `{}` is no folder", folder.display()))),
    }
}

fn run_options(flags: &BuildFlags) -> Result<RunOptions, Failure> {
    let bytes = |text: &Option<String>| text.as_deref().map(parse::bytes).transpose();
    let host = |text: &String| {
        let pair = text.split_once('=').or_else(|| text.split_once(':'));
        let (name, address) = pair.ok_or_else(|| Failure::text(format!("--add-host `{text}`: use NAME:ADDRESS")))?;
        Ok::<_, Failure>((name.to_owned(), address.trim_matches(['[', ']']).to_owned()))
    };
    let ulimit = |text: &String| parse::ulimit(text).map(|limit| (limit.name, limit.soft, limit.hard));
    Ok(RunOptions {
        network: match flags.network.as_deref() {
            None | Some("default" | "bridge") => StepNetwork::Default,
            Some("none") => StepNetwork::None,
            Some("host") => StepNetwork::Host,
            Some(name) => StepNetwork::Named(name.to_owned()),
        },
        extra_hosts: flags.add_host.iter().map(host).collect::<Result<_, _>>()?,
        shm_size: bytes(&flags.shm_size)?,
        ulimits: flags.ulimit.iter().map(ulimit).collect::<Result<_, _>>()?,
        cgroup_parent: flags.cgroup_parent.clone(),
        memory: bytes(&flags.memory)?,
        hostname: None,
    })
}

fn allowed(rights: &[String]) -> Result<Allowed, Failure> {
    let mut allowed = Allowed::default();
    for right in rights.iter().flat_map(|text| text.split(',')) {
        match right {
            "network.host" => allowed.host_network = true,
            "security.insecure" => allowed.insecure = true,
            _ => return Err(Failure::text(format!("--allow `{right}`: use network.host or security.insecure"))),
        }
    }
    Ok(allowed)
}

/// Reads `key=value,key=value`.
pub(super) fn fields(text: &str) -> BTreeMap<&str, &str> {
    text.split(',').filter_map(|field| field.split_once('=')).map(|(key, value)| (key.trim(), value)).collect()
}

/// Reads `--secret`.
fn secret(ctx: &Context, text: &str) -> Result<(String, Secret), Failure> {
    let fields = fields(text);
    let wrong = |why: &str| Failure::text(format!("--secret `{text}`: {why}"));
    let known = ["id", "src", "source", "env", "type"];
    if let Some(other) = fields.keys().find(|key| !known.contains(key)) {
        return Err(wrong(&format!("there is no `{other}`")));
    }
    let id = fields.get("id").ok_or_else(|| wrong("use id=ID[,src=FILE|,env=VARIABLE]"))?;
    let value =
        |name: &str| ctx.invocation.environment.get(name).map(|value| Secret::Value(value.clone().into_bytes()));
    let file = |path: &str| Secret::File(ctx.invocation.working_directory.join(path));
    let source = fields.get("src").or(fields.get("source"));
    let secret = match (fields.get("env"), source, fields.get("type")) {
        (Some(name), _, _) => value(name).ok_or_else(|| wrong(&format!("variable `{name}` is not set")))?,
        (None, Some(name), Some(&"env")) => {
            value(name).ok_or_else(|| wrong(&format!("variable `{name}` is not set")))?
        }
        (None, Some(path), _) => file(path),
        // Docker's: a variable of that name, else a file.
        (None, None, _) => value(id).unwrap_or_else(|| file(id)),
    };
    if let Secret::File(path) = &secret
        && !path.is_file()
    {
        return Err(wrong(&format!("`{}` is no file", path.display())));
    }
    Ok(((*id).to_owned(), secret))
}

fn agent(ctx: &Context, text: &str) -> Result<(String, PathBuf), Failure> {
    let (id, socket) = text.split_once('=').map_or((text, None), |(id, socket)| (id, Some(socket)));
    let socket = socket.or(ctx.variable("SSH_AUTH_SOCK"));
    let socket = socket.ok_or_else(|| Failure::text(format!("--ssh `{text}`: SSH_AUTH_SOCK is not set")))?;
    let path = ctx.invocation.working_directory.join(socket);
    let is_socket =
        std::fs::metadata(&path).is_ok_and(|metadata| std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()));
    match is_socket {
        true => Ok((id.to_owned(), path)),
        false => Err(Failure::text(format!("--ssh `{text}`: `{}` is no agent's socket", path.display()))
            .hint("keys are not read here: start ssh-agent and add them")),
    }
}
