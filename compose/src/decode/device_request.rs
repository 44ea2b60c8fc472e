//! Requests for processors: `gpus`, and `deploy.resources.reservations.devices`.

use lighter_engine::DeviceRequest;

use super::reader::{Reader, text, texts};
use crate::yaml::Node;

/// Returns the names of the devices that a service asks for.
pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Vec<String> {
    let deployed = ["deploy", "resources", "reservations", "devices"];
    let deployed = deployed.iter().try_fold(service, |node, key| node.get(key));
    let mut names = Vec::new();
    for (node, key) in [(service.get("gpus"), "gpus"), (deployed, "deploy.resources.reservations.devices")] {
        for request in node.map_or(&[][..], Node::items) {
            // `gpus` has the capability without saying so
            if key != "gpus" && !texts(request, "capabilities").iter().any(|capability| capability == "gpu") {
                let what = format!("`{path}.{key}` without the capability `gpu` is not supported by lighter");
                reader.refuse(request, what);
                continue;
            }
            match wanted(request).names() {
                Ok(more) => names.extend(more),
                Err(error) => reader.refuse(request, format!("`{path}.{key}`: {error}")),
            }
        }
    }
    names
}

fn wanted(request: &Node) -> DeviceRequest {
    let count = request.get("count").and_then(Node::scalar_text);
    DeviceRequest {
        driver: text(request, "driver").unwrap_or_default(),
        count: count.and_then(|count| count.parse().ok()), // -1 and `all` are all
        ids: texts(request, "device_ids"),
    }
}
