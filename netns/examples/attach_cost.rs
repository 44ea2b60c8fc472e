//! Measures what it costs to put containers on one network.
//!
//! ```text
//! attach_cost CONTAINERS FIRST LAST    in a network and a mount namespace of its own, as root; prints a table
//! ```
//! FIRST and LAST are what the kernel alone takes for a namespace and a veth on a bridge, in milliseconds, the first and the last of
//! as many: `benches/network/run.sh` measures them with `floor.c`, and runs this.
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::time::{Duration, Instant};

use lighter_netns::{EndpointSpec, Host, NetworkSpec, SandboxSpec};

/// Containers whose median stands for the first and for the last of a network.
const GROUP: usize = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let mut kernel = || -> Result<Duration, Box<dyn std::error::Error>> {
        let milliseconds: f64 = arguments.next().map_or(Ok(0.0), |text| text.parse())?;
        Ok(Duration::from_secs_f64(milliseconds / 1000.0))
    };
    let (kernel_first, kernel_last) = (kernel()?, kernel()?);
    let directory = tempfile::tempdir()?;
    let host = Host::new(&directory.path().join("root"), &directory.path().join("run"));
    let network = host.create_network(&NetworkSpec { name: "bench".into(), ..NetworkSpec::default() })?;
    let (mut attached, mut detached) = (Vec::new(), Vec::new());
    let mut kept = Vec::new();
    // The names of devices begin with those of containers: the first digits differ, as an id's do.
    let id = |number: usize| format!("{number:07x}{:057}", 0);
    for number in 0..count {
        let (container, started) = (id(number), Instant::now());
        let netns = host.create_namespace(&container, None)?;
        let names = vec![format!("web-{number}"), "web".to_owned()];
        let endpoint = EndpointSpec { network: network.id.clone(), names, ..EndpointSpec::default() };
        let spec = SandboxSpec { container: container.clone(), netns, endpoints: vec![endpoint], ports: Vec::new() };
        kept.push(host.attach(&spec)?);
        attached.push(started.elapsed());
    }
    for number in (0..count).rev() {
        let started = Instant::now();
        host.detach(&id(number))?;
        detached.push(started.elapsed());
    }
    host.delete_network(&network.id)?;
    let first = median(&attached[..GROUP]);
    let last = median(&attached[attached.len() - GROUP..]);
    println!("| | ms |\n|---|---:|");
    println!("| namespace and attach, the first {GROUP} containers of a network | {} |", shown(first));
    println!("| the last {GROUP} of {count} | {} |", shown(last));
    println!("| detach, all of them | {} |", shown(median(&detached)));
    println!("| the kernel alone, for a namespace with a veth on a bridge, the first | {} |", shown(kernel_first));
    println!("| the kernel alone, the last | {} |", shown(kernel_last));
    println!("| the last beside the first | {:.2} |", last.as_secs_f64() / first.as_secs_f64());
    println!("| the last, beyond the kernel's own | {} |", shown(last.saturating_sub(kernel_last)));
    Ok(())
}

fn shown(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1000.0)
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}
