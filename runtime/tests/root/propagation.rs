//! Mounts that reach the container from the host, and the host from the container.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;

use crate::support::{Bundle, Ended};
use crate::users::mapped;

/// Time a container may take until its script runs.
const LIMIT: Duration = Duration::from_secs(20);

/// A directory that is a shared mount of this namespace while the value lives.
struct Shared(PathBuf);

impl Shared {
    fn over(path: PathBuf) -> Self {
        let none = None::<&str>;
        mount(Some(&path), &path, none, MsFlags::MS_BIND, none).unwrap();
        // Out of the group it is born into where the root is shared: there it would see each mount below it twice.
        mount(none, &path, none, MsFlags::MS_PRIVATE, none).unwrap();
        mount(none, &path, none, MsFlags::MS_SHARED, none).unwrap();
        Self(path)
    }

    /// How many mounts there are below it, as this namespace sees it.
    fn below(&self) -> usize {
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        mountinfo.matches(&format!(" {}/", self.0.display())).count()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _gone = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// What a container's script says when the host may do its part, and waits for the end of it.
fn meet(file: &str) -> String {
    format!("touch /tmp/{file} && until test -e /tmp/{file}-done; do :; done")
}

/// Waits until the container's script has come to [`meet`], and lets it go on after `then`. A script that does not come there goes
/// on as well, if it comes later: nobody waits for it for ever.
fn met<T>(bundle: &Bundle, file: &str, then: impl FnOnce() -> T) -> T {
    let folder = bundle.root().join("tmp");
    let until = Instant::now() + LIMIT * slowness();
    while !folder.join(file).exists() && Instant::now() < until {
        std::thread::yield_now();
    }
    let seen = then();
    std::fs::write(folder.join(format!("{file}-done")), "").unwrap();
    seen
}

/// Factor by which this machine is slower than those the limits were made for; an emulated one says so.
fn slowness() -> u32 {
    let factor = std::env::var_os("LIGHTER_TEST_SLOWNESS");
    factor.and_then(|factor| factor.to_str()?.parse().ok()).unwrap_or(1)
}

/// Runs a container beside something the host does.
fn beside<T: Send>(bundle: &Bundle, host: impl FnOnce() -> T + Send) -> (Ended, T) {
    std::thread::scope(|scope| {
        let host = scope.spawn(host);
        (bundle.run(), host.join().unwrap())
    })
}

/// A container that may mount.
fn mounting(bundle: Bundle) -> Bundle {
    let admin = json!(["CAP_SYS_ADMIN"]);
    let bundle = bundle.with("/linux/seccomp", json!(null));
    ["bounding", "effective", "permitted"]
        .into_iter()
        .fold(bundle, |bundle, set| bundle.with(&format!("/process/capabilities/{set}"), admin.clone()))
}

#[test]
#[ignore = "needs root"]
fn the_root_propagates_as_asked() {
    // The optional fields of the root's line in mountinfo (proc_pid_mountinfo(5)).
    let script = "while read id parent dev root point options field rest; do \
                    test \"$point\" = / && echo ${field%%:*}; \
                  done < /proc/self/mountinfo";
    for (value, expected) in [
        ("private", "-"),
        ("rprivate", "-"),
        ("shared", "shared"),
        ("rshared", "shared"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
        ("", "-"),
    ] {
        let ended = Bundle::new(&["sh", "-c", script]).with("/linux/rootfsPropagation", json!(value)).run();
        assert_eq!(ended.stdout.trim(), expected, "{value}: {ended:?}");
    }
    let ended = Bundle::new(&["true"]).with("/linux/rootfsPropagation", json!("sideways")).run();
    assert!(ended.code == 125 && ended.stderr.contains("`linux.rootfsPropagation`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn mounts_reach_the_host_only_where_the_spec_ties_them() {
    for (root, volume, expected) in [
        ("", "rprivate", 0),
        ("", "rslave", 0),
        ("", "rshared", 0),
        ("rslave", "rslave", 0),
        ("rprivate", "rprivate", 0),
        ("shared", "rprivate", 0),
        ("shared", "rshared", 1),
        ("rshared", "rshared", 1),
    ] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("sub")).unwrap();
        let shared = Shared::over(directory.path().to_owned());
        let bundle = mounting(Bundle::new(&[
            "sh",
            "-c",
            &format!("mount -t tmpfs none /data/sub && {}; umount /data/sub", meet("here")),
        ]))
        .with("/linux/rootfsPropagation", json!(root))
        .mounted(json!({"destination": "/data", "source": shared.0, "options": ["rbind", volume]}));
        let (ended, seen) = beside(&bundle, || met(&bundle, "here", || shared.below()));
        assert_eq!((ended.code, seen), (0, expected), "root {root:?}, volume {volume}: {ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn what_is_mounted_in_the_root_never_reaches_the_host() {
    for root in ["", "slave", "rslave", "private", "rprivate", "shared", "rshared", "unbindable"] {
        let bundle = mounting(Bundle::new(&["sh", "-c", &format!("mount -t tmpfs none /home && {}", meet("here"))]))
            .with("/linux/rootfsPropagation", json!(root));
        let shared = Shared::over(bundle.root());
        let (ended, seen) = beside(&bundle, || met(&bundle, "here", || shared.below()));
        assert_eq!((ended.code, seen), (0, 0), "{root}: {ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn what_the_host_mounts_later_appears_where_the_root_follows_it() {
    for (root, expected) in
        [("", "no\n"), ("rprivate", "no\n"), ("slave", "yes\n"), ("rslave", "yes\n"), ("rshared", "no\n")]
    {
        let script = format!("{}; test -e /home/mark && echo yes || echo no; {}", meet("here"), meet("there"));
        let bundle = Bundle::new(&["sh", "-c", &script]).with("/linux/rootfsPropagation", json!(root));
        let shared = Shared::over(bundle.root());
        let (ended, ()) = beside(&bundle, || {
            let later = met(&bundle, "here", || Later::new(&shared.0.join("home")));
            met(&bundle, "there", || drop(later));
        });
        assert_eq!(ended.stdout, expected, "{root}: {ended:?}");
    }
}

/// A tmpfs with a file `mark` in it.
struct Later(PathBuf);

impl Later {
    fn new(place: &Path) -> Self {
        mount(Some("none"), place, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        std::fs::write(place.join("mark"), "").unwrap();
        Self(place.to_owned())
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        let _gone = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
#[ignore = "needs root"]
fn a_volume_in_a_user_namespace_is_not_tied_to_the_host() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let shared = Shared::over(directory.path().to_owned());
    let script = format!("mount -t tmpfs none /data/sub && {}", meet("here"));
    let bundle = mounting(mapped(&["sh", "-c", &script]))
        .mounted(json!({"destination": "/data", "source": shared.0, "options": ["rbind"]}));
    let (ended, seen) = beside(&bundle, || met(&bundle, "here", || shared.below()));
    assert_eq!((ended.code, seen), (0, 0), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn letting_go_of_the_hosts_mounts_leaves_them_to_the_host() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let shared = Shared::over(directory.path().to_owned());
    let below = Later::new(&shared.0.join("sub"));
    for root in ["", "slave", "private", "shared", "rshared", "unbindable"] {
        let ended = Bundle::new(&["true"]).with("/linux/rootfsPropagation", json!(root)).run();
        assert_eq!((ended.code, shared.below()), (0, 1), "{root}: {ended:?}");
    }
    drop(below);
}
