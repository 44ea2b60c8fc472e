//! Published ports, names, and who may reach whom.

use std::fs;
use std::time::Duration;

use crate::harness::{ANSWER, HOST, Lan, Resolver, Scenario, get, run, seconds, tool};

const LIMIT: Duration = Duration::from_secs(20);

/// A web server of one page, `PORTS` published, and a client. Both have bash: the busybox of Debian is linked statically and
/// dies of a look-up in every program that connects.
const PAGE: &str = r#"
services:
  web:
    image: nginx:1
    volumes: ["./page:/usr/share/nginx/html:ro"]
    ports: [PORTS]
  client:
    image: debian:12-slim
    command: sleep 1000
"#;

fn page(purpose: &'static str, ports: &str) -> Scenario {
    let project = Scenario::new(purpose);
    project.file("compose.yaml", &PAGE.replace("PORTS", ports)).file("page/index.html", "page\n");
    project
}

/// A shell script that prints the page at `host`:`port`, or fails within a few seconds.
fn fetch(host: &str, port: u16) -> [String; 5] {
    let script = format!("exec 3<>/dev/tcp/{host}/{port} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3");
    ["timeout", &seconds(3), "bash", "-c", &script].map(str::to_owned)
}

#[test]
#[ignore = "needs root"]
fn a_port_published_on_loopback_is_open_here_and_closed_to_the_lan() {
    let project = page("127.0.0.1 means this machine", "'127.0.0.1:8080:80'");
    let lan = Lan::plug();
    project.run(["up", "-d"]).ok();
    assert_eq!(get("http://127.0.0.1:8080", LIMIT), "page\n");
    // Routed to 127.0.0.1 by way of this host, as a hostile neighbour would.
    lan.run(["ip", "route", "add", "127.0.0.1/32", "via", "192.0.2.1", "table", "128"]).ok();
    lan.run(["ip", "rule", "add", "to", "127.0.0.1/32", "table", "128", "priority", "0"]).ok();
    for url in [format!("http://{HOST}:8080"), "http://127.0.0.1:8080".to_owned()] {
        let asked = lan.run(["curl", "-s", "--max-time", &seconds(2), &url]);
        assert!(!asked.succeeded(), "{url} answers the LAN\n{asked}");
    }
}

#[test]
#[ignore = "needs root"]
fn an_unpublished_port_is_closed_to_a_neighbour_who_routes_to_the_container() {
    let project = page("what is not published must stay closed", "'8081:80'");
    let lan = Lan::plug();
    project.run(["up", "-d"]).ok();
    assert_eq!(get("http://127.0.0.1:8081", LIMIT), "page\n");
    assert_eq!(lan.run(["curl", "-s", "--max-time", &seconds(5), &format!("http://{HOST}:8081")]).ok().text(), "page");
    let web = project.containers()["web"].name.clone();
    let direct = format!("http://{}", project.address(&web));
    assert!(!lan.run(["curl", "-s", "--max-time", &seconds(2), &direct]).succeeded(), "{direct} answers the LAN");
}

#[test]
#[ignore = "needs root"]
fn a_port_without_a_host_port_gets_one_that_ps_shows() {
    let project = page("an ephemeral port must be chosen and shown", "'80'");
    project.run(["up", "-d"]).ok();
    let ports = project.containers()["web"].ports.clone();
    let port = ports[0].strip_prefix("0.0.0.0:").and_then(|rest| rest.split("->").next()).map(str::to_owned);
    let port = port.unwrap_or_else(|| panic!("no host port in {ports:?}"));
    assert_eq!(get(&format!("http://127.0.0.1:{port}"), LIMIT), "page\n");
}

#[test]
#[ignore = "needs root"]
fn a_container_reaches_its_own_published_port_through_the_hosts_address() {
    let project = page("a service must be reachable under the address the outside uses", "'8082:80'");
    let _lan = Lan::plug();
    project.run(["up", "-d"]).ok();
    get("http://127.0.0.1:8082", LIMIT);
    for service in ["web", "client"] {
        let words = ["exec", service].map(str::to_owned).into_iter().chain(fetch(&HOST.to_string(), 8082));
        let fetched = project.run(words).ok();
        assert_eq!(fetched.text(), "page", "from {service}");
    }
}

#[test]
#[ignore = "needs root"]
fn services_and_aliases_resolve_inside_and_other_names_are_forwarded() {
    let project = Scenario::new("names of the network are answered, the rest goes to the host's resolver");
    project.file(
        "compose.yaml",
        r#"
services:
  one:
    image: busybox:1
    command: sleep 1000
  two:
    image: busybox:1
    command: sleep 1000
    networks:
      default:
        aliases: [second, deux]
"#,
    );
    let resolver = Resolver::start();
    project.run(["up", "-d"]).ok();
    let two = project.containers()["two"].clone();
    let address = project.address(&two.name).to_string();
    for name in ["two", "second", "deux", &two.name, &two.id[..12]] {
        let answer = project.run(["exec", "one", "nslookup", "-type=a", name]).ok();
        assert!(answer.stdout.contains(&address), "{name} is not {address}\n{answer}");
    }
    let outside = project.run(["exec", "one", "nslookup", "-type=a", "www.example.org"]).ok();
    assert!(outside.stdout.contains(&ANSWER.to_string()), "{outside}");
    assert!(resolver.was_asked("www.example.org"), "the host's resolver was never asked");
    assert!(!resolver.was_asked("two"), "a name of the network left the host");
}

#[test]
#[ignore = "needs root"]
fn two_projects_do_not_reach_each_other() {
    let project = page("one project must not see another's services", "");
    project.run(["up", "-d"]).ok();
    let address = project.address(&project.containers()["web"].name);

    fs::create_dir(project.folder().join("other")).expect("the folder is ours");
    project.file("other/compose.yaml", "services:\n  spy:\n    image: debian:12-slim\n    command: sleep 1000\n");
    let other = format!("{}-other", project.project());
    let compose = |words: &[String]| {
        let files = ["compose", "--project-name", &other, "--file", "other/compose.yaml"].map(str::to_owned);
        project.run(files.iter().chain(words))
    };
    let exec = |words: &[String]| compose(&[&["exec".to_owned(), "spy".to_owned()], words].concat());
    compose(&["up", "-d"].map(str::to_owned)).ok();
    let fetched = exec(&fetch(&address.to_string(), 80));
    let resolved = exec(&["getent", "hosts", "web"].map(str::to_owned));
    compose(&["down".to_owned()]).ok();
    assert!(!fetched.succeeded(), "another project reads {address}\n{fetched}");
    assert!(!resolved.succeeded(), "another project resolves `web`\n{resolved}");
    // and the one that stays is as it was
    let words = ["exec", "client"].map(str::to_owned).into_iter().chain(fetch("web", 80));
    assert_eq!(project.run(words).ok().text(), "page");
}

#[test]
#[ignore = "needs root"]
fn nothing_is_written_to_tables_of_others_and_down_removes_ours() {
    let project = page("the firewall of the host belongs to somebody else", "'8083:80'");
    let load = |text: &str| {
        project.file("table.nft", text);
        run(tool("nft", ["-f".as_ref(), project.folder().join("table.nft").as_os_str()]), LIMIT).ok();
    };
    load("table inet other {\nchain input {\ntype filter hook input priority 0; policy accept;\ncounter\n}\n}\n");
    let other = || run(tool("nft", ["-s", "list", "table", "inet", "other"]), LIMIT).ok().stdout;
    let before = other();
    project.run(["up", "-d"]).ok();
    let tables = run(tool("nft", ["list", "tables"]), LIMIT).ok().stdout;
    let foreign: Vec<_> =
        tables.lines().filter(|table| !table.contains("lighter") && !table.ends_with("other")).collect();
    assert_eq!(foreign, Vec::<&str>::new(), "tables that are not ours");
    assert_eq!(other(), before);
    project.run(["down"]).ok();
    assert_eq!(other(), before);
    load("delete table inet other");
}

#[test]
#[ignore = "needs root"]
fn a_compose_file_chooses_families_ranges_addresses_and_names() {
    let project = Scenario::new("what a file says of a network must hold in the container");
    project
        .file(
            "compose.yaml",
            r#"
services:
  web:
    image: busybox:1
    init: true
    command: sleep 1000
    networks: {lan: {ipv4_address: 10.77.0.9, ipv6_address: 'fd00:77::9', interface_name: lan0, mac_address: '02:00:00:00:77:09'}}
  app:
    image: busybox:1
    init: true
    command: sleep 1000
    links: ['web:database']
    networks: [lan]
networks:
  lan:
    enable_ipv6: true
    ipam:
      config:
        - {subnet: 10.77.0.0/24, gateway: 10.77.0.200, ip_range: 10.77.0.128/25, aux_addresses: {printer: 10.77.0.128}}
        - {subnet: 'fd00:77::/64'}
"#,
        )
        .run(["up", "-d"])
        .ok();
    let inside = |service: &str, script: &str| project.run(["exec", service, "sh", "-c", script]).ok().stdout;
    let web = inside("web", "ip addr show dev lan0; ip route");
    for part in ["02:00:00:00:77:09", "inet 10.77.0.9/24", "inet6 fd00:77::9/64", "default via 10.77.0.200"] {
        assert!(web.contains(part), "`{part}` in {web}");
    }
    let app = inside("app", "ip -o -4 addr show dev eth0");
    // The first of the range is the printer's.
    assert!(app.contains("inet 10.77.0.129/24"), "{app}");
    inside("app", "ping -c 1 -W 5 database && ping -6 -c 1 -W 5 database");
    assert!(!project.run(["exec", "web", "ping", "-c", "1", "database"]).succeeded(), "a link is its owner's alone");
}
