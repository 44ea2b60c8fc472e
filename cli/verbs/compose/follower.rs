//! What containers write and how they end, as it happens; those that start meanwhile too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use lighter_engine::{Container, Engine, LogEntry, LogQuery, Watch};

use super::logs::Prefixes;
use super::select;
use crate::error::Failure;
use crate::ui::logs::LinePrefix;

/// When a container that has started is seen at the latest; a change on disk is seen at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one wait for news stands.
const PATIENCE: Duration = Duration::from_millis(250);

/// News of one container.
pub(super) enum News {
    /// It has written something; its id.
    Line(String, LogEntry),
    /// It has ended.
    Ended(Container),
    /// It has started, and nobody follows it yet.
    Began(Container),
}

/// Follows containers, each on a thread of its own, which ends with it or when nobody listens any more.
pub(super) struct Follower {
    engine: Engine,
    sender: SyncSender<News>,
    news: Receiver<News>,
    prefixes: Prefixes,
    names: Vec<String>,
    /// The containers that are followed, by id.
    open: BTreeMap<String, LinePrefix>,
    /// Runs that have begun before the one before was seen to be over.
    again: BTreeMap<String, Container>,
}

impl Follower {
    /// Follows nothing yet; `first` are the containers whose names decide how wide prefixes are.
    pub(super) fn new(engine: &Engine, prefixes: Prefixes, first: &[Container]) -> Self {
        let (sender, news) = mpsc::sync_channel(1024);
        let names = first.iter().map(|container| select::display_name(container).to_owned()).collect();
        let (open, again) = (BTreeMap::new(), BTreeMap::new());
        Self { engine: engine.clone(), sender, news, prefixes, names, open, again }
    }

    /// Follows a container: its end, and with a query its lines.
    pub(super) fn add(&mut self, container: &Container, query: Option<LogQuery>) -> Result<(), Failure> {
        let query = query.filter(|_| container.spec.log.is_kept());
        let query = query.map(|query| LogQuery { follow: true, whole_lines: true, ..query });
        let reader = query.map(|query| self.engine.logs(container, query)).transpose()?;
        let name = select::display_name(container);
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        self.open.insert(container.id.clone(), self.prefixes.of(container, &self.names));
        let (engine, sender, container) = (self.engine.clone(), self.sender.clone(), container.clone());
        thread::spawn(move || {
            match reader {
                Some(reader) => {
                    let is_heard = |entry| sender.send(News::Line(container.id.clone(), entry)).is_ok();
                    if !reader.map_while(Result::ok).all(is_heard) {
                        return;
                    }
                }
                None => _ = engine.wait(&container, None), // what cannot be waited for has ended as well
            }
            let _ = sender.send(News::Ended(container)); // nobody need listen any more
        });
        Ok(())
    }

    /// Has every container of the project told that starts from now on; `known` are those whose start is known.
    pub(super) fn await_others(&self, project: &str, known: &[Container]) {
        let mut known: BTreeSet<_> = known.iter().map(run_of).collect();
        let (engine, project, sender) = (self.engine.clone(), project.to_owned(), self.sender.clone());
        thread::spawn(move || {
            loop {
                // watched before they are looked at, so that no start falls between the two
                let watch = watch(&engine, &project);
                for container in select::containers(&engine, &project, &[]).unwrap_or_default() {
                    let is_new = container.state.started_at.is_some() && known.insert(run_of(&container));
                    if is_new && sender.send(News::Began(container)).is_err() {
                        return;
                    }
                }
                match watch {
                    Ok(mut watch) => _ = watch.wait(Some(LOOK_EVERY)),
                    Err(_) => return, // without inotify(7) those that start later are not seen
                }
            }
        });
    }

    /// Returns whether no container is followed any more.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns whether nothing more is to be expected of the containers that `mean` takes: none is followed, none runs, and
    /// no command is at the project, which might be between a stop and a start.
    pub(super) fn is_over(&self, project: &str, mean: impl Fn(&Container) -> bool) -> bool {
        // taken for a moment at most, so that nobody has to wait for us
        let is_changing = || self.engine.lock_project(project).is_ok_and(|turn| turn.is_err());
        let runs = |container: &Container| container.state.status.is_active() && mean(container);
        self.is_idle()
            && !is_changing()
            && !select::containers(&self.engine, project, &[]).is_ok_and(|all| all.iter().any(runs))
    }

    /// Writes a line with the prefix of its container.
    pub(super) fn write(&self, id: &str, entry: &LogEntry, timestamps: bool) -> Result<(), Failure> {
        self.open.get(id).map_or(Ok(()), |prefix| prefix.write(entry, timestamps))
    }

    /// Waits for news; `None` if there are none for a while.
    pub(super) fn next(&mut self) -> Option<News> {
        match self.news.recv_timeout(PATIENCE).ok()? {
            News::Began(container) if self.open.contains_key(&container.id) => {
                self.again.insert(container.id.clone(), container);
                None
            }
            News::Ended(container) => {
                self.open.remove(&container.id);
                if let Some(again) = self.again.remove(&container.id) {
                    // a restart by policy is none: its lines have been followed
                    let now = self.engine.load(&again.id).ok().flatten();
                    if now.is_some_and(|now| now.state.status.is_active() && run_of(&now) == run_of(&again)) {
                        let _ = self.sender.try_send(News::Began(again)); // full: then its start is missed, not its end
                    }
                }
                Some(News::Ended(container))
            }
            news => Some(news),
        }
    }
}

/// One run of one container.
fn run_of(container: &Container) -> (String, Option<Timestamp>) {
    (container.id.clone(), container.state.started_at)
}

/// Watches for new containers, and for starts of those that do not run.
fn watch(engine: &Engine, project: &str) -> std::io::Result<Watch> {
    let containers = engine.containers().unwrap_or_default();
    let is_idle = |container: &&Container| {
        container.label(crate::verbs::target::PROJECT) == Some(project) && !container.state.status.is_active()
    };
    let all = engine.layout().containers();
    let idle = containers.iter().filter(is_idle).map(|container| container.paths().dir());
    Watch::new(&std::iter::once(all.as_path()).chain(idle).collect::<Vec<_>>())
}
