//! `compose build`: the images of a project, beside one another.

use serde_json::Value;

use crate::harness::Scenario;

fn scenario(purpose: &'static str) -> Scenario {
    let scenario = Scenario::new(purpose);
    scenario.run(["pull", "--quiet", "busybox:1"]).ok();
    scenario
}

/// A step that ends well only while the other service's is at work, too.
fn meeting(own: &str, other: &str) -> String {
    format!(
        "FROM busybox:1\nRUN --mount=type=cache,target=/c,id=meeting touch /c/{own}; \
         for n in $(seq 200); do test -e /c/{other} && exit 0; sleep 0.1; done; exit 1\n"
    )
}

#[test]
#[ignore = "needs root"]
fn services_are_built_beside_one_another_and_say_whose_step_is_whose() {
    let world = scenario("ten services must not wait for one another");
    world.file("a/Dockerfile", &meeting("a", "b")).file("b/Dockerfile", &meeting("b", "a"));
    world.file("compose.yaml", "services:\n  a: {build: a}\n  b: {build: b}\n");
    world.run(["compose", "build"]).ok().says(["[a 2/2] RUN", "[b 2/2] RUN"]);
}

#[test]
#[ignore = "needs root"]
fn an_image_that_others_stand_on_is_built_first_and_one_failure_ends_all() {
    let world = scenario("`service:` contexts are an order, whatever runs at once");
    world.file("base/Dockerfile", "FROM busybox:1\nRUN sleep 0.3; echo base > /base\n");
    world.file("web/Dockerfile", "FROM base\nRUN cp /base /web\n");
    let build = "services:\n  web:\n    build: {context: web, additional_contexts: {base: 'service:base'}}\n    image: web\n  base: {build: base}\n";
    world.file("compose.yaml", build).run(["compose", "build", "--quiet"]).ok();
    assert_eq!(world.run(["run", "--rm", "web", "cat", "/web"]).ok().stdout, "base\n");
    world.edit("base/Dockerfile", "sleep 0.3", "exit 3");
    let failed = world.run(["compose", "build"]).code(1).says(["exit code: 3"]);
    assert!(!failed.stderr.contains("RUN cp /base /web"), "{failed}");
    assert!(world.run(["ps", "-aq"]).ok().stdout.is_empty());
}

#[test]
#[ignore = "needs root"]
fn dependencies_are_built_when_asked_for_and_print_builds_nothing() {
    let world = scenario("`--with-dependencies` and `--print` mean what docker's do");
    world.file("Dockerfile", "FROM busybox:1\nARG WHO\nRUN echo $WHO > /who\n");
    let text = "services:\n  web:\n    image: web\n    build: {context: ., args: {WHO: web}, target: ''}\n    depends_on: [db]\n  db:\n    image: db\n    build: {context: ., args: {WHO: db}, cache_from: ['a:b']}\n";
    world.file("compose.yaml", &text.replace(", target: ''", ""));
    let printed = world.run(["compose", "build", "--print", "--with-dependencies", "web"]).ok().stdout;
    let printed: Value = serde_json::from_str(&printed).expect("it is JSON");
    assert_eq!(printed["target"]["db"]["args"]["WHO"], "db");
    assert_eq!(printed["target"]["db"]["cache-from"], serde_json::json!(["a:b"]));
    assert!(!world.run(["images"]).ok().stdout.contains("web"));
    world.edit("compose.yaml", ", cache_from: ['a:b']", "");
    world.run(["compose", "build", "--quiet", "web"]).ok();
    assert!(
        !world.run(["images", "-q", "db"]).ok().stdout.contains(':')
            && world.run(["images", "-q", "db"]).ok().stdout.is_empty()
    );
    world.run(["compose", "build", "--quiet", "--with-dependencies", "--builder", "default", "web"]).ok();
    assert_eq!(world.run(["run", "--rm", "db", "cat", "/who"]).ok().stdout, "db\n");
    world.run(["compose", "build", "--builder", "other"]).code(1).says(["there is one builder"]);
    world.run(["compose", "build", "--sbom=true"]).code(1).says(["--sbom: a list of what is in the image"]);
}
