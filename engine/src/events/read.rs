//! Reading the journal, from some time on or from now, and following it. Runs in the command.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::Event;
use crate::{Engine, Watch, durable};

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// Longest line that is read, in bytes: no event comes near it, and what has no end of a line is no journal.
const LONGEST: usize = 1 << 20;

/// How long one look stands when no change is heard of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which events are wanted; without times, those that come.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventsQuery {
    /// None before this.
    pub since: Option<Timestamp>,
    /// None after this: when it has passed, there are no more.
    pub until: Option<Timestamp>,
}

/// The journal cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("read the events in `{path}`")]
pub struct EventsError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// An iterator over events; it waits for the next one.
pub struct EventStream {
    path: PathBuf,
    query: EventsQuery,
    /// What is open, and who: the journal, or the one before.
    file: Option<(File, (u64, u64))>,
    watch: Watch,
    buffer: Vec<u8>,
    /// How much of the buffer has been told.
    told: usize,
}

impl Engine {
    /// Reads the events that are wanted, those of now on as they happen.
    ///
    /// # Errors
    /// [`EventsError`].
    pub fn events(&self, query: EventsQuery) -> Result<EventStream, EventsError> {
        let path = self.layout().journal();
        let opened = EventStream::open(&path, query);
        opened.map_err(|source| EventsError { path, source })
    }
}

impl EventStream {
    fn open(path: &Path, query: EventsQuery) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        durable::create_dir(folder).map_err(io::Error::other)?;
        // watched before it is read, so that no line falls between the two
        let watch = Watch::new(&[folder])?;
        let is_of_now_on = query.since.is_none() && query.until.is_none();
        let mut file = match is_of_now_on {
            true => opened(path)?,
            false => opened(&path.with_extension("1"))?.map_or_else(|| opened(path), |file| Ok(Some(file)))?,
        };
        if let Some((file, _)) = file.as_mut().filter(|_| is_of_now_on) {
            file.seek(SeekFrom::End(0))?;
        }
        Ok(Self { path: path.to_owned(), query, file, watch, buffer: Vec::new(), told: 0 })
    }

    /// Returns the next event of those that are wanted; `None` when there can be no more.
    fn advance(&mut self) -> io::Result<Option<Event>> {
        loop {
            while let Some(event) = self.line() {
                if self.query.until.is_some_and(|until| event.time > until) {
                    return Ok(None);
                }
                if self.query.since.is_none_or(|since| event.time >= since) {
                    return Ok(Some(event));
                }
            }
            if self.fill()? || self.turn_over()? {
                continue;
            }
            let left = self.query.until.map(|until| until.duration_since(Timestamp::now()));
            match left.map(Duration::try_from) {
                Some(Err(_) | Ok(Duration::ZERO)) => return Ok(None),
                Some(Ok(left)) => self.watch.wait(Some(left.min(LOOK_EVERY)))?,
                None => self.watch.wait(Some(LOOK_EVERY))?,
            };
        }
    }

    /// Takes the next whole line that is an event out of the buffer.
    fn line(&mut self) -> Option<Event> {
        loop {
            let rest = &self.buffer[self.told..];
            let length = rest.iter().position(|byte| *byte == b'\n')?;
            let event = serde_json::from_slice(&rest[..length]).ok();
            self.told += length + 1;
            if event.is_some() {
                return event;
            }
        }
    }

    /// Reads more; returns whether there was any.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.told);
        self.told = 0;
        if self.buffer.len() > LONGEST {
            self.buffer.clear();
        }
        let Some((file, _)) = &mut self.file else { return Ok(false) };
        let length = self.buffer.len();
        self.buffer.resize(length + PIECE, 0);
        let read = io::Read::read(file, &mut self.buffer[length..]);
        self.buffer.truncate(length + read.as_ref().map_or(0, |read| *read));
        Ok(read? > 0)
    }

    /// Goes on with the next file when the one that is open is not the journal any more; returns whether there is more to read.
    fn turn_over(&mut self) -> io::Result<bool> {
        let current = fs::metadata(&self.path).ok().map(|data| (data.dev(), data.ino()));
        if current.is_none() || self.file.as_ref().map(|(_, who)| *who) == current {
            return Ok(false);
        }
        // nobody has written to it since it was put aside, but perhaps before that, after we read
        if self.fill()? {
            return Ok(true);
        }
        self.buffer.clear();
        self.file = opened(&self.path)?;
        Ok(self.file.is_some())
    }
}

fn opened(path: &Path) -> io::Result<Option<(File, (u64, u64))>> {
    match File::open(path) {
        Ok(file) => {
            let data = file.metadata()?;
            Ok(Some((file, (data.dev(), data.ino()))))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Iterator for EventStream {
    type Item = Result<Event, EventsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().map_err(|source| EventsError { path: self.path.clone(), source }).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::super::EventKind;
    use super::*;

    fn line(second: i64) -> String {
        let time = Timestamp::from_second(second).unwrap();
        let event = Event { time, ..Event::now(EventKind::Volume, "create", &second.to_string()) };
        format!("{}\n", serde_json::to_string(&event).unwrap())
    }

    fn told(path: &Path, since: i64, until: i64) -> Vec<String> {
        let time = |second| Some(Timestamp::from_second(second).unwrap());
        let stream = EventStream::open(path, EventsQuery { since: time(since), until: time(until) }).unwrap();
        stream.map(|event| event.unwrap().id).collect()
    }

    #[test]
    fn events_of_both_files_are_told_within_their_times() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert_eq!(told(&path, 0, 9), Vec::<String>::new());
        fs::write(path.with_extension("1"), [line(1), line(2)].concat()).unwrap();
        fs::write(&path, [line(3), "{\"time\":\n".to_owned(), line(4), "{\"cut".to_owned()].concat()).unwrap();
        assert_eq!(told(&path, 0, 9), ["1", "2", "3", "4"]);
        assert_eq!(told(&path, 2, 3), ["2", "3"]);
    }

    #[test]
    fn who_follows_hears_what_is_written_before_and_after_a_new_file_is_begun() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        fs::write(&path, line(1)).unwrap();
        let mut stream = EventStream::open(&path, EventsQuery::default()).unwrap();
        let mut old = fs::OpenOptions::new().append(true).open(&path).unwrap();
        old.write_all(line(2).as_bytes()).unwrap();
        assert_eq!(stream.next().unwrap().unwrap().id, "2");
        old.write_all(line(3).as_bytes()).unwrap();
        fs::rename(&path, path.with_extension("1")).unwrap();
        fs::write(&path, line(4)).unwrap();
        assert_eq!(stream.next().unwrap().unwrap().id, "3");
        assert_eq!(stream.next().unwrap().unwrap().id, "4");
    }

    proptest! {
        #[test]
        fn whatever_is_in_the_journal_is_told_or_passed_over(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("journal");
            fs::write(&path, [&bytes[..], b"\n", line(5).as_bytes()].concat()).unwrap();
            let ids = told(&path, 0, 9);
            prop_assert_eq!(ids.last().map(String::as_str), Some("5"));
        }
    }
}
