//! What a project has come to, in lines that are compared one by one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::side::Objects;

/// What of a container is compared as it is, unless it is nothing.
const FIELDS: [&str; 31] = [
    "/Config/Cmd",
    "/Config/Domainname",
    "/Config/Entrypoint",
    "/Config/Env",
    "/Config/ExposedPorts",
    "/Config/Image",
    "/Config/OpenStdin",
    "/Config/StopSignal",
    "/Config/Tty",
    "/Config/User",
    "/Config/WorkingDir",
    "/HostConfig/CapAdd",
    "/HostConfig/CapDrop",
    "/HostConfig/CpuShares",
    "/HostConfig/CpusetCpus",
    "/HostConfig/Dns",
    "/HostConfig/DnsOptions",
    "/HostConfig/DnsSearch",
    "/HostConfig/ExtraHosts",
    "/HostConfig/Init",
    "/HostConfig/LogConfig/Type",
    "/HostConfig/Memory",
    "/HostConfig/NanoCpus",
    "/HostConfig/NetworkMode",
    "/HostConfig/OomKillDisable",
    "/HostConfig/PidsLimit",
    "/HostConfig/PortBindings",
    "/HostConfig/Privileged",
    "/HostConfig/ReadonlyRootfs",
    "/HostConfig/RestartPolicy",
    "/HostConfig/ShmSize",
];

/// Lists whose order says nothing.
const UNORDERED: [&str; 4] = ["/Config/Env", "/HostConfig/CapAdd", "/HostConfig/CapDrop", "/HostConfig/ExtraHosts"];

/// Labels of Compose's own that both versions write with the same meaning.
const LABELS: [&str; 8] = [
    "com.docker.compose.container-number",
    "com.docker.compose.network",
    "com.docker.compose.oneoff",
    "com.docker.compose.project",
    "com.docker.compose.project.config_files",
    "com.docker.compose.project.working_dir",
    "com.docker.compose.service",
    "com.docker.compose.volume",
];

/// Digits of an id by which a container is known.
const SHORT: usize = 12;

/// Networks that engines make for themselves.
pub(super) const BUILT_IN: [&str; 3] = ["bridge", "host", "none"];

/// Where the addresses are that scenarios ask for; engines choose others.
const ASKED_FOR: &str = "10.";

/// Least port that nobody has asked for (ip_local_port_range).
const FIRST_EPHEMERAL: u16 = 32768;

/// Tells what there is, and what has changed since it was last asked.
#[derive(Default)]
pub(super) struct Observer {
    /// Ids of containers by their names, and anonymous volumes by their places.
    seen: BTreeMap<String, String>,
}

impl Observer {
    /// Tells what there is, and remembers it.
    pub(super) fn tell(&mut self, objects: &Objects) -> BTreeSet<String> {
        let lines = self.look(objects);
        self.seen = objects.containers.iter().flat_map(|container| self.identities(container)).collect();
        lines
    }

    /// Puts ids in the places of `{NAME}`, the names of containers that were told of.
    pub(super) fn with_ids(&self, word: &str) -> String {
        self.seen.iter().fold(word.to_owned(), |word, (name, id)| word.replace(&format!("{{{name}}}"), id))
    }

    /// Tells what there is.
    pub(super) fn look(&self, objects: &Objects) -> BTreeSet<String> {
        let names: BTreeMap<_, _> =
            objects.containers.iter().map(|container| (text(&container["Id"]), self.name(container))).collect();
        let short = |id: &str| id.get(..SHORT).unwrap_or(id).to_owned();
        let containers = objects.containers.iter().flat_map(|container| self.container(container));
        let networks = objects.networks.iter().flat_map(network);
        let lines = containers.chain(networks).chain(objects.volumes.iter().flat_map(|volume| self.volume(volume)));
        let named =
            |line: String| names.iter().fold(line, |line, (id, name)| line.replace(id, name).replace(&short(id), name));
        lines.map(named).collect()
    }

    /// Returns the name of a container within its project; that of a one-off has a number that is any.
    fn name(&self, container: &Value) -> String {
        let label = |key: &str| text(&container["Config"]["Labels"][format!("com.docker.compose.{key}")]);
        let (name, service) = (text(&container["Name"]), label("service"));
        let name = name.trim_start_matches('/');
        for joint in ["_", "-"] {
            let beginning = [&label("project"), joint, &service, joint].concat();
            let Some(rest) = name.strip_prefix(&beginning) else { continue };
            if rest == label("container-number") {
                return format!("{service}-{rest}");
            }
            if rest.starts_with("run") && label("oneoff") == "True" {
                return format!("{service}-run");
            }
        }
        name.to_owned()
    }

    /// Returns what makes a container another: its id, and its anonymous volumes.
    fn identities(&self, container: &Value) -> Vec<(String, String)> {
        let name = self.name(container);
        let anonymous = list(&container["Mounts"]).iter().filter(|mount| is_anonymous(mount));
        let volumes = anonymous.map(|mount| (format!("{name} {}", text(&mount["Destination"])), text(&mount["Name"])));
        [(name.clone(), text(&container["Id"]))].into_iter().chain(volumes).collect()
    }

    fn is_kept(&self, what: &str, id: &str) -> &'static str {
        if self.seen.get(what).is_some_and(|seen| seen == id) { "as before" } else { "new" }
    }

    fn container(&self, container: &Value) -> Vec<String> {
        let name = self.name(container);
        let mut told = vec![format!("is {}", self.is_kept(&name, &text(&container["Id"]))), state(container)];
        // How well one is that does not run, docker remembers.
        let health = container.pointer("/State/Health/Status").filter(|_| container["State"]["Running"] == true);
        told.extend(health.map(|health| format!("is {}", text(health))));
        told.extend(labels(&container["Config"]["Labels"]));
        told.extend(FIELDS.iter().filter_map(|field| self.field(container, field)));
        let host = text(&container["Config"]["Hostname"]);
        if !text(&container["Id"]).starts_with(&host) {
            told.push(format!("Hostname {host}"));
        }
        told.extend(list(&container["Mounts"]).iter().map(|mount| self.mount(&name, mount)));
        let tmpfs = container["HostConfig"]["Tmpfs"].as_object().into_iter().flatten();
        told.extend(tmpfs.map(|(place, _)| format!("has tmpfs at {place}, writable")));
        told.extend(ports(&container["NetworkSettings"]["Ports"]));
        told.extend(networks(container));
        told.into_iter().map(|line| format!("{name} {line}")).collect()
    }

    fn field(&self, container: &Value, field: &str) -> Option<String> {
        let mut value = container.pointer(field)?.clone();
        if let (Some(list), true) = (value.as_array_mut(), UNORDERED.contains(&field)) {
            // A word of Compose 1 to Swarm, about the container that was before.
            list.retain(|entry| !text(entry).starts_with("affinity:container=="));
            list.sort_by_key(ToString::to_string);
        }
        // What docker does when nothing is said.
        let is_default = (field.ends_with("StopSignal") && value == "SIGTERM")
            || (field.ends_with("WorkingDir") && value == "/")
            || (field.ends_with("RestartPolicy") && matches!(value["Name"].as_str(), Some("" | "no")));
        (!is_nothing(&value) && !is_default).then(|| format!("{} {value}", field.rsplit_once('/').expect("a path").1))
    }

    fn mount(&self, container: &str, mount: &Value) -> String {
        let (kind, place) = (text(&mount["Type"]), text(&mount["Destination"]));
        let what = match kind.as_str() {
            "volume" if is_anonymous(mount) => {
                let name = format!("{container} {place}");
                format!("an anonymous volume, {},", self.is_kept(&name, &text(&mount["Name"])))
            }
            "volume" => format!("volume {}", text(&mount["Name"])),
            "tmpfs" => kind,
            _ => format!("{kind} {}", text(&mount["Source"])),
        };
        format!("has {what} at {place}, {}", if mount["RW"] == false { "read only" } else { "writable" })
    }

    fn volume(&self, volume: &Value) -> Vec<String> {
        let name = text(&volume["Name"]);
        if is_anonymous(volume) {
            return Vec::new();
        }
        let mut told = vec![format!("volume {name} of driver {}", text(&volume["Driver"]))];
        told.extend(labels(&volume["Labels"]).into_iter().map(|label| format!("volume {name} {label}")));
        if !is_nothing(&volume["Options"]) {
            told.push(format!("volume {name} Options {}", volume["Options"]));
        }
        told
    }
}

fn state(container: &Value) -> String {
    let state = &container["State"];
    match text(&state["Status"]).as_str() {
        "exited" => format!("is exited with {}", state["ExitCode"]),
        status => format!("is {status}"),
    }
}

/// Tells the labels of the user, and of Compose's own those that are compared.
fn labels(labels: &Value) -> Vec<String> {
    let is_compared =
        |name: &str| LABELS.contains(&name) || !(name.starts_with("com.docker.") || name.starts_with("io.lighter."));
    let folder = format!("{}/", text(&labels["com.docker.compose.project.working_dir"]));
    let value = |name: &str, value: &Value| match name {
        "com.docker.compose.project.config_files" => text(value).replace(&folder, ""),
        _ => text(value),
    };
    let all = labels.as_object().into_iter().flatten().filter(|(name, _)| is_compared(name));
    all.map(|(name, label)| format!("label {name}={}", value(name, label))).collect()
}

/// Tells which ports are open where, and which anywhere.
fn ports(ports: &Value) -> Vec<String> {
    let binding = |port: &str, binding: &Value| {
        let (ip, number) = (text(&binding["HostIp"]), text(&binding["HostPort"]));
        let is_any = number.parse::<u16>().is_ok_and(|number| number >= FIRST_EPHEMERAL);
        format!("port {port} at {ip}:{}", if is_any { "any" } else { &number })
    };
    let all = ports.as_object().into_iter().flatten();
    all.flat_map(|(port, bindings)| list(bindings).iter().map(|one| binding(port, one)).collect::<Vec<_>>()).collect()
}

/// Tells on which networks a container is, by what names, and at which address if that was asked for.
fn networks(container: &Value) -> Vec<String> {
    let (id, name) = (text(&container["Id"]), text(&container["Name"]));
    let host = text(&container["Config"]["Hostname"]);
    let own = |alias: &String| {
        id.get(..SHORT) == Some(alias.as_str()) || name.trim_start_matches('/') == alias || *alias == host
    };
    let all = container["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
    all.flat_map(|(network, endpoint)| {
        // Docker 20.10 has a container's names in one place, lighter and later versions of Docker in the other.
        let names = ["Aliases", "DNSNames"].into_iter().flat_map(|field| list(&endpoint[field]).iter().map(text));
        let aliases: BTreeSet<_> = names.filter(|alias| !own(alias)).collect();
        let address = text(&endpoint["IPAddress"]);
        let address = address.starts_with(ASKED_FOR).then(|| format!("is {address} on {network}"));
        let aliases = aliases.into_iter().map(move |alias| format!("is {alias} on {network}"));
        [format!("is on {network}")].into_iter().chain(aliases).chain(address).collect::<Vec<_>>()
    })
    .collect()
}

fn network(network: &Value) -> Vec<String> {
    let name = text(&network["Name"]);
    if BUILT_IN.contains(&name.as_str()) {
        return Vec::new();
    }
    let mut told = vec![format!("of driver {}", text(&network["Driver"]))];
    told.extend((network["Internal"] == true).then(|| "internal".to_owned()));
    told.extend((network["EnableIPv6"] == true).then(|| "IPv6".to_owned()));
    told.extend(labels(&network["Labels"]));
    let options = &network["Options"];
    told.extend((!is_nothing(options)).then(|| format!("Options {options}")));
    let ranges = list(&network["IPAM"]["Config"]).iter().filter(|range| text(&range["Subnet"]).starts_with(ASKED_FOR));
    told.extend(ranges.flat_map(|range| {
        let field = |field: &str| (!is_nothing(&range[field])).then(|| format!("{field} {}", text(&range[field])));
        ["Subnet", "IPRange"].into_iter().filter_map(field).collect::<Vec<_>>()
    }));
    told.into_iter().map(|line| format!("network {name} {line}")).collect()
}

fn is_anonymous(volume: &Value) -> bool {
    let name = text(&volume["Name"]);
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Docker writes nothing in several ways.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
