//! Long lists, page by page: `n`, `last`, and the `Link` to what follows.
//!
//! Runs in the shell command's process; pure. OCI distribution-spec 1.1, "Listing Tags"; the catalog has the same form, from
//! the older API.

use super::reply::{Refusal, code};
use super::route::Query;

/// Most names in one answer, whatever the client asks for: some 100 KiB.
const MOST: usize = 10_000;

/// A page of names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) names: Vec<String>,
    /// Value of the `Link` header, if there are more.
    pub(super) link: Option<String>,
}

/// Returns the page of `names` that `query` asks for; `path` leads to the list.
pub(super) fn page(mut names: Vec<String>, query: &Query, path: &str) -> Result<Page, Refusal> {
    let limit = match &query.n {
        None => MOST,
        Some(text) => text.parse::<usize>().map_err(|_| malformed(text))?.min(MOST),
    };
    // "Lexical order (i.e. case-insensitive alphanumeric order)".
    names.sort_by_cached_key(|name| key(name));
    names.dedup();
    if let Some(last) = &query.last {
        names.retain(|name| key(name) > key(last));
    }
    let has_more = names.len() > limit;
    names.truncate(limit);
    let link = names.last().filter(|_| has_more).map(|last| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("n", &limit.to_string())
            .append_pair("last", last)
            .finish();
        format!("<{path}?{query}>; rel=\"next\"")
    });
    Ok(Page { names, link })
}

fn key(name: &str) -> (String, String) {
    (name.to_ascii_lowercase(), name.to_owned())
}

fn malformed(text: &str) -> Refusal {
    Refusal::bad(code::UNSUPPORTED, format!("`n` is a number, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paged(query: &str) -> (Vec<String>, Option<String>) {
        let names = ["b", "C", "a", "c", "d"].map(str::to_owned).to_vec();
        let page = page(names, &Query::parse(query), "/list").unwrap();
        (page.names, page.link)
    }

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        assert_eq!(paged("").0, ["a", "b", "C", "c", "d"]);
        assert_eq!(paged("n=2"), (vec!["a".into(), "b".into()], Some("</list?n=2&last=b>; rel=\"next\"".into())));
        assert_eq!(paged("n=2&last=b").0, ["C", "c"]);
        assert_eq!(paged("n=2&last=c"), (vec!["d".into()], None));
        assert_eq!(paged("n=0"), (vec![], None));
        assert_eq!(paged("last=zzz"), (vec![], None));
        assert!(page(Vec::new(), &Query::parse("n=x"), "/list").is_err());
    }
}
