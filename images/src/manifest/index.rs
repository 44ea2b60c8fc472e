//! Chooses the image for a platform from an index.
//!
//! Runs in the shell command's process; pure.

use oci_spec::image::{Descriptor, ImageIndex};

use super::document::{ManifestError, Media};
use crate::digest::Digest;
use crate::platform::Platform;

/// Returns the descriptor that suits `wanted` best; among equals the first, as image-index.md says.
///
/// An entry may itself be an index; one without a platform is taken only if no other suits.
pub(crate) fn select<'a>(
    index: &'a ImageIndex,
    digest: &Digest,
    wanted: &Platform,
) -> Result<&'a Descriptor, ManifestError> {
    let candidates = index.manifests().iter().filter(|entry| Media::of(entry.media_type().as_ref()).is_some());
    let ranked = candidates.filter_map(|entry| rank(entry, wanted).map(|rank| (rank, entry)));
    match ranked.min_by_key(|(rank, _)| *rank) {
        Some((_, entry)) => Ok(entry),
        None => {
            Err(ManifestError::Platform { digest: digest.clone(), platform: wanted.clone(), offered: offered(index) })
        }
    }
}

fn rank(entry: &Descriptor, wanted: &Platform) -> Option<u32> {
    match platform(entry) {
        Some(platform) => wanted.accepts(&platform),
        None => Some(u32::MAX),
    }
}

fn platform(entry: &Descriptor) -> Option<Platform> {
    let platform = entry.platform().as_ref()?;
    Some(Platform {
        os: platform.os().to_string(),
        architecture: platform.architecture().to_string(),
        variant: platform.variant().clone().filter(|variant| !variant.is_empty()),
    })
}

/// Lists the platforms of an index for an error; attestations, which have none, are left out.
fn offered(index: &ImageIndex) -> String {
    let names: Vec<String> =
        index.manifests().iter().filter_map(platform).map(|platform| platform.to_string()).collect();
    let known: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "unknown/unknown").collect();
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index whose n-th entry has the n-th platform and n repeated as its digest.
    fn index(platforms: &[&str]) -> ImageIndex {
        let entries: Vec<String> = platforms.iter().enumerate().map(|(number, text)| entry(number, text)).collect();
        serde_json::from_str(&format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))).unwrap()
    }

    fn entry(number: usize, text: &str) -> String {
        let digest = number.to_string().repeat(64);
        let parts: Vec<&str> = text.split('/').collect();
        let platform = match parts[..] {
            [os, architecture] => format!(r#","platform":{{"os":"{os}","architecture":"{architecture}"}}"#),
            [os, architecture, variant] => {
                format!(r#","platform":{{"os":"{os}","architecture":"{architecture}","variant":"{variant}"}}"#)
            }
            _ => String::new(),
        };
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:{digest}"{platform}}}"#
        )
    }

    fn selected(platforms: &[&str], wanted: &str) -> Option<usize> {
        let index = index(platforms);
        let entry = select(&index, &Digest::of(b""), &wanted.parse().unwrap()).ok()?;
        entry.digest().digest()[..1].parse().ok()
    }

    #[test]
    fn the_best_variant_is_chosen_and_none_that_does_not_run() {
        let platforms =
            ["unknown/unknown", "linux/arm/v5", "linux/arm/v7", "linux/amd64", "linux/arm64/v8", "windows/amd64"];
        assert_eq!(selected(&platforms, "linux/amd64"), Some(3));
        assert_eq!(selected(&platforms, "linux/arm64"), Some(4));
        assert_eq!(selected(&platforms, "linux/arm/v7"), Some(2));
        assert_eq!(selected(&platforms, "linux/arm/v6"), Some(1));
        assert_eq!(selected(&platforms, "linux/s390x"), None);
        assert_eq!(selected(&["", "linux/amd64"], "linux/amd64"), Some(1));
        assert_eq!(selected(&["", "linux/amd64"], "linux/arm64"), Some(0));
    }

    #[test]
    fn the_error_lists_what_there_is() {
        let index = index(&["linux/amd64", "unknown/unknown"]);
        let error = select(&index, &Digest::of(b""), &"linux/arm64".parse().unwrap()).unwrap_err().to_string();
        assert!(error.ends_with("has no image for platform linux/arm64; it has linux/amd64"), "{error}");
    }
}
