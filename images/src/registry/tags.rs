//! The tags of a repository, page by page.
//!
//! Runs in the shell command's process, in the registry thread. OCI distribution-spec, "Content Discovery".

use reqwest::Url;
use reqwest::header::LINK;
use serde::Deserialize;

use super::failure::Failure;
use super::http::{Connection, bounded};
use super::request::{Request, Target};

/// Largest page read, in bytes.
const LARGEST_PAGE: u64 = 4 << 20;

/// Most pages read: a registry whose last page points at its first would keep us for ever.
const MOST_PAGES: usize = 10_000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

/// Lists all tags, starting at the path of the first page.
pub(super) async fn list(connection: &Connection, first: String) -> Result<Vec<String>, Failure> {
    let mut request = Request::get(first);
    let mut tags = Vec::new();
    for _ in 0..MOST_PAGES {
        let response = connection.exchange(&request).await?;
        let link = response.headers().get(LINK).and_then(|value| value.to_str().ok()).and_then(next_page);
        let next = link.map(|link| response.url().join(link)).transpose();
        let here = response.url().origin();
        let body = bounded(response, LARGEST_PAGE).await?;
        let page: Page =
            serde_json::from_slice(&body).map_err(|error| Failure::Protocol(format!("list of tags: {error}")))?;
        tags.extend(page.tags.unwrap_or_default());
        match next {
            Ok(None) => return Ok(tags),
            Ok(Some(next)) if Url::origin(&next) == here => request = Request { target: Target::Url(next), ..request },
            _ => return Err(Failure::Protocol("list of tags goes on at another host".to_owned())),
        }
    }
    Err(Failure::Protocol(format!("list of tags has more than {MOST_PAGES} pages")))
}

/// Reads where the next page is out of a Link header (RFC 8288): the target whose relation is `next`.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|value| {
        let (target, parameters) = value.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
        };
        parameters.split(';').any(is_next).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_and_another_relation_is_not() {
        assert_eq!(next_page(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#), Some("/v2/a/tags/list?n=2&last=b"));
        assert_eq!(next_page("<a>; rel=prev, <b>; REL=next"), Some("b"));
        assert_eq!([next_page(r#"<a>; rel="prev""#), next_page("<a"), next_page("")], [None, None, None]);
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_or_refused(text in "\\PC{0,60}") {
            let _ = next_page(&text);
        }
    }
}
