//! Networks as the user makes, connects and removes them.

use std::fs;
use std::time::Duration;

use crate::harness::{HOST, Lan, Scenario, eventually, get, run, seconds, tool};

const LIMIT: Duration = Duration::from_secs(20);

/// A web server of one page on port 80, of both families.
const SERVER: [&str; 3] = ["sh", "-c", "mkdir /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www"];

/// Starts `name` with these options of `run`.
#[track_caller]
fn start(host: &Scenario, name: &str, options: &[&str], command: &[&str]) -> String {
    let begin = ["run", "--detach", "--name", name];
    let words = begin.iter().chain(options).chain(&["busybox:1"]).chain(command);
    host.run(words).ok().stderr
}

#[track_caller]
fn exec(host: &Scenario, name: &str, script: &str) -> String {
    host.run(["exec", name, "sh", "-c", script]).stdout
}

fn resolves(host: &Scenario, from: &str, name: &str) -> bool {
    host.run(["exec", from, "nslookup", "-type=a", name]).succeeded()
}

fn curl(url: &str) -> bool {
    run(tool("curl", ["--silent", "--globoff", "--fail", "--max-time", &seconds(2), url]), LIMIT).succeeded()
}

#[test]
#[ignore = "needs root"]
fn a_running_container_is_connected_and_disconnected_and_stays_so_over_a_restart() {
    let host = Scenario::new("connect and disconnect work on what runs");
    for network in ["a", "b"] {
        host.run(["network", "create", network]).ok();
    }
    start(&host, "c", &["--network", "a", "-p", "8090:80"], &SERVER);
    start(&host, "p", &["--network", "b"], &["sleep", "1000"]);
    assert!(!resolves(&host, "p", "web"));
    host.run(["network", "connect", "--alias", "web", "--ip", "172.18.1.77", "b", "c"]).ok();
    let check = |what: &str| {
        assert!(resolves(&host, "p", "web"), "{what}");
        assert!(resolves(&host, "c", "p"), "{what}: it knows the names of its new network");
        assert_eq!(exec(&host, "p", "wget -qO- http://172.18.1.77/"), "page\n", "{what}");
        let networks = host.inspect("c")["NetworkSettings"]["Networks"].clone();
        assert_eq!(networks["b"]["IPAddress"], "172.18.1.77", "{what}");
        assert!(networks["a"]["IPAddress"].is_string(), "{what}");
        assert!(exec(&host, "c", "cat /etc/hosts").contains("172.18.1.77"), "{what}");
    };
    check("connected");
    host.run(["restart", "--timeout", "0", "c"]).ok();
    check("restarted");
    let twice = host.run(["network", "connect", "b", "c"]);
    assert!(!twice.succeeded() && twice.stderr.contains("it is on network `b`"), "{twice}");
    host.run(["network", "disconnect", "a", "c"]).ok();
    assert!(host.inspect("c")["NetworkSettings"]["Networks"]["a"].is_null());
    assert_eq!(get("http://127.0.0.1:8090/", LIMIT), "page\n", "published ports follow to the network that is left");
    host.run(["network", "disconnect", "b", "c"]).ok();
    assert!(!resolves(&host, "p", "web"));
    assert!(!curl("http://127.0.0.1:8090/"));
    assert!(!exec(&host, "c", "cat /etc/hosts").contains("172.18.1.77"));
    for network in ["a", "b"] {
        host.run(["rm", "--force", "p", "c"]);
        host.run(["network", "rm", network]).ok();
    }
}

#[test]
#[ignore = "needs root"]
fn what_a_network_was_told_is_what_its_containers_get() {
    let host = Scenario::new("every option of `network create` has its effect or is refused");
    let options = [
        "--subnet=10.31.0.0/16",
        "--gateway=10.31.0.254",
        "--ip-range=10.31.7.0/24",
        "--aux-address=nas=10.31.7.0",
        "--subnet=fd31::/64",
        "--label=purpose=test",
        "--opt=com.docker.network.driver.mtu=1400",
        "--opt=com.docker.network.bridge.name=lab0",
    ];
    host.run(["network", "create"].iter().chain(&options).chain(&["lan"])).ok();
    start(&host, "any", &["--network", "lan"], &["sleep", "1000"]);
    let fixed = "name=lan,ip=10.31.9.9,ip6=fd31::9,mac-address=02:00:00:00:00:99";
    start(&host, "fixed", &["--network", fixed], &SERVER);
    let shown = host.run(["network", "inspect", "lan"]).ok().stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("inspect prints JSON");
    assert_eq!(shown[0]["EnableIPv6"], true);
    assert_eq!(shown[0]["IPAM"]["Config"][0]["IPRange"], "10.31.7.0/24");
    assert_eq!(shown[0]["IPAM"]["Config"][0]["Gateway"], "10.31.0.254");
    assert_eq!(shown[0]["Bridge"], "lab0");
    assert_eq!(host.address("any").to_string(), "10.31.7.1");
    let networks = host.inspect("fixed")["NetworkSettings"]["Networks"].clone();
    assert_eq!(networks["lan"]["GlobalIPv6Address"], "fd31::9");
    assert_eq!(networks["lan"]["MacAddress"], "02:00:00:00:00:99");
    assert!(exec(&host, "any", "ip link show eth0").contains("mtu 1400"));
    assert_eq!(exec(&host, "any", "wget -qO- 'http://[fd31::9]/'"), "page\n");
    let listed = host.run(["network", "ls", "--filter", "label=purpose=test", "--format", "{{.Name}} {{.Subnet}}"]);
    assert_eq!(listed.ok().text(), "lan 10.31.0.0/16, fd31::/64");
    let refused = host.run(["network", "create", "--opt", "com.docker.network.bridge.inhibit_ipv4=true", "x"]);
    assert!(!refused.succeeded() && refused.stderr.contains("com.docker.network.bridge.inhibit_ipv4"), "{refused}");
    host.run(["rm", "--force", "any", "fixed"]).ok();
    host.run(["network", "rm", "lan"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_fixed_address_is_not_given_away_while_its_container_is_stopped() {
    let host = Scenario::new("a container that has an address by number finds it free when it starts again");
    host.run(["network", "create", "--subnet", "10.32.0.0/24", "lan"]).ok();
    start(&host, "db", &["--network", "lan", "--ip", "10.32.0.2"], &["sleep", "1000"]);
    host.run(["stop", "--time", "0", "db"]).ok();
    start(&host, "web", &["--network", "lan"], &["sleep", "1000"]);
    assert_eq!(host.address("web").to_string(), "10.32.0.3");
    host.run(["start", "db"]).ok();
    host.run(["rm", "--force", "db"]).ok();
    start(&host, "other", &["--network", "lan"], &["sleep", "1000"]);
    assert_eq!(host.address("other").to_string(), "10.32.0.2", "with the container its address is free");
    host.run(["rm", "--force", "web", "other"]).ok();
    host.run(["network", "rm", "lan"]).ok();
}

#[test]
#[ignore = "needs root"]
fn prune_removes_what_no_container_needs_running_or_not() {
    let host = Scenario::new("prune must not take the network of a container that is only stopped");
    for network in ["unused", "stopped", "running"] {
        host.run(["network", "create", network]).ok();
    }
    host.run(["create", "--name", "s", "--network", "stopped", "busybox:1", "true"]).ok();
    start(&host, "r", &["--network", "running"], &["sleep", "1000"]);
    assert!(!host.run(["network", "prune"]).succeeded(), "nobody to ask");
    host.run(["network", "prune", "--force"]).ok();
    assert_eq!(host.run(["network", "ls", "--format", "{{.Name}}"]).ok().text(), "running\nstopped");
    host.run(["rm", "--force", "s", "r"]).ok();
    host.run(["network", "prune", "--force"]).ok();
    assert_eq!(host.run(["network", "ls", "--quiet"]).ok().text(), "");
}

#[test]
#[ignore = "needs root"]
fn a_bridge_that_could_not_be_removed_is_told_of_and_goes_with_the_next_command() {
    let host = Scenario::new("what fails when nobody looks is neither lost nor left");
    let id = host.run(["network", "create", "n"]).ok().text().to_owned();
    let record = host.root().join("networks").join(id).join("network.json");
    let text = fs::read_to_string(&record).expect("it was made");
    let bridges = || run(tool("ip", ["-oneline", "link", "show", "type", "bridge"]), LIMIT).ok().stdout.lines().count();
    start(&host, "c", &["--network", "n"], &["sleep", "1000"]);
    fs::write(&record, "{").expect("the root directory is ours");
    host.run(["kill", "c"]).ok();
    let why = || fs::read_to_string(host.run_directory().join("teardown")).unwrap_or_default();
    eventually("the monitor has given up", LIMIT, || if why().is_empty() { Err(why()) } else { Ok(()) });
    assert_eq!(bridges(), 1);
    let checked = host.run(["system", "check"]).code(1);
    assert!(checked.stdout.contains("could not be removed: ") && checked.stdout.contains("network.json"), "{checked}");
    fs::write(&record, text).expect("the root directory is ours");
    host.run(["ps"]).ok();
    assert_eq!(bridges(), 0);
    host.run(["system", "check"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_flushed_ruleset_is_loaded_again_on_demand() {
    let host = Scenario::new("somebody reloads their firewall, and `network reload` brings ours back");
    start(&host, "c", &["-p", "8091:80"], &SERVER);
    get("http://127.0.0.1:8091/", LIMIT);
    let rules = || run(tool("nft", ["list", "ruleset"]), LIMIT).ok().stdout;
    let before = rules();
    run(tool("nft", ["flush", "ruleset"]), LIMIT).ok();
    assert!(!curl("http://127.0.0.1:8091/"));
    host.run(["network", "reload"]).ok();
    assert_eq!(rules(), before);
    assert!(curl("http://127.0.0.1:8091/"));
}

#[test]
#[ignore = "needs root"]
fn ports_are_open_on_both_loopbacks_and_stay_held_when_the_monitor_is_replaced() {
    let host = Scenario::new("localhost is ::1 as well, also after a monitor was killed");
    let lan = Lan::plug();
    start(&host, "c", &["-p", "8092:80"], &SERVER);
    let ports = host.run(["port", "c"]).ok();
    assert_eq!(ports.text(), "80/tcp -> 0.0.0.0:8092\n80/tcp -> [::]:8092");
    for url in ["http://127.0.0.1:8092/", "http://[::1]:8092/"] {
        assert_eq!(get(url, LIMIT), "page\n");
    }
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.pid("c"))).expect("the container runs");
    let monitor = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)).expect("field 4");
    run(tool("kill", ["-9", monitor]), LIMIT).ok();
    host.run(["network", "ls"]).ok(); // any command gives it another monitor
    eventually("the port is held and ::1 served again", LIMIT, || {
        let taken = std::net::TcpListener::bind("0.0.0.0:8092").is_err();
        let served = curl("http://[::1]:8092/");
        if taken && served { Ok(()) } else { Err(format!("held: {taken}, served: {served}")) }
    });
    assert_eq!(lan.run(["curl", "-s", "--max-time", &seconds(5), &format!("http://{HOST}:8092/")]).ok().text(), "page");
}

#[test]
#[ignore = "needs root"]
fn with_respect_host_firewall_the_hosts_rules_for_itself_decide() {
    let host = Scenario::new("`ufw allow` and `ufw deny` govern published ports where the owner wants it");
    let config = host.directory().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("the scenario wrote it");
    std::fs::write(&config, format!("{text}\n[network]\npublish = \"respect-host-firewall\"\n")).expect("it is ours");
    let lan = Lan::plug();
    let rules = "table inet own {\nchain input {\ntype filter hook input priority 0; policy drop;\n\
                 iifname lo accept\nct state established,related accept\ntcp dport 8094 accept\n}\n}\n";
    host.file("own.nft", rules);
    run(tool("nft", ["-f".as_ref(), host.folder().join("own.nft").as_os_str()]), LIMIT).ok();
    start(&host, "c", &["-p", "8093:80", "-p", "8094:80"], &SERVER);
    let ask =
        |port: u16| lan.run(["curl", "-s", "--max-time", &seconds(2), &format!("http://{HOST}:{port}/")]).succeeded();
    assert_eq!(get("http://127.0.0.1:8093/", LIMIT), "page\n");
    assert!(ask(8094), "what the host's firewall allows is open");
    assert!(!ask(8093), "what it does not is closed");
    run(tool("nft", ["delete", "table", "inet", "own"]), LIMIT).ok();
}

#[test]
#[ignore = "needs root"]
fn a_firewall_that_drops_what_containers_send_is_named_with_the_remedy() {
    let host = Scenario::new("a container without a network says why");
    let rules = "table inet fw {\nchain passing {\ntype filter hook forward priority 0; policy drop;\n}\n}\n";
    host.file("fw.nft", rules);
    run(tool("nft", ["-f".as_ref(), host.folder().join("fw.nft").as_os_str()]), LIMIT).ok();
    let said = start(&host, "c", &[], &["sleep", "1000"]);
    assert!(said.contains("nft insert rule inet fw passing iifname '\"lt-*\"' accept"), "{said}");
    let reloaded = host.run(["network", "reload"]).ok().stderr;
    assert!(reloaded.contains("chain `passing` of `inet fw`"), "{reloaded}");
    for way in ["iifname", "oifname"] {
        run(tool("nft", ["insert", "rule", "inet", "fw", "passing", way, "\"lt-*\"", "accept"]), LIMIT).ok();
    }
    assert_eq!(host.run(["network", "reload"]).ok().stderr, "");
    run(tool("nft", ["delete", "table", "inet", "fw"]), LIMIT).ok();
}

#[test]
#[ignore = "needs root"]
fn links_hosts_and_ranges_of_ports_are_what_was_asked_for() {
    let host = Scenario::new("--link, --add-host host-gateway, and the first free port of a range");
    for name in ["one", "two"] {
        start(&host, name, &["-p", "8100-8105:80"], &SERVER);
    }
    let port = |name: &str| host.run(["port", name, "80"]).ok().stdout.lines().next().map(str::to_owned);
    assert_eq!((port("one").as_deref(), port("two").as_deref()), (Some("0.0.0.0:8100"), Some("0.0.0.0:8101")));
    let options = ["--link", "one:database", "--add-host", "up:host-gateway", "--dns-opt", "timeout:7"];
    start(&host, "client", &options, &["sleep", "1000"]);
    assert_eq!(exec(&host, "client", "wget -qO- http://database/"), "page\n");
    assert!(!resolves(&host, "two", "database"), "a link is for one container alone");
    assert_eq!(exec(&host, "client", "wget -qO- http://up:8101/"), "page\n");
    assert!(exec(&host, "client", "cat /etc/resolv.conf").contains("options timeout:7 ndots:0"));
}

#[test]
#[ignore = "needs root"]
fn links_are_given_and_taken_away_while_the_container_runs() {
    let host = Scenario::new("network connect --link, rm --link: the name server learns of both");
    host.run(["network", "create", "lan"]).ok();
    start(&host, "one", &["--network", "lan"], &["sleep", "1000"]);
    start(&host, "two", &[], &["sleep", "1000"]);
    host.run(["network", "connect", "--link", "one:database", "--link", "one", "lan", "two"]).ok();
    assert!(resolves(&host, "two", "database") && resolves(&host, "two", "one"));
    assert!(!resolves(&host, "one", "database"), "a link is for one container alone");
    let links = || host.run(["inspect", "--format", "{{json .HostConfig.Links}}", "two"]).ok().text().to_owned();
    assert_eq!(links(), r#"["one:database","one:one"]"#);
    host.run(["restart", "--time", "0", "two"]).ok();
    assert!(resolves(&host, "two", "database"), "not after a restart");

    assert_eq!(host.run(["rm", "--link", "/two/database"]).ok().text(), "/two/database");
    let is_forgotten = || if resolves(&host, "two", "database") { Err("it answers") } else { Ok(()) };
    eventually("the name server forgets the link", LIMIT, is_forgotten);
    assert!(resolves(&host, "two", "one"));
    assert_eq!(links(), r#"["one:one"]"#);
    host.run(["rm", "--link", "two/database"]).code(1).says(["`two` has no link `database`"]);
    host.run(["rm", "--link", "two"]).code(1).says(["use CONTAINER/NAME"]);
    host.run(["rm", "--force", "one", "two"]).ok();
    host.run(["network", "rm", "lan"]).ok();
}

#[test]
#[ignore = "needs root"]
fn services_have_fixed_addresses_and_leave_by_the_network_with_the_priority() {
    let host = Scenario::new("a service that starts first must not take another's fixed address");
    host.file(
        "compose.yaml",
        r#"
services:
  first:
    image: busybox:1
    command: sleep 1000
    networks: {front: {gw_priority: 1}, back: {priority: 10}}
  last:
    image: busybox:1
    command: sleep 1000
    depends_on: [first]
    networks: {back: {ipv4_address: 10.33.0.2}}
  shared:
    image: busybox:1
    command: sleep 1000
    network_mode: service:first
networks:
  front:
  back: {ipam: {config: [{subnet: 10.33.0.0/24}]}}
"#,
    );
    host.run(["up", "-d"]).ok();
    let networks = |service: &str| {
        let name = host.containers()[service].name.clone();
        host.inspect(&name)["NetworkSettings"]["Networks"].clone()
    };
    let (front, back) = (format!("{}_front", host.project()), format!("{}_back", host.project()));
    assert_eq!(networks("last")[&back]["IPAddress"], "10.33.0.2");
    let first = networks("first");
    assert_eq!((&first[&back]["IPAddress"], &first[&back]["Interface"]), (&"10.33.0.3".into(), &"eth0".into()));
    let route = exec(&host, "shared", "ip route show default");
    let gateway = first[&front]["Gateway"].as_str().expect("it has one").to_owned();
    assert!(route.contains(&format!("via {gateway} dev eth1")), "{route}");
}

#[test]
#[ignore = "needs root"]
fn interfaces_have_the_names_and_parameters_that_were_asked_for() {
    let host = Scenario::new("driver options of a container on a network have their effect or are refused");
    host.file(
        "compose.yaml",
        r#"
services:
  web:
    image: busybox:1
    command: sleep 1000
    networks:
      default:
        driver_opts:
          com.docker.network.endpoint.ifname: lan0
          com.docker.network.endpoint.sysctls: net.ipv4.conf.IFNAME.log_martians=1
  plain:
    image: busybox:1
    command: sleep 1000
    network_mode: bridge
"#,
    );
    host.run(["up", "-d"]).ok();
    let martians = |container: &str, interface: &str| {
        exec(&host, container, &format!("cat /proc/sys/net/ipv4/conf/{interface}/log_martians")).trim().to_owned()
    };
    let containers = host.containers();
    let (web, plain) = (&containers["web"].name, &containers["plain"].name);
    assert_eq!(martians(web, "lan0"), "1");
    assert!(host.inspect(plain)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"].is_string());
    let sysctls =
        "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.neigh.IFNAME.ucast_solicit=7";
    start(&host, "c", &["--network", &format!("name=bridge,\"driver-opt={sysctls}\"")], &["sleep", "1000"]);
    assert_eq!(martians("c", "eth0"), "1");
    let default = format!("{}_default", host.project());
    let options = ["--driver-opt", "com.docker.network.endpoint.ifname=back", "--driver-opt", sysctls];
    host.run([&["network", "connect"], &options[..], &[&default, "c"]].concat()).ok();
    host.run(["restart", "--timeout", "0", "c"]).ok();
    assert_eq!((martians("c", "eth0"), martians("c", "back")), ("1".into(), "1".into()));
    let refused = host.run(["network", "connect", "--driver-opt", "com.docker.x=1", "bridge", web]);
    assert!(!refused.succeeded() && refused.stderr.contains("`com.docker.x`"), "{refused}");
}

#[test]
#[ignore = "needs root"]
fn who_pauses_before_it_starts_again_is_then_on_the_networks_it_was_put_on_meanwhile() {
    let host = Scenario::new("a container that fails again and again is cut off from what it attacks");
    for network in ["before", "after"] {
        host.run(["network", "create", network]).ok();
    }
    let script = "test -e /shared/stay && exec sleep 1000; exit 1";
    let shared = host.folder();
    let mount = format!("{}:/shared", shared.display());
    let words = ["run", "-d", "--name", "failing", "--restart", "always", "--network", "before", "-v", &mount];
    host.run([&words[..], &["busybox:1", "sh", "-c", script]].concat()).ok();
    let state = |wanted: &str| {
        let state = host.inspect("failing")["State"]["Status"].clone();
        if state == wanted { Ok(()) } else { Err(state) }
    };
    // the pauses double: after six starts it takes three seconds
    eventually("the pause is long", Duration::from_secs(60), || {
        let seen = host.inspect("failing");
        let is_long = seen["RestartCount"].as_u64() >= Some(5) && seen["State"]["Status"] == "restarting";
        if is_long { Ok(()) } else { Err(seen["RestartCount"].clone()) }
    });
    host.run(["network", "connect", "after", "failing"]).ok();
    host.run(["network", "disconnect", "before", "failing"]).ok();
    std::fs::write(shared.join("stay"), "").expect("the folder is ours");
    eventually("it runs", Duration::from_secs(60), || state("running"));
    eventually("it is on the other network", Duration::from_secs(10), || {
        let networks = host.inspect("failing")["NetworkSettings"]["Networks"].clone();
        let names: Vec<_> = networks.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
        if names == ["after"] { Ok(()) } else { Err(names.join(", ")) }
    });
    let addresses = host.run(["exec", "failing", "ip", "-4", "-o", "address"]).ok().stdout;
    let address = host.address("failing").to_string();
    assert!(addresses.lines().count() == 2 && addresses.contains(&address), "{addresses}");
    host.run(["network", "rm", "before"]).ok();
    host.run(["rm", "-f", "failing"]).ok();
    host.run(["network", "rm", "after"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_container_knows_its_own_short_name_the_hosts_names_and_who_it_is_linked_to_by_id() {
    let host =
        Scenario::new("a broker asks for its name without the domain, a program of the host's network for the host's");
    let hosts =
        |words: &[&str]| host.run([&["run", "--rm"], words, &["busybox:1", "cat", "/etc/hosts"]].concat()).ok().stdout;
    let own = hosts(&["--hostname", "rabbit.example.com"]);
    assert!(own.lines().any(|line| line.ends_with("\trabbit.example.com rabbit")), "{own}");
    let names = std::fs::read_to_string("/etc/hosts").expect("the host has names");
    let with_hosts = hosts(&["--network", "host", "--add-host", "more:192.0.2.9"]);
    assert!(with_hosts.starts_with(names.trim_end()) && with_hosts.ends_with("192.0.2.9\tmore\n"), "{with_hosts}");

    let id = host.run(["run", "-d", "--name", "db", "busybox:1", "sleep", "1000"]).ok().text().to_owned();
    for target in [&id, &id[..10], "db"] {
        let link = format!("{target}:data");
        let asked = ["run", "--rm", "--link", &link, "busybox:1", "ping", "-c1", "-W5", "data"];
        host.run(asked).ok();
    }
    host.run(["rm", "-f", "db"]).ok();
}

#[test]
#[ignore = "needs root"]
fn who_has_joined_a_network_is_off_it_when_the_container_it_is_of_has_ended() {
    let host = Scenario::new("an address is given to the next container, and must not be answered for by another");
    start(&host, "lender", &[], &["sleep", "1000"]);
    start(&host, "borrower", &["--network", "container:lender", "--cap-add", "NET_ADMIN"], &["sleep", "1000"]);
    let links = || exec(&host, "borrower", "ip -o link | cut -d: -f2 | cut -d@ -f1 | xargs");
    assert_eq!(links().trim(), "lo eth0");
    host.run(["stop", "-t", "0", "lender"]).ok();
    assert_eq!(links().trim(), "lo");
    host.run(["rm", "-f", "borrower", "lender"]).ok();
}
