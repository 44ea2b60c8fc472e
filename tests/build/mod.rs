//! Dockerfiles of our own, one point each, with what must come of them: `cases/*.txt`.
//!
//! ```text
//! === NAME [docker] FLAGS        `[docker]`: Docker's classic builder can build it too, and the results are compared;
//!                                `[buildkit]`: the BuildKit that Debian's dockerd has built in can
//! PATH [MODE]: CONTENT           a file of the context; `\n` is a newline, `PATH -> TARGET` a link, `PATH/` a folder,
//! PATH tar|tgz|txz|tbz: NAME=CONTENT …   an archive
//! ---
//! the Dockerfile
//! ---
//! PATH KIND MODE UID:GID [CONTENT]       what must be there; `PATH none`: what must not
//! config NAME JSON, author TEXT          what the configuration must say
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One Dockerfile.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) is_for_docker: bool,
    pub(crate) is_for_buildkit: bool,
    pub(crate) flags: Vec<String>,
    context: Vec<String>,
    dockerfile: String,
    expected: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/build/cases")
}

/// Names the files of cases, without their ending.
pub(crate) fn names() -> Vec<String> {
    let files = fs::read_dir(folder()).expect("the cases are there");
    let name = |file: fs::DirEntry| file.file_name().to_string_lossy().trim_end_matches(".txt").to_owned();
    let mut names: Vec<_> = files.map(|file| name(file.expect("files of a test are its own"))).collect();
    names.sort();
    names
}

/// Reads the cases of a file.
pub(crate) fn of(name: &str) -> Vec<Case> {
    let text = fs::read_to_string(folder().join(format!("{name}.txt"))).expect("files of a test are its own");
    text.split("=== ").skip(1).map(parse).collect()
}

fn parse(text: &str) -> Case {
    let (head, rest) = text.split_once('\n').expect("a case has a first line");
    let mut words = head.split_whitespace();
    let name = words.next().expect("a case has a name").to_owned();
    let words: Vec<&str> = words.collect();
    let rest = format!("\n{rest}");
    let sections: Vec<&str> = rest.split("\n---\n").collect();
    let [context, dockerfile, expected] = sections[..] else { panic!("case `{name}` has not three sections") };
    let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    Case {
        is_for_docker: words.contains(&"[docker]"),
        is_for_buildkit: words.contains(&"[buildkit]"),
        flags: words.into_iter().filter(|word| !word.starts_with('[')).map(str::to_owned).collect(),
        context: lines(context),
        dockerfile: format!("{dockerfile}\n"),
        expected: lines(expected),
        name,
    }
}

impl Case {
    /// Writes the context into an empty folder.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("files of a test are its own");
        fs::write(folder.join("Dockerfile"), &self.dockerfile).expect("files of a test are its own");
        mode(&folder.join("Dockerfile"), "644");
        self.context.iter().for_each(|line| file(folder, line));
    }

    /// Lists how files and configuration differ from what is expected.
    pub(crate) fn differences(&self, files: &Files, image: &Value) -> Vec<String> {
        let check = |line: &String| match line.strip_prefix("config ").or_else(|| line.strip_prefix("author ")) {
            Some(rest) if line.starts_with("config ") => {
                let (name, json) = rest.split_once(' ').expect("`config NAME JSON`");
                let expected: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
                let found = &image["Config"][name];
                (*found != expected).then(|| format!("{line}\n  found {found}"))
            }
            Some(author) => (image["Author"] != *author).then(|| format!("{line}\n  found {}", image["Author"])),
            None => {
                let (path, expected) = split(line);
                let found = files.get(path).map_or("none".to_owned(), Node::to_string);
                (!fits(&found, expected)).then(|| format!("{line}\n  found {found}"))
            }
        };
        self.expected.iter().filter_map(check).collect()
    }
}

/// Splits a line at its kind; a path may have blanks in it.
fn split(line: &str) -> (&str, &str) {
    let kinds = [" file ", " dir ", " link ", " fifo ", " none"];
    let at = kinds.iter().filter_map(|kind| line.find(kind)).min().expect("a line has a kind");
    (&line[..at], &line[at + 1..])
}

/// What is said must be so; content that is not said may be anything.
fn fits(found: &str, expected: &str) -> bool {
    found == expected || (expected.split(' ').count() == 3 && found.starts_with(&format!("{expected} ")))
}

fn mode(path: &Path, octal: &str) {
    let mode = u32::from_str_radix(octal, 8).expect("a mode is octal");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("files of a test are its own");
}

fn file(folder: &Path, line: &str) {
    let parent = |path: &Path| {
        for folder in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev().filter(|at| !at.exists()) {
            fs::create_dir(folder).expect("files of a test are its own");
            mode(folder, "755");
        }
    };
    if let Some((path, target)) = line.split_once(" -> ") {
        parent(&folder.join(path));
        return symlink(target, folder.join(path)).expect("files of a test are its own");
    }
    let Some((head, content)) = line.split_once(": ") else {
        fs::create_dir_all(folder.join(line)).expect("files of a test are its own");
        return mode(&folder.join(line), "755");
    };
    let (path, how) = match head.rsplit_once(' ') {
        Some((path, how)) if ["tar", "tgz", "txz", "tbz"].contains(&how) || how.parse::<u32>().is_ok() => {
            (folder.join(path), how)
        }
        _ => (folder.join(head), "644"),
    };
    parent(&path);
    match how {
        "tar" => fs::write(&path, archive(content)).expect("files of a test are its own"),
        "tgz" => pack("gzip", &path, &archive(content)),
        "txz" => pack("xz", &path, &archive(content)),
        "tbz" => pack("bzip2", &path, &archive(content)),
        _ => fs::write(&path, format!("{}\n", content.replace("\\n", "\n"))).expect("files of a test are its own"),
    }
    mode(&path, if how.parse::<u32>().is_ok() { how } else { "644" });
}

fn archive(content: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in content.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64 + 1);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, format!("{text}\n").as_bytes()).expect("files of a test are its own");
    }
    builder.into_inner().expect("files of a test are its own")
}

fn pack(tool: &str, path: &Path, content: &[u8]) {
    let file = fs::File::create(path).expect("files of a test are its own");
    let mut child = super::harness::tool(tool, ["-c"])
        .stdin(std::process::Stdio::piped())
        .stdout(file)
        .spawn()
        .unwrap_or_else(|error| panic!("{tool} is needed: {error}"));
    child.stdin.take().expect("files of a test are its own").write_all(content).expect("files of a test are its own");
    assert!(child.wait().expect("files of a test are its own").success());
}

/// The files of an image by path.
pub(crate) type Files = BTreeMap<String, Node>;

/// A file of an image; without times, which no two builds share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    kind: &'static str,
    mode: u32,
    owner: (u64, u64),
    /// Content, or where a link leads.
    content: String,
    xattrs: BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Display for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Node { kind, mode, owner: (uid, gid), content, .. } = self;
        write!(formatter, "{kind} {mode:o} {uid}:{gid}")?;
        match content.trim_end_matches('\n') {
            "" => Ok(()),
            text => write!(formatter, " {}", text.replace('\n', "\\n")),
        }
    }
}

/// Reads the files of an archive.
pub(crate) fn files(archive: &Path) -> Files {
    let mut files = Files::new();
    let mut archive = tar::Archive::new(fs::File::open(archive).expect("files of a test are its own"));
    for entry in archive.entries().expect("files of a test are its own") {
        let mut entry = entry.expect("files of a test are its own");
        let path = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            format!("/{}", text.trim_start_matches("./").trim_matches('/'))
        };
        let name = path(&entry.path_bytes());
        if name == "/" {
            continue;
        }
        let kind = entry.header().entry_type();
        let link = entry.link_name_bytes().map(|bytes| bytes.into_owned()).unwrap_or_default();
        if kind.is_hard_link() {
            let node = files[&path(&link)].clone();
            files.insert(name, node);
            continue;
        }
        let mut xattrs = BTreeMap::new();
        if let Ok(Some(records)) = entry.pax_extensions() {
            for record in records.flatten() {
                if let Some(name) = record.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr.")) {
                    xattrs.insert(name.to_owned(), record.value_bytes().to_vec());
                }
            }
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("files of a test are its own");
        let header = entry.header();
        let (kind, content) = match kind {
            kind if kind.is_dir() => ("dir", Vec::new()),
            kind if kind.is_symlink() => ("link", link),
            kind if kind.is_fifo() => ("fifo", Vec::new()),
            kind if kind.is_file() => ("file", content),
            _ => ("device", Vec::new()),
        };
        let owner = (header.uid().expect("a header has an owner"), header.gid().expect("a header has a group"));
        let mode = if kind == "link" { 0o777 } else { header.mode().expect("a header has a mode") & 0o7777 };
        let content = String::from_utf8_lossy(&content).into_owned();
        files.insert(name, Node { kind, mode, owner, content, xattrs });
    }
    files
}
