//! What only a machine of one's own can show: limits on cgroup version 2, delegation, power loss, reboots, a clock that
//! jumps, a full disk, no memory left, firewalls of others, a kernel without one, an engine of others around it.
//!
//! Run by `vm-testbed` in a guest, as root (`make test-vm`). Tests in `bare`, `firewalls`, `power_loss` and `reboot` have a guest each; the
//! others share one. A test that ends its guest is started again at the next boot, and sees from [`guest::boot`] which one
//! it is; what it wants to find again is in [`guest::state`].
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end, and say where")]

mod bare;
mod delegation;
#[path = "../e2e/harness/eventually.rs"]
mod eventually;
mod firewalls;
mod guest;
mod host;
mod limits;
mod nested;
mod nfs;
mod power_loss;
mod reboot;
mod registry;
#[path = "../../runtime/tests/root/support.rs"]
#[expect(dead_code, reason = "made for the runtime's own tests; here some of it is used")]
mod support;
