//! One service.

use std::collections::BTreeMap;

use super::reader::{Reader, pairs, text, texts};
use super::{
    build, develop, endpoint, file_object, healthcheck, hook, isolation, logging, mount, port, process, resources,
    restart,
};
use crate::model::{Condition, Dependency, Service};
use crate::yaml::Node;

pub(super) fn read(name: &str, node: &Node, reader: &mut Reader) -> Service {
    let path = format!("services.{name}");
    let deployed = node.get("deploy").and_then(|deploy| deploy.get("replicas"));
    let replicas = reader.number(node.get("scale").or(deployed), &format!("{path}.scale"));
    Service {
        name: name.to_owned(),
        container_name: text(node, "container_name"),
        replicas: replicas.unwrap_or(1),
        profiles: texts(node, "profiles"),
        image: text(node, "image"),
        build: node.get("build").map(|own| build::read(own, &path, reader)),
        pull_policy: reader
            .parse(node.get("pull_policy"), &format!("{path}.pull_policy"), "a pull policy", |text| text.parse().ok())
            .unwrap_or_default(),
        platform: text(node, "platform"),
        process: process::read(node, &path, reader),
        isolation: isolation::read(node, &path, reader),
        resources: resources::read(node, &path, reader),
        networking: endpoint::networking(node, &path, reader),
        ports: port::read(node, &path, reader),
        expose: port::exposed(node, &path, reader),
        mounts: mount::read(node, &path, reader),
        volumes_from: mount::lenders(node, &path, reader),
        configs: file_object::grants(node, "configs", "/", &path, reader),
        secrets: file_object::grants(node, "secrets", "/run/secrets/", &path, reader),
        depends_on: depends_on(node),
        healthcheck: healthcheck::read(node, &path, reader),
        hooks: hook::read(node, &path, reader),
        restart: restart::read(node, &path, reader),
        logging: logging::read(node, &path, reader),
        labels: pairs(node, "labels"),
        annotations: pairs(node, "annotations"),
        attach: node.get("attach").and_then(Node::as_bool).unwrap_or(true),
        watch: develop::read(node),
        document: node.clone(),
    }
}

fn depends_on(node: &Node) -> BTreeMap<String, Dependency> {
    let entries = node.get("depends_on").map_or(&[][..], Node::entries);
    let flag = |node: &Node, key, default| node.get(key).and_then(Node::as_bool).unwrap_or(default);
    entries
        .iter()
        .map(|entry| {
            let condition = entry.value.text("condition").and_then(Condition::from_word);
            let dependency = Dependency {
                condition: condition.unwrap_or(Condition::Started),
                required: flag(&entry.value, "required", true),
                restart: flag(&entry.value, "restart", false),
            };
            (entry.key.clone(), dependency)
        })
        .collect()
}
