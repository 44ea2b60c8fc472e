//! `rmi`: takes names away, and the image with the last of them.
//!
//! Runs in the shell command's process, under the store's lock; the files go after the lock. As `docker rmi`, with one
//! difference: a container's files are stacked on the image's layers, so an image in use is never deleted. Forced, it
//! loses its names and is deleted when the last container is gone and it is removed again.

use super::error::StoreError;
use super::find::Match;
use super::index::{Entry, Index};
use super::{Removed, Store};
use crate::digest::Digest;
use crate::reference::Reference;

impl Store {
    /// Removes what `name` means: one name, or the whole image if it is the last one or an id.
    ///
    /// `in_use` says who uses an image, in words. Returns what was done, in order.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], [`StoreError::InUse`] and [`StoreError::SeveralNames`], the last two unless `force`.
    pub fn remove(
        &self,
        name: &str,
        force: bool,
        in_use: &dyn Fn(&Digest) -> Option<String>,
    ) -> Result<Vec<Removed>, StoreError> {
        let lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let found = Store::lookup(&index, name)?.ok_or_else(|| StoreError::NoSuchImage(name.to_owned()))?;
        let mut removed = plan(&mut index, &found, name, force, in_use)?;
        index.write(&self.images)?;
        let swept = self.sweep(&index)?;
        drop(lock);
        if removed.contains(&Removed::Deleted(found.id().clone())) {
            removed.extend(swept.layers.iter().cloned().map(Removed::Deleted));
        }
        swept.finish()?;
        Ok(removed)
    }
}

/// Changes the index; pure.
fn plan(
    index: &mut Index,
    found: &Match,
    name: &str,
    force: bool,
    in_use: &dyn Fn(&Digest) -> Option<String>,
) -> Result<Vec<Removed>, StoreError> {
    let id = found.id();
    let is_of_image = |entry: &Entry| entry.id().as_ref() == Some(id);
    let names: Vec<Reference> =
        index.manifests.iter().filter(|entry| is_of_image(entry)).filter_map(Entry::reference).collect();
    if let Match::Name(_, reference) = found {
        let others = names.iter().filter(|other| *other != reference).count();
        if others > 0 && names.contains(reference) {
            index.manifests.retain(|entry| entry.reference().as_ref() != Some(reference));
            return Ok(vec![Removed::Untagged(reference.familiar())]);
        }
    } else if !force && has_several_repositories(&names) {
        let names = names.iter().map(Reference::familiar).collect();
        return Err(StoreError::SeveralNames { id: id.short().to_owned(), names });
    }
    let user = in_use(id);
    if let Some(user) = user.as_ref().filter(|_| !force || names.is_empty()) {
        return Err(StoreError::InUse { image: name.to_owned(), user: user.clone() });
    }
    let mut removed: Vec<Removed> = names.iter().map(|name| Removed::Untagged(name.familiar())).collect();
    if user.is_some() {
        index.manifests.iter_mut().filter(|entry| is_of_image(entry)).for_each(Entry::untag);
        index.drop_doubles();
    } else {
        index.manifests.retain(|entry| !is_of_image(entry));
        removed.push(Removed::Deleted(id.clone()));
    }
    Ok(removed)
}

/// Docker lets an id take all names of one repository away, not those of several.
fn has_several_repositories(names: &[Reference]) -> bool {
    names.iter().any(|name| name.familiar_name() != names[0].familiar_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(names: &[&str]) -> (Index, Digest) {
        let (mut index, id) = (Index::empty(), Digest::of(b"image"));
        for name in names {
            let reference = name.parse().unwrap();
            index.set(&reference, Entry::new(String::new(), id.clone(), 1, None).named(&id, &reference, &id));
        }
        (index, id)
    }

    fn remove(names: &[&str], name: &str, force: bool, user: Option<&str>) -> (Result<Vec<Removed>, String>, usize) {
        let (mut index, _) = index(names);
        let found = Store::lookup(&index, name).unwrap().unwrap();
        let result = plan(&mut index, &found, name, force, &|_| user.map(str::to_owned));
        (result.map_err(|error| error.to_string()), index.manifests.len())
    }

    #[test]
    fn the_last_name_takes_the_image_with_it() {
        let id = Digest::of(b"image");
        let untagged = |name: &str| Removed::Untagged(name.to_owned());
        let deleted = || Removed::Deleted(id.clone());
        assert_eq!(remove(&["a", "b"], "a", false, Some("x")), (Ok(vec![untagged("a:latest")]), 1));
        assert_eq!(remove(&["a"], "a", false, None), (Ok(vec![untagged("a:latest"), deleted()]), 0));
        assert_eq!(
            remove(&["a:1", "a:2"], id.short(), false, None),
            (Ok(vec![untagged("a:1"), untagged("a:2"), deleted()]), 0)
        );
        let (several, left) = remove(&["a", "b"], id.short(), false, None);
        assert!(several.unwrap_err().contains("has several names (a:latest, b:latest)"));
        assert_eq!(left, 2);
        assert_eq!(remove(&["a", "b"], id.short(), true, None).1, 0);
    }

    #[test]
    fn an_image_in_use_keeps_its_layers_even_if_forced() {
        let id = Digest::of(b"image");
        let (refused, left) = remove(&["a"], "a", false, Some("container web-1"));
        assert_eq!((refused, left), (Err("image `a` is in use by container web-1".to_owned()), 1));
        let (forced, left) = remove(&["a"], "a", true, Some("container web-1"));
        assert_eq!((forced, left), (Ok(vec![Removed::Untagged("a:latest".to_owned())]), 1));
        let (mut index, _) = index(&["a"]);
        index.manifests[0].untag();
        let found = Store::lookup(&index, id.short()).unwrap().unwrap();
        assert!(plan(&mut index, &found, "a", true, &|_| Some("x".to_owned())).is_err());
    }
}
