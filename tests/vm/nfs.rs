//! A volume on Debian's NFS server, which few hosts have and the machine that builds lighter has not.

use std::fs;

use crate::guest::{self, Said, sh};
use crate::registry::{IMAGE, lighter};

#[test]
#[ignore = "needs a virtual machine"]
fn a_volume_of_a_server_is_mounted_while_a_container_has_it() {
    let export = guest::state().join("export");
    // version 4 alone needs no rpcbind; a server waits for clients of before its start to come back, here there are none
    sh(&format!(
        "mkdir -p {export} /var/lib/nfs/v4recovery /run/rpc_pipefs; touch /var/lib/nfs/etab /var/lib/nfs/rmtab
         modprobe nfsd; mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
         echo '{export} 127.0.0.1(rw,no_root_squash,insecure,fsid=0,no_subtree_check)' > /etc/exports
         exportfs -a
         rpc.mountd --no-nfs-version 2 --no-nfs-version 3
         rpc.nfsd --no-nfs-version 3 2
         echo Y > /proc/fs/nfsd/v4_end_grace",
        export = export.display()
    ));
    let lighter = lighter("nfs");
    let options = ["type=nfs", "device=:/", "o=addr=127.0.0.1,rw,vers=4.2"].map(|option| format!("--opt={option}"));
    lighter.said(["volume", "create"].into_iter().chain(options.iter().map(String::as_str)).chain(["files"])).ok();
    let container = |words: &[&str]| -> Said {
        let run = ["run", "--rm", "--network", "none", "-v", "files:/data", IMAGE];
        lighter.said(run.iter().chain(words))
    };
    let write = "echo kept > /data/file; chown 7:8 /data/file; grep -c ' /data nfs4 ' /proc/mounts";
    assert_eq!(container(&["sh", "-c", write]).ok(), "1");
    assert_eq!(fs::read_to_string(export.join("file")).unwrap(), "kept\n");
    assert_eq!(container(&["busybox", "stat", "-c", "%u:%g", "/data/file"]).ok(), "7:8");
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(" nfs4 "), "nobody has the volume any more: {mounts}");
    assert!(export.join("file").exists(), "what is on the server stays");
    lighter.said(["volume", "rm", "files"]).ok();
    assert!(export.join("file").exists(), "it is not the volume's to delete");
    sh("exportfs -ua; rpc.nfsd 0");
}
