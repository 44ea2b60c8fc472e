//! `up`.

use lighter_engine::{MountKind, Status, VolumesFrom};

use super::super::Op;
use super::{UpOptions, host, nothing, plan, running, up};

const SHOP: &str = "
services:
  web:
    image: web:1
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
    environment: {LEVEL: low}
  migrate: {image: web:1, command: migrate, depends_on: {db: {condition: service_healthy}}}
  db: {image: db:1, volumes: ['data:/data']}
volumes: {data: }
";

fn usual() -> UpOptions {
    UpOptions::default()
}

#[test]
fn on_an_empty_host_everything_is_made_in_order() {
    assert_eq!(
        up(SHOP, &nothing(), &usual()),
        "\
#1 create volume shop_data: not there yet
#2 create network shop_default: not there yet
#3 create shop-db-1: not there yet [after #1, #2]
#4 start shop-db-1: not there yet [after #3]
#5 create shop-migrate-1: not there yet [after #2]
#6 wait until shop-db-1 is healthy: needed by migrate, web [after #4]
#7 start shop-migrate-1: not there yet [after #5, #6]
#8 create shop-web-1: not there yet [after #2]
#9 wait until shop-migrate-1 has ended well: needed by web [after #7]
#10 start shop-web-1: not there yet [after #6, #8, #9]
"
    );
}

#[test]
fn what_is_as_the_file_says_stays() {
    assert_eq!(up(SHOP, &running(SHOP), &usual()), "");
}

#[test]
fn a_changed_variable_replaces_its_service_only_and_is_named() {
    let changed = SHOP.replace("LEVEL: low", "LEVEL: high");
    assert_eq!(
        up(&changed, &running(SHOP), &usual()),
        "\
#1 stop shop-web-1: environment.LEVEL `low` → `high`
#2 delete shop-web-1: environment.LEVEL `low` → `high` [after #1]
#3 create shop-web-1: environment.LEVEL `low` → `high` [after #2]
#4 wait until shop-db-1 is healthy: needed by web
#5 wait until shop-migrate-1 has ended well: needed by web
#6 start shop-web-1: environment.LEVEL `low` → `high` [after #3, #4, #5]
"
    );
}

#[test]
fn another_image_under_the_name_replaces_its_containers() {
    let text = "services: {web: {image: 'web:1'}}";
    let mut observed = running(text);
    observed.containers[0].spec.image.id = "sha256:0123456789abcdef".to_owned();
    let plan = up(text, &observed, &usual());
    assert_eq!(plan.lines().next().unwrap(), "#1 stop shop-web-1: image 0123456789ab → web:1");
}

#[test]
fn a_container_that_has_ended_is_started_again() {
    let mut observed = running(SHOP);
    observed.containers[1].status = Status::Exited;
    assert_eq!(
        up(SHOP, &observed, &usual()),
        "\
#1 wait until shop-db-1 is healthy: needed by migrate
#2 start shop-migrate-1: not running [after #1]
"
    );
}

#[test]
fn options_change_what_is_replaced() {
    let changed = SHOP.replace("LEVEL: low", "LEVEL: high");
    let keep = UpOptions { no_recreate: true, ..usual() };
    assert_eq!(up(&changed, &running(SHOP), &keep), "");
    let force = UpOptions { force_recreate: true, services: vec!["db".to_owned()], ..usual() };
    assert_eq!(
        up(SHOP, &running(SHOP), &force),
        "\
#1 stop shop-db-1: asked for
#2 delete shop-db-1: asked for [after #1]
#3 create shop-db-1: asked for [after #2]
#4 start shop-db-1: asked for [after #3]
"
    );
    let no_start = UpOptions { no_start: true, no_deps: true, services: vec!["web".to_owned()], ..usual() };
    assert_eq!(
        up(SHOP, &nothing(), &no_start),
        "\
#1 create network shop_default: not there yet
#2 create shop-web-1: not there yet [after #1]
"
    );
}

#[test]
fn replicas_are_added_at_the_end_and_taken_from_the_end() {
    let one = "services: {web: {image: 'web:1'}}";
    let three = "services: {web: {image: 'web:1', scale: 3}}";
    assert_eq!(
        up(three, &running(one), &usual()),
        "\
#1 create shop-web-2: not there yet
#2 start shop-web-2: not there yet [after #1]
#3 create shop-web-3: not there yet
#4 start shop-web-3: not there yet [after #3]
"
    );
    let two = UpOptions { scale: [("web".to_owned(), 2)].into(), ..usual() };
    assert_eq!(
        up(three, &running(three), &two),
        "\
#1 stop shop-web-3: more than wanted
#2 delete shop-web-3: more than wanted [after #1]
"
    );
}

#[test]
fn replicas_take_the_ports_of_a_range_one_by_one() {
    let text = "services: {web: {image: 'web:1', scale: 3, ports: ['8080-8081:80']}}";
    let ports: Vec<_> = running(text).containers.iter().map(|container| container.spec.ports[0].host_port).collect();
    assert_eq!(ports, [Some(8080), Some(8081), Some(8081)]);
}

#[test]
fn orphans_are_named_and_deleted_when_asked() {
    let fewer = "services: {db: {image: 'db:1'}}";
    let both = "services: {db: {image: 'db:1'}, old: {image: 'old:1'}}";
    let warning = "warning: containers without a service in the file: shop-old-1; --remove-orphans deletes them\n";
    assert_eq!(up(fewer, &running(both), &usual()), warning);
    let remove = UpOptions { remove_orphans: true, ..usual() };
    assert_eq!(
        up(fewer, &running(both), &remove),
        "\
#1 stop shop-old-1: its service is not in the file
#2 delete shop-old-1: its service is not in the file [after #1]
"
    );
    let disabled = "services: {db: {image: 'db:1'}, old: {image: 'old:1', profiles: [x]}}";
    assert_eq!(up(disabled, &running(both), &usual()), "");
}

#[test]
fn a_changed_network_takes_its_containers_with_it() {
    let open = "services: {a: {image: 'a:1', volumes: [/cache]}}\nnetworks: {default: {}}";
    let closed = "services: {a: {image: 'a:1', volumes: [/cache]}}\nnetworks: {default: {internal: true}}";
    assert_eq!(
        up(closed, &running(open), &usual()),
        "\
#1 stop shop-a-1: network shop_default is made anew
#2 delete shop-a-1: network shop_default is made anew [after #1]
#3 delete network shop_default: networks.default differs [after #2]
#4 create network shop_default: networks.default differs [after #3]
#5 create shop-a-1: network shop_default is made anew [after #2, #4]
#6 start shop-a-1: network shop_default is made anew [after #5]
"
    );
    let after = host::after(&running(open), &plan(closed, &running(open), &usual()).unwrap());
    assert_eq!(up(closed, &after, &usual()), "");
    assert_eq!(anonymous_volume(&after.containers[0]), anonymous_volume(&running(open).containers[0]));
}

fn anonymous_volume(container: &crate::observe::ObservedContainer) -> Option<String> {
    container.spec.mounts.iter().find_map(|mount| match &mount.kind {
        MountKind::Volume { name, anonymous: true, .. } => Some(name.clone()),
        _ => None,
    })
}

#[test]
fn a_changed_network_stays_when_others_are_on_it() {
    let open = "services: {a: {image: 'a:1'}, b: {image: 'b:1'}}\nnetworks: {default: {}}";
    let closed = open.replace("{default: {}}", "{default: {internal: true}}");
    let only_a = UpOptions { services: vec!["a".to_owned()], ..usual() };
    let warning = "warning: network `shop_default` differs from the file and stays: others are on it\n";
    assert_eq!(up(&closed, &running(open), &only_a), warning);
}

#[test]
fn who_shares_a_network_or_wants_a_restart_follows() {
    let text = |level: &str| {
        format!(
            "
services:
  core: {{image: 'core:1', environment: {{LEVEL: {level}}}}}
  side: {{image: 'side:1', network_mode: 'service:core'}}
  web: {{image: 'web:1', depends_on: {{core: {{condition: service_started, restart: true}}}}}}
"
        )
    };
    assert_eq!(
        up(&text("high"), &running(&text("low")), &usual()),
        "\
#1 stop shop-web-1: restarts with service core
#2 stop shop-side-1: service core is made anew
#3 stop shop-core-1: environment.LEVEL `low` → `high` [after #1, #2]
#4 delete shop-core-1: environment.LEVEL `low` → `high` [after #3]
#5 create shop-core-1: environment.LEVEL `low` → `high` [after #4]
#6 start shop-core-1: environment.LEVEL `low` → `high` [after #5]
#7 delete shop-side-1: service core is made anew [after #2]
#8 create shop-side-1: service core is made anew [after #6, #7]
#9 start shop-side-1: service core is made anew [after #6, #8]
#10 start shop-web-1: restarts with service core [after #1, #6]
"
    );
    let alone = UpOptions { services: vec!["side".to_owned()], no_deps: true, ..usual() };
    let expected = "error: -:4:41: service `side` shares the network of `core`, which has no container\n";
    assert_eq!(up(&text("low"), &nothing(), &alone), expected);
}

/// A chain in which each service wants to be restarted with the next.
const CHAIN: &str = "
services:
  web: {image: 'web:1', depends_on: {app: {condition: service_started, restart: true}}}
  app: {image: 'app:1', depends_on: {db: {condition: service_started, restart: true}}}
  db: {image: 'db:1', environment: {LEVEL: low}}
";

#[test]
fn what_restarts_with_another_is_stopped_before_it_and_started_after_it_along_the_chain() {
    let changed = CHAIN.replace("low", "high");
    assert_eq!(
        up(&changed, &running(CHAIN), &usual()),
        "\
#1 stop shop-web-1: restarts with service app
#2 stop shop-app-1: restarts with service db [after #1]
#3 stop shop-db-1: environment.LEVEL `low` → `high` [after #2]
#4 delete shop-db-1: environment.LEVEL `low` → `high` [after #3]
#5 create shop-db-1: environment.LEVEL `low` → `high` [after #4]
#6 start shop-db-1: environment.LEVEL `low` → `high` [after #5]
#7 start shop-app-1: restarts with service db [after #2, #6]
#8 start shop-web-1: restarts with service app [after #1, #7]
"
    );
    let mut halted = running(CHAIN);
    halted.containers.iter_mut().find(|container| container.service == "app").unwrap().status = Status::Exited;
    let plan = up(&changed, &halted, &usual());
    assert!(plan.contains("start shop-app-1: not running") && !plan.contains("shop-web-1"), "{plan}");
    let only_db = UpOptions { services: vec!["db".to_owned()], ..usual() };
    assert!(!up(&changed, &running(CHAIN), &only_db).contains("shop-app-1"));
}

#[test]
fn what_restarts_with_another_is_stopped_before_it_although_both_are_made_anew() {
    let open = format!("{CHAIN}networks: {{default: {{}}, more: {{}}}}\n");
    let open = open.replace("image: 'db:1'", "image: 'db:1', networks: [default, more]");
    let closed = open.replace("{}", "{internal: true}");
    let plan = plan(&closed, &running(&open), &usual()).unwrap();
    assert_eq!(
        plan.to_string().lines().take(10).collect::<Vec<_>>().join("\n"),
        "\
#1 stop shop-web-1: network shop_default is made anew
#2 stop shop-app-1: network shop_default is made anew [after #1]
#3 delete shop-app-1: network shop_default is made anew [after #2]
#4 stop shop-db-1: network shop_default is made anew [after #2]
#5 delete shop-db-1: network shop_default is made anew [after #4]
#6 delete shop-web-1: network shop_default is made anew [after #1]
#7 delete network shop_default: networks.default differs [after #3, #5, #6]
#8 create network shop_default: networks.default differs [after #7]
#9 delete network shop_more: networks.more differs [after #5]
#10 create network shop_more: networks.more differs [after #9]"
    );
    let after = host::after(&running(&open), &plan);
    assert_eq!(up(&closed, &after, &usual()), "");
}

#[test]
fn who_gets_volumes_of_another_is_made_after_it_and_anew_with_it() {
    let text = |level: &str| {
        format!(
            "
services:
  db: {{image: 'db:1', environment: {{LEVEL: {level}}}}}
  web: {{image: 'web:1', volumes_from: ['db:ro', 'container:old']}}
"
        )
    };
    let plan = plan(&text("low"), &nothing(), &usual()).unwrap();
    let lent = plan.steps.iter().find_map(|step| match &step.op {
        Op::CreateContainer { spec, .. } if spec.name == "shop-web-1" => Some(spec.volumes_from.clone()),
        _ => None,
    });
    let from = |container: &str, read_only| VolumesFrom { container: container.to_owned(), read_only };
    assert_eq!(lent, Some(vec![from("shop-db-1", true), from("old", false)]));
    assert_eq!(
        up(&text("high"), &running(&text("low")), &usual()),
        "\
#1 stop shop-db-1: environment.LEVEL `low` → `high`
#2 delete shop-db-1: environment.LEVEL `low` → `high` [after #1]
#3 create shop-db-1: environment.LEVEL `low` → `high` [after #2]
#4 start shop-db-1: environment.LEVEL `low` → `high` [after #3]
#5 stop shop-web-1: service db is made anew
#6 delete shop-web-1: service db is made anew [after #5]
#7 create shop-web-1: service db is made anew [after #4, #6]
#8 start shop-web-1: service db is made anew [after #4, #7]
"
    );
    let alone = UpOptions { services: vec!["web".to_owned()], no_deps: true, ..usual() };
    let expected = "error: -:4:25: service `web` shares the volumes of `db`, which has no container\n";
    assert_eq!(up(&text("low"), &nothing(), &alone), expected);
}

#[test]
fn content_of_configs_is_written_before_and_a_change_of_it_replaces() {
    let text = |content: &str| {
        format!("services: {{a: {{image: 'a:1', configs: [c]}}}}\nconfigs: {{c: {{content: {content}}}}}\n")
    };
    assert_eq!(
        up(&text("one"), &nothing(), &usual()),
        "\
#1 create network shop_default: not there yet
#2 write /c: not there yet
#3 create shop-a-1: not there yet [after #1, #2]
#4 start shop-a-1: not there yet [after #3]
"
    );
    assert_eq!(up(&text("one"), &running(&text("one")), &usual()), "");
    let plan = up(&text("two"), &running(&text("one")), &usual());
    assert_eq!(plan.lines().nth(1), Some("#2 stop shop-a-1: content./c `…` → `…`"));
}

#[test]
fn an_optional_dependency_that_is_disabled_is_not_waited_for() {
    let text = "
services:
  a: {image: 'a:1', depends_on: {p: {condition: service_healthy, required: false}}}
  p: {image: 'p:1', profiles: [x]}
";
    assert!(!up(text, &nothing(), &usual()).contains("wait"));
}

#[test]
fn wait_waits_for_all() {
    let text = "services: {a: {image: 'a:1'}, b: {image: 'b:1', healthcheck: {test: 'true'}}}";
    let wait = UpOptions { wait: true, ..usual() };
    assert_eq!(
        up(text, &running(text), &wait),
        "#1 wait until shop-a-1 runs: asked for\n#2 wait until shop-b-1 is healthy: asked for\n"
    );
}

#[test]
fn what_cannot_be_had_is_refused_before_anything_happens() {
    let cases = [
        (
            "services: {a: {image: 'a:1', use_api_socket: true}}",
            "error: -:1:30: `services.a.use_api_socket` is not supported by lighter yet\n",
        ),
        (
            "services: {a: {image: 'a:1', networks: [n]}}\nnetworks: {n: {external: true, name: out}}",
            "error: -:2:12: external network `out` does not exist (make it with `lighter network create out`, or drop `external`)\n",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(up(text, &nothing(), &usual()), expected);
    }
    let unknown = UpOptions { services: vec!["wbe".to_owned()], ..usual() };
    let expected = "error: no such service `wbe` in project `shop` (did you mean `web`?)\n";
    assert_eq!(up(SHOP, &nothing(), &unknown), expected);
}

#[test]
fn only_services_that_can_have_many_containers_are_scaled() {
    let scaled = |name: &str| UpOptions { scale: [(name.to_owned(), 2)].into(), ..usual() };
    let text = "services: {web: {image: 'web:1', container_name: one}}";
    let expected = "error: -:1:50: service `web` has a fixed `container_name` and 2 containers\n";
    assert_eq!(up(text, &nothing(), &scaled("web")), expected);
    let expected = "error: no such service `wbe` in project `shop` (did you mean `web`?)\n";
    assert_eq!(up(text, &nothing(), &scaled("wbe")), expected);
}

#[test]
fn a_foreign_volume_of_the_name_is_used_with_a_warning() {
    let mut observed = running(SHOP);
    observed.volumes.values_mut().for_each(|volume| volume.project = Some("other".to_owned()));
    let warning = "warning: volume `shop_data` belongs to project `other`; set `external: true` to use it as it is\n";
    assert_eq!(up(SHOP, &observed, &usual()), warning);
}
