//! `lighter build`

mod cache;
pub(crate) mod context;
mod flags;
mod outcome;
mod output;
mod platforms;
mod request;
mod shell;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use lighter_engine::images::build::{self, Builder, Cache};
use lighter_engine::{Engine, images};

use crate::context::Context;
use crate::error::Failure;
use crate::remote::{Visit, source_file};
use crate::ui::build_progress::{self, Part, Together};
use crate::verbs::compose::interrupt;

pub(crate) use context::{Place, Source};
pub(crate) use flags::BuildFlags;
pub(crate) use outcome::{Stopped, check};
pub(crate) use request::{keeps_git, place_of};

/// Largest cache that a build leaves behind: what was used longest ago goes first.
///
/// 20 GiB: some dozens of images; `builder prune --keep-storage` makes it smaller.
const LARGEST_CACHE: u64 = 20 << 30;

/// Build an image from a Dockerfile
#[derive(clap::Args)]
pub(crate) struct BuildArgs {
    /// Context: a folder, `-` for a tar or a Dockerfile on stdin, the URL of a tar, or a git repository: URL[#REF[:FOLDER]]
    context: String,
    #[command(flatten)]
    flags: BuildFlags,
}

impl BuildArgs {
    /// Tells of the files and folders that are read and written.
    pub(crate) fn files(&mut self, on: Visit<'_>) -> Result<(), Failure> {
        source_file(&mut self.context, on)?;
        self.flags.files(on)
    }

    /// Returns the folder that is the context, if it is one, and the Dockerfile that is named.
    pub(crate) fn folder(&self, working_directory: &Path) -> Option<(PathBuf, Option<PathBuf>)> {
        let folder = working_directory.join(&self.context);
        let file = self.flags.file.as_ref().map(|file| working_directory.join(file));
        folder.is_dir().then_some((folder, file))
    }
}

pub(crate) fn run(ctx: &Context, args: &BuildArgs) -> Result<ExitCode, Failure> {
    let interrupt = interrupt::listen()?;
    let engine = ctx.recovered_engine()?;
    let keeps_git = args.flags.build_arg.iter().any(|pair| keeps_git(pair));
    let place = Place { context: &args.context, file: args.flags.file.as_deref(), inline: None, keeps_git };
    let source = Source::find(ctx, &engine, place)?;
    let job = Job::new(ctx, &args.flags, source)?;
    if args.flags.check || args.flags.call.as_deref() == Some("check") {
        return outcome::check(ctx, &job.request);
    }
    if !matches!(job.style, build_progress::Style::Quiet | build_progress::Style::Json) {
        outcome::warn_of_unused(ctx, &job.request);
    }
    let progress = job.style.progress();
    match job.run(ctx, &engine, Watching { progress: progress.as_ref(), cancelled: interrupt.flag() }) {
        Ok(id) => {
            if args.flags.quiet
                && let Some(id) = id
            {
                ctx.ui.line(id)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(stopped) => stopped.explain(ctx, &engine, args.flags.debug_shell),
    }
}

/// Returns how a build is to be shown.
pub(crate) fn style(ctx: &Context, name: Option<&str>, quiet: bool) -> Result<build_progress::Style, Failure> {
    let name = if quiet { Some("quiet") } else { name };
    let name = name.or(ctx.variable("BUILDKIT_PROGRESS")).unwrap_or("auto");
    build_progress::Style::of(name, ctx.ui.interactive)
}

/// Who is told how a build goes on, and can end it.
#[derive(Clone, Copy)]
pub(crate) struct Watching<'a> {
    pub(crate) progress: &'a dyn build::BuildProgress,
    pub(crate) cancelled: &'a std::sync::atomic::AtomicBool,
}

/// A build with everything it needs.
pub(crate) struct Job {
    /// Without a platform and annotations, which `images` has.
    pub(crate) request: build::BuildRequest,
    images: platforms::Images,
    pub(crate) names: Vec<images::reference::Reference>,
    outputs: Vec<output::Output>,
    caches: Vec<cache::Target>,
    style: build_progress::Style,
    files: output::Files,
    /// The folder that the context may be in, kept as long as the build runs.
    _source: Source,
}

impl Job {
    /// Reads the flags; nothing is built yet.
    pub(crate) fn new(ctx: &Context, flags: &BuildFlags, source: Source) -> Result<Job, Failure> {
        let request = request::request(ctx, flags, &source)?;
        let names = flags.tags.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>()?;
        let folder = &ctx.invocation.working_directory;
        let images = platforms::Images::of(flags)?;
        let outputs = output::outputs(flags, folder)?;
        if images.are_several() {
            outputs.iter().try_for_each(output::Output::check_several)?;
        }
        if images.are_attested() && !outputs.iter().any(output::Output::is_image) {
            return Err(Failure::text("--provenance: it is kept beside an image, and files alone are made"));
        }
        Ok(Job {
            request,
            images,
            outputs,
            caches: cache::targets(&flags.cache_to, folder)?,
            names,
            style: style(ctx, flags.progress.as_deref(), flags.quiet)?,
            files: output::Files { id: flags.iidfile.clone(), metadata: flags.metadata_file.clone() },
            _source: source,
        })
    }

    /// Builds, and makes what is wanted of the result; returns the image's id, if there is one.
    pub(crate) fn run(
        &self,
        ctx: &Context,
        engine: &Engine,
        watching: Watching<'_>,
    ) -> Result<Option<String>, outcome::Stopped> {
        let cache = Cache::open(engine.layout().root())?;
        let session = engine.begin_build()?;
        let requests = self.images.requests(&self.request);
        let together = Together::new(watching.progress);
        let platforms: Vec<String> = requests.iter().map(name_of).collect();
        let parts: Vec<Part<'_>> = platforms.iter().map(|platform| together.part(platform)).collect();
        let Watching { progress, cancelled } = watching;
        let with = Builder { store: engine.images(), cache: &cache, runner: &session, progress, cancelled };
        let built = build_all(with, &requests, &parts)?;
        for target in &self.caches {
            build::export_cache(&built, &target.place, target.extent)?;
        }
        let id = output::make(ctx, engine, &built, self)?;
        drop(built);
        let pruned = cache.prune(Some(LARGEST_CACHE), &|_| true)?;
        if !pruned.is_empty() {
            engine.images().prune(&|_| false)?;
        }
        Ok(id)
    }
}

fn name_of(request: &build::BuildRequest) -> String {
    request.platform.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// Builds for all platforms at once; what they share is done by whoever comes first. Where there are several, each step says
/// whose it is.
fn build_all<'a>(
    with: Builder<'a>,
    requests: &'a [build::BuildRequest],
    parts: &'a [Part<'a>],
) -> Result<Vec<build::Built<'a>>, build::BuildError> {
    if let [request] = requests {
        return Ok(vec![build::build(with, request)?]);
    }
    let results: Vec<_> = thread::scope(|scope| {
        let begin = |(request, part): (&'a build::BuildRequest, &'a Part<'a>)| {
            scope.spawn(move || build::build(Builder { progress: part, ..with }, request))
        };
        let threads: Vec<_> = requests.iter().zip(parts).map(begin).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    // What was given up because of another failure says nothing.
    let (given_up, said): (Vec<_>, Vec<_>) =
        results.into_iter().partition(|result| matches!(result, Err(build::BuildError::Cancelled)));
    said.into_iter().chain(given_up).collect()
}
