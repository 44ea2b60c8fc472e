//! The grammar of `build`.

use std::path::PathBuf;

use crate::error::Failure;
use crate::remote::{Visit, Way, source_file, word_file};

/// How Compose and `build` say what to build with
#[derive(clap::Args, Clone, Default)]
pub(crate) struct BuildFlags {
    /// Dockerfile, `-` for stdin [default: Dockerfile in the context]
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Name for the image; repeat for more
    #[arg(short, long = "tag", value_name = "NAME")]
    pub(super) tags: Vec<String>,
    /// Value of an ARG; a name alone takes our own variable's
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) build_arg: Vec<String>,
    /// Further context: a folder, `docker-image://IMAGE`, `oci-layout://FOLDER[:TAG|@DIGEST]`, the URL of a tar, or a git repository
    #[arg(long, value_name = "NAME=PLACE")]
    pub(super) build_context: Vec<String>,
    /// Stage whose result is wanted [default: the last]
    #[arg(long, value_name = "STAGE")]
    pub(super) target: Option<String>,
    /// Carry out every step anew
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Stages to carry out anew
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub(super) no_cache_filter: Vec<String>,
    /// Ask the registry even for images that are here
    #[arg(long)]
    pub(super) pull: bool,
    /// Secret for RUN: id=ID[,src=FILE|,env=VARIABLE]
    #[arg(long, value_name = "SECRET")]
    pub(super) secret: Vec<String>,
    /// Agent for RUN: `default`, or ID=SOCKET
    #[arg(long, value_name = "AGENT")]
    pub(super) ssh: Vec<String>,
    /// Label of the image
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) label: Vec<String>,
    /// Annotation of the image's manifest
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) annotation: Vec<String>,
    /// Platform of the image, or several of them: `linux/amd64,linux/arm64`
    #[arg(long, value_delimiter = ',')]
    pub(super) platform: Vec<String>,
    /// Network of RUN: default, none, host, or a network's name
    #[arg(long, value_name = "NETWORK")]
    pub(super) network: Option<String>,
    /// Line of /etc/hosts in RUN: NAME:ADDRESS
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub(super) add_host: Vec<String>,
    /// Parent cgroup of RUN
    #[arg(long, value_name = "NAME")]
    pub(super) cgroup_parent: Option<String>,
    /// Size of /dev/shm in RUN
    #[arg(long, value_name = "BYTES")]
    pub(super) shm_size: Option<String>,
    /// Limit of RUN: NAME=SOFT[:HARD]
    #[arg(long, value_name = "LIMIT")]
    pub(super) ulimit: Vec<String>,
    /// Limit of memory of RUN
    #[arg(short, long, value_name = "BYTES")]
    pub(super) memory: Option<String>,
    /// What RUN may ask for beyond the usual: network.host, security.insecure
    #[arg(long, value_name = "RIGHT")]
    pub(super) allow: Vec<String>,
    /// Cache that another build exported: type=local,src=FOLDER, or type=registry,ref=IMAGE
    #[arg(long, value_name = "CACHE")]
    pub(super) cache_from: Vec<String>,
    /// Export the cache: type=local,dest=FOLDER, type=registry,ref=IMAGE, or type=inline; mode=min|max
    #[arg(long, value_name = "CACHE")]
    pub(super) cache_to: Vec<String>,
    /// What to make: type=image|docker|oci|tar|local|registry[,dest=PATH][,name=NAME][,push=true], or a folder
    #[arg(short, long, value_name = "OUTPUT")]
    pub(super) output: Vec<String>,
    /// Keep the image in the store, as is done anyway
    #[arg(long)]
    pub(super) load: bool,
    /// Push the image to its registry
    #[arg(long)]
    pub(super) push: bool,
    /// Write the image's id to a file
    #[arg(long, value_name = "FILE")]
    pub(super) iidfile: Option<PathBuf>,
    /// Write what was built to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) metadata_file: Option<PathBuf>,
    /// Only look for mistakes in the Dockerfile
    #[arg(long)]
    pub(super) check: bool,
    /// What to do: build, or check
    #[arg(long, value_name = "METHOD")]
    pub(super) call: Option<String>,
    /// After a failed RUN, open a shell in the state before it
    #[arg(long)]
    pub(super) debug_shell: bool,
    /// How progress is shown: auto, tty, plain, rawjson, quiet
    #[arg(long, value_name = "STYLE", value_parser = ["auto", "tty", "plain", "rawjson", "none", "quiet"], hide_possible_values = true)]
    pub(super) progress: Option<String>,
    /// Print the image's id and nothing else
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Docker's; containers of steps never stay
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) rm: Option<bool>,
    /// Docker's; containers of steps never stay
    #[arg(long, hide = true)]
    pub(super) force_rm: bool,
    /// Docker's; no context is sent anywhere
    #[arg(long, hide = true)]
    pub(super) compress: bool,
    /// Docker's; there is one builder, `default`
    #[arg(long, hide = true, value_name = "NAME")]
    pub(super) builder: Option<String>,
    /// Docker's, for more in the log of its client: there is no log
    #[arg(short = 'D', long, hide = true)]
    pub(super) debug: bool,
    /// Docker's; refused with what does the same
    #[arg(long, hide = true)]
    pub(super) squash: bool,
    /// What to say about the image: type=provenance[,mode=min|max]
    #[arg(long, value_name = "ATTESTATION")]
    pub(super) attest: Vec<String>,
    /// Keep beside the image what it was built from: true, false, mode=min, mode=max[,builder-id=URI]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) provenance: Option<String>,
    /// Docker's; `false` is what is done
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) sbom: Option<String>,
}

impl BuildFlags {
    /// Tells of the files that are read and written.
    ///
    /// # Errors
    /// What only makes sense on the host that builds: a cache in a folder, an agent's socket.
    pub(super) fn files(&mut self, on: Visit<'_>) -> Result<(), Failure> {
        if let Some(text) = self.cache_from.iter().chain(&self.cache_to).chain(&self.ssh).next() {
            return Err(Failure::text(format!("`{text}` would be a place of the other host: leave it out")));
        }
        for path in self.file.iter_mut().filter(|path| path.as_os_str() != "-") {
            on(Way::There, path)?;
        }
        for text in &mut self.build_context {
            within(text, &[], |place| context_file(place, on))?;
        }
        for text in &mut self.secret {
            within(text, &["src", "source"], |place| word_file(place, Way::There, on))?;
        }
        for text in &mut self.output {
            within(text, &["dest"], |place| if place == "-" { Ok(()) } else { word_file(place, Way::Back, on) })?;
        }
        for path in self.iidfile.iter_mut().chain(&mut self.metadata_file) {
            on(Way::Back, path)?;
        }
        Ok(())
    }
}

/// Tells of the files of a named context.
fn context_file(place: &mut String, on: Visit<'_>) -> Result<(), Failure> {
    const LAYOUT: &str = "oci-layout://";
    if place.starts_with("docker-image:") {
        return Ok(());
    }
    let Some(layout) = place.strip_prefix(LAYOUT) else { return source_file(place, on) };
    let end = layout.find('@').or_else(|| layout.rfind(':').filter(|colon| !layout[*colon..].contains('/')));
    let (folder, image) = layout.split_at(end.unwrap_or(layout.len()));
    let mut folder = folder.to_owned();
    source_file(&mut folder, on)?;
    *place = format!("{LAYOUT}{folder}{image}");
    Ok(())
}

/// Changes the values of these keys in `key=value,…`; without keys, of any. A text without a `=` is a value.
fn within(
    text: &mut String,
    keys: &[&str],
    mut change: impl FnMut(&mut String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if !text.contains('=') {
        return change(text);
    }
    let mut fields = Vec::new();
    for field in text.split(',') {
        fields.push(match field.split_once('=') {
            Some((key, value)) if keys.is_empty() || keys.contains(&key) => {
                let mut value = value.to_owned();
                change(&mut value)?;
                format!("{key}={value}")
            }
            _ => field.to_owned(),
        });
    }
    *text = fields.join(",");
    Ok(())
}

/// What Compose says instead of a command line.
impl BuildFlags {
    /// Names the image.
    pub(crate) fn name(&mut self, tags: Vec<String>) {
        self.tags = tags;
    }

    /// Says what is wanted, and with how much memory.
    pub(crate) fn limit(&mut self, target: Option<String>, platforms: Vec<String>, memory: Option<String>) {
        (self.target, self.platform, self.memory) = (target, platforms, memory);
    }

    /// Says what is done anew.
    pub(crate) fn again(&mut self, no_cache: bool, stages: Vec<String>, pull: bool) {
        (self.no_cache, self.no_cache_filter, self.pull) = (no_cache, stages, pull);
    }

    /// Says what steps find outside.
    pub(crate) fn assist(&mut self, network: Option<String>, hosts: Vec<String>, agents: Vec<String>) {
        (self.network, self.add_host, self.ssh) = (network, hosts, agents);
    }

    /// Says where the cache and the image go.
    pub(crate) fn carry(&mut self, from: Vec<String>, to: Vec<String>, push: bool) {
        (self.cache_from, self.cache_to, self.push, self.load) = (from, to, push, !push);
    }

    /// Says how progress is shown.
    pub(crate) fn show(&mut self, progress: Option<String>, quiet: bool) {
        (self.progress, self.quiet) = (progress, quiet);
    }

    /// Says what is to be attested, and by which builder.
    pub(crate) fn attest(&mut self, provenance: Option<String>, sbom: Option<String>, builder: Option<String>) {
        (self.provenance, self.sbom, self.builder) = (provenance, sbom, builder);
    }

    /// Says what steps may ask for, and the values of ARGs.
    pub(crate) fn allow(&mut self, rights: Vec<String>, arguments: Vec<String>) {
        (self.allow, self.build_arg) = (rights, arguments);
    }
}
