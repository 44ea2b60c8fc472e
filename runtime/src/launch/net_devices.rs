//! Moving network devices of the host into a container's network namespace.
//!
//! A process of its own goes there: the monitor must not change its namespaces. The device keeps what it is; moving
//! takes its addresses away and puts it down, so its permanent global addresses are added again, and it is put up.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

use super::passage::{failure, receive};
use super::rtnetlink::{ADDRESS_BYTES, Conversation, attributes, link, number, push};
use super::{LaunchError, end};
use crate::init::Failure;
use crate::plan::NetDevice;
use crate::sys;
use crate::trace::{self, Effect};

/// `IFLA_NET_NS_FD`, `linux/if_link.h`.
const NAMESPACE: u16 = 28;
/// `IFA_FLAGS`, `linux/if_addr.h`: all flags, of which the fixed part has eight.
const ADDRESS_FLAGS: u16 = 8;
/// `IFA_LABEL` and `IFA_CACHEINFO`: the old name, and how long ago an address was made.
const NOT_KEPT: [u16; 2] = [3, 6];
/// Room for a failure in bytes.
const MESSAGE_BYTES: usize = 16 * 1024;

/// Moves devices into the network namespace of process `pid`, a container's init.
pub(super) fn move_in(devices: &[NetDevice], pid: i32) -> Result<(), LaunchError> {
    if devices.is_empty() {
        return Ok(());
    }
    trace::step(|| Effect::move_devices(devices, pid), || move_by_child(devices, pid))
}

fn move_by_child(devices: &[NetDevice], pid: i32) -> Result<(), LaunchError> {
    let failed = |errno: Errno| LaunchError::clone(errno.into());
    let namespace = File::open(format!("/proc/{pid}/ns/net")).map_err(LaunchError::clone)?.into();
    let (above, below) = sys::socket::pair().map_err(failed)?;
    let mut above = Some(above);
    let child = sys::process::spawn(0, None, || -> Infallible {
        above.take();
        let message = serde_json::to_vec(&move_all(devices, &namespace)).unwrap_or_default();
        let _gone = sys::socket::send(below.as_fd(), &message, None);
        sys::process::exit_now(0)
    });
    let child = child.map_err(LaunchError::from_clone)?;
    drop(below);
    let above = above.expect("only the child, on its copy of our memory, takes our end away");
    let mut buffer = vec![0; MESSAGE_BYTES];
    let received = receive(&above, &mut buffer);
    let exit = end(&child);
    match received.map_err(|errno| LaunchError::Channel { source: errno.into() })? {
        (0, _) => Err(LaunchError::Died { exit }),
        (length, _) => match serde_json::from_slice::<Result<(), Failure>>(&buffer[..length]) {
            Ok(result) => result.map_err(LaunchError::from_failure),
            Err(error) => Err(LaunchError::Channel { source: error.into() }),
        },
    }
}

fn move_all(devices: &[NetDevice], namespace: &OwnedFd) -> Result<(), Failure> {
    let open = || Conversation::open().map_err(|errno| failure("talk about network devices", errno));
    let host = open()?;
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| failure("enter the container's network", errno))?;
    let container = open()?;
    devices.iter().try_for_each(|device| {
        move_one(&host, &container, device, namespace).map_err(|errno| {
            let NetDevice { host, container } = device;
            failure(&format!("move network device `{host}` to `{container}` (`linux.netDevices`)"), errno)
        })
    })
}

fn move_one(host: &Conversation, container: &Conversation, device: &NetDevice, namespace: &OwnedFd) -> nix::Result<()> {
    let index = find(host, &device.host)?;
    let addresses = addresses(host, index)?;
    let mut body = link(index, 0, 0);
    push(&mut body, NAMESPACE, &namespace.as_raw_fd().to_ne_bytes());
    push(&mut body, libc::IFLA_IFNAME, name(&device.container)?.as_bytes_with_nul());
    host.ask(libc::RTM_NEWLINK, 0, &body)?;
    let index = find(container, &device.container)?;
    for address in addresses {
        container.ask(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &again(&address, index))?;
    }
    let up = libc::IFF_UP as u32;
    container.ask(libc::RTM_NEWLINK, 0, &link(index, up, up)).map(drop)
}

fn name(name: &str) -> nix::Result<CString> {
    CString::new(name).map_err(|_| Errno::EINVAL)
}

/// Finds the index of a device.
fn find(conversation: &Conversation, device: &str) -> nix::Result<u32> {
    let mut body = link(0, 0, 0);
    push(&mut body, libc::IFLA_IFNAME, name(device)?.as_bytes_with_nul());
    let found = conversation.ask(libc::RTM_GETLINK, 0, &body)?;
    found.first().and_then(|link| number(link, 4)).ok_or(Errno::ENODEV)
}

/// Lists the permanent addresses of a device that are valid everywhere.
fn addresses(conversation: &Conversation, index: u32) -> nix::Result<Vec<Vec<u8>>> {
    let all = conversation.ask(libc::RTM_GETADDR, libc::NLM_F_DUMP, &[0; ADDRESS_BYTES])?;
    Ok(all.into_iter().filter(|address| number(address, 4) == Some(index) && is_kept(address)).collect())
}

/// `struct ifaddrmsg`: family, prefix, flags, scope (0: everywhere), index.
fn is_kept(address: &[u8]) -> bool {
    let all = attributes(address, ADDRESS_BYTES).find(|(kind, _)| *kind == ADDRESS_FLAGS);
    let flags = all.and_then(|(_, flags)| number(flags, 0)).or(address.get(2).map(|flags| u32::from(*flags)));
    address.get(3) == Some(&0) && flags.is_some_and(|flags| flags & libc::IFA_F_PERMANENT != 0)
}

/// Builds the request for the same address at the device `index`.
fn again(address: &[u8], index: u32) -> Vec<u8> {
    let mut body = address.get(..4).unwrap_or_default().to_vec();
    body.extend(index.to_ne_bytes());
    attributes(address, ADDRESS_BYTES)
        .filter(|(kind, _)| !NOT_KEPT.contains(kind))
        .for_each(|(kind, value)| push(&mut body, kind, value));
    body
}
