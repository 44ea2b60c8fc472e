//! `extends`: a service laid over another one, of this file or another (Compose Specification, 05-services).

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::Loader;
use super::{LoadError, files};
use crate::diagnostic::{Diagnostic, Fault, Faults, Span};
use crate::forms;
use crate::merge;
use crate::paths::Base;
use crate::schema::{SERVICE, Shape};
use crate::yaml::{Node, Value};

/// The services of one file.
#[derive(Clone)]
struct Place {
    file: Arc<PathBuf>,
    services: Arc<HashMap<String, Node>>,
}

impl Place {
    fn new(file: &Path, services: &Node) -> Self {
        let services = services.entries().iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        Self { file: Arc::new(file.to_path_buf()), services: Arc::new(services) }
    }
}

/// Services that may lie between one and what it extends, so that the search may recurse.
const MAX_DEPTH: usize = 100;

/// A step of the search, to find cycles.
type Trail = Vec<(PathBuf, String)>;

/// Returns the document with every service laid over what it extends.
pub(super) fn resolve(mut document: Node, file: &Path, loader: &mut Loader) -> Result<Node, LoadError> {
    let extends = |services: &Node| services.entries().iter().any(|entry| entry.value.get("extends").is_some());
    let Some(services) = document.as_map_mut().and_then(|map| map.get_mut("services")).filter(|node| extends(node))
    else {
        return Ok(document);
    };
    let place = Place::new(file, services);
    let mut search = Search { loader, read: HashMap::new() };
    for entry in services.as_map_mut().into_iter().flat_map(|map| &mut map.0) {
        if entry.value.get("extends").is_some() {
            entry.value = search.service(&entry.key, &place, &mut Trail::new(), &entry.at)?;
        }
    }
    Ok(document)
}

struct Search<'a> {
    loader: &'a mut Loader,
    /// The services of files that were read already.
    read: HashMap<PathBuf, Place>,
}

impl Search<'_> {
    /// Returns a service of `place`, laid over what it extends.
    fn service(&mut self, name: &str, place: &Place, trail: &mut Trail, at: &Span) -> Result<Node, LoadError> {
        let Some(mut service) = place.services.get(name).cloned() else {
            let fault = Diagnostic::error(format!("service `{name}` is not defined in `{}`", place.file.display()));
            return Err(Box::new(fault.label(at, "extended here")).into());
        };
        let step = (place.file.to_path_buf(), name.to_owned());
        if trail.len() > MAX_DEPTH {
            let fault = Diagnostic::error(format!("services extend each other over more than {MAX_DEPTH} steps"));
            return Err(Box::new(fault.at(at)).into());
        }
        if trail.contains(&step) {
            return Err(cycle(trail, &step, at).into());
        }
        let Some(extends) = service.as_map_mut().and_then(|map| map.remove("extends")) else { return Ok(service) };
        let extends = read_extends(extends, name)?;
        trail.push(step);
        let base_name = extends.text("service").unwrap_or_default();
        let mut base = match extends.text("file") {
            Some(file) => {
                let other = self.open(Path::new(file), &extends)?;
                self.service(base_name, &other, trail, &extends.span)?
            }
            None => self.service(base_name, place, trail, &extends.span)?,
        };
        trail.pop();
        // Tags of the base were meant for what the base extends.
        merge::strip(&mut base);
        Ok(merge::merge(base, service, &SERVICE, &format!("services.{name}"))?)
    }

    fn open(&mut self, file: &Path, extends: &Node) -> Result<Place, LoadError> {
        if !self.read.contains_key(file) {
            let services = self.read(file, extends)?;
            self.read.insert(file.to_path_buf(), Place::new(file, &services));
        }
        Ok(self.read[file].clone())
    }

    fn read(&mut self, file: &Path, extends: &Node) -> Result<Node, LoadError> {
        let text = files::read_one(file).map_err(|error| match error {
            LoadError::Read { path, source } => {
                let fault = Diagnostic::error(format!("read `{}`: {source}", path.display()));
                let place = extends.get("file").map_or(&extends.span, |file| &file.span);
                LoadError::from(Box::new(fault.at(place)))
            }
            other => other,
        })?;
        // Relative paths of the other file belong to its own folder.
        let directory = file.parent().unwrap_or(Path::new("/")).to_path_buf();
        let own = std::mem::replace(&mut self.loader.base, Base::new(directory, &BTreeMap::new()));
        self.loader.base.home = own.home.clone();
        let documents = self.loader.documents(text);
        self.loader.base = own;
        let mut services: Option<Node> = None;
        for over in documents?.into_iter().filter_map(|document| document.get("services").cloned()) {
            services = Some(match services {
                Some(base) => merge::merge(base, over, &Shape::Named(&SERVICE), "services")?,
                None => over,
            });
        }
        Ok(services.unwrap_or_else(|| extends.here(Value::Null)))
    }
}

fn read_extends(extends: Node, service: &str) -> Result<Node, Faults> {
    let field = SERVICE.object().and_then(|object| object.field("extends"));
    let mut faults = Vec::new();
    let path = format!("services.{service}.extends");
    field.into_iter().for_each(|field| crate::schema::check(&extends, &field.shape, &path, &mut faults));
    Faults::of(faults)?;
    Ok(forms::long(extends, "service"))
}

fn cycle(trail: &Trail, step: &(PathBuf, String), at: &Span) -> Fault {
    let names = trail.iter().skip_while(|other| *other != step).chain([step]);
    let names = names.map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(" → ");
    Box::new(Diagnostic::error(format!("services extend each other: {names}")).at(at))
}
