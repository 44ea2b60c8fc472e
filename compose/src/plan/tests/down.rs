//! `down`, and the verbs that only steer what is there.

use super::{host, nothing, project, running};
use crate::plan::control;
use crate::plan::down::{DownOptions, down};

const SHOP: &str = "
services:
  web: {image: 'web:1', depends_on: {db: {condition: service_healthy, restart: true}}}
  db: {image: 'db:1', volumes: ['data:/data'], secrets: [s]}
  aside: {image: 'aside:1'}
volumes: {data: }
secrets: {s: {file: /etc/hostname}}
";

#[test]
fn down_ends_dependents_first_and_leaves_the_volumes() {
    assert_eq!(
        down(Some(&project(SHOP)), &running(SHOP), &DownOptions::default()).to_string(),
        "\
#1 stop shop-web-1: asked for
#2 delete shop-web-1: asked for [after #1]
#3 stop shop-db-1: asked for [after #1]
#4 delete shop-db-1: asked for [after #3]
#5 stop shop-aside-1: asked for
#6 delete shop-aside-1: asked for [after #5]
#7 delete network shop_default: asked for [after #1, #3, #5]
"
    );
}

#[test]
fn down_works_without_a_file_and_takes_volumes_when_asked() {
    let options = DownOptions { volumes: true, ..DownOptions::default() };
    let plan = down(None, &running(SHOP), &options);
    let last: Vec<_> = plan.to_string().lines().skip(6).map(str::to_owned).collect();
    assert_eq!(
        last,
        [
            "#7 delete network shop_default: asked for [after #1, #3, #5]",
            "#8 delete volume shop_data: asked for [after #2, #4, #6]",
        ]
    );
    assert_eq!(host::after(&running(SHOP), &plan), nothing());
    assert!(down(None, &nothing(), &options).is_empty());
}

#[test]
fn down_leaves_orphans_unless_asked() {
    let fewer = project("services: {db: {image: 'db:1'}}");
    let names = |options: &DownOptions| down(Some(&fewer), &running(SHOP), options).to_string();
    assert!(!names(&DownOptions::default()).contains("shop-web-1"));
    assert!(names(&DownOptions { remove_orphans: true, ..DownOptions::default() }).contains("delete shop-web-1"));
}

#[test]
fn down_of_a_service_leaves_what_others_have() {
    let of = |file: &str, service: &str| {
        let options = DownOptions { services: vec![service.to_owned()], volumes: true, ..DownOptions::default() };
        down(Some(&project(file)), &running(file), &options).to_string()
    };
    assert_eq!(of(SHOP, "web"), "#1 stop shop-web-1: asked for\n#2 delete shop-web-1: asked for [after #1]\n");
    let apart = "
services:
  web: {image: 'web:1', networks: [front, back], volumes: ['pages:/p', 'both:/b']}
  db: {image: 'db:1', networks: [back], volumes: ['data:/d', 'both:/b']}
networks: {front: , back: }
volumes: {pages: , data: , both: }
";
    assert_eq!(
        of(apart, "web"),
        "\
#1 stop shop-web-1: asked for
#2 delete shop-web-1: asked for [after #1]
#3 delete network shop_front: asked for [after #1]
#4 delete volume shop_pages: asked for [after #2]
"
    );
}

#[test]
fn stop_and_start_keep_the_order_of_the_labels() {
    let observed = running(SHOP);
    let stop = control::stop(&observed, &[], None);
    assert_eq!(
        stop.to_string(),
        "\
#1 stop shop-web-1: asked for
#2 stop shop-db-1: asked for [after #1]
#3 stop shop-aside-1: asked for
"
    );
    let stopped = host::after(&observed, &stop);
    assert!(control::stop(&stopped, &[], None).is_empty());
    assert_eq!(
        control::start(&stopped, &[]).to_string(),
        "\
#1 start shop-aside-1: asked for
#2 start shop-db-1: asked for
#3 wait until shop-db-1 is healthy: needed by web [after #2]
#4 start shop-web-1: asked for [after #3]
"
    );
}

#[test]
fn restart_takes_those_along_that_want_it() {
    let services = ["db".to_owned()];
    assert_eq!(
        control::restart(&running(SHOP), &services, None, true).to_string(),
        "\
#1 stop shop-web-1: asked for
#2 stop shop-db-1: asked for [after #1]
#3 start shop-db-1: asked for [after #2]
#4 wait until shop-db-1 is healthy: needed by web [after #3]
#5 start shop-web-1: asked for [after #1, #4]
"
    );
    assert_eq!(
        control::restart(&running(SHOP), &services, None, false).to_string(),
        "#1 stop shop-db-1: asked for\n#2 start shop-db-1: asked for [after #1]\n"
    );
}

#[test]
fn restart_takes_along_who_restarts_with_those_that_are_taken_along() {
    let text = "
services:
  web: {image: 'web:1', depends_on: {app: {condition: service_started, restart: true}}}
  app: {image: 'app:1', depends_on: {db: {condition: service_started, restart: true}, cache: {condition: service_started}}}
  db: {image: 'db:1'}
  cache: {image: 'cache:1'}
";
    assert_eq!(
        control::restart(&running(text), &["db".to_owned()], None, true).to_string(),
        "\
#1 stop shop-web-1: asked for
#2 stop shop-app-1: asked for [after #1]
#3 stop shop-db-1: asked for [after #2]
#4 start shop-db-1: asked for [after #3]
#5 start shop-app-1: asked for [after #2, #4]
#6 start shop-web-1: asked for [after #1, #5]
"
    );
    let cache = control::restart(&running(text), &["cache".to_owned()], None, true).to_string();
    assert_eq!(cache, "#1 stop shop-cache-1: asked for\n#2 start shop-cache-1: asked for [after #1]\n");
}

#[test]
fn rm_takes_what_has_ended_and_kill_what_runs() {
    let mut observed = running(SHOP);
    assert!(control::rm(&observed, &[], false, false).is_empty());
    let killed = control::kill(&observed, &["web".to_owned()], 9);
    assert_eq!(killed.to_string(), "#1 send signal 9 to shop-web-1: asked for\n");
    observed = host::after(&observed, &killed);
    assert_eq!(control::rm(&observed, &[], false, false).to_string(), "#1 delete shop-web-1: asked for\n");
    assert_eq!(host::after(&observed, &control::rm(&observed, &[], true, true)).containers, []);
}
