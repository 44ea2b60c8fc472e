//! Every Dockerfile of `tests/build` gives the files and the configuration that it says.

use crate::build_suite;
use crate::harness::Scenario;

#[test]
#[ignore = "needs root"]
fn every_dockerfile_gives_the_files_and_the_configuration_that_stand_beside_it() {
    let scenario = Scenario::new("a Dockerfile must mean what the reference says");
    scenario.run(["pull", "--quiet", "busybox:1"]).ok();
    let mut failures = Vec::new();
    let cases = build_suite::all();
    assert!(cases.len() >= 120, "there are {} cases only", cases.len());
    let is_compared = cases.iter().any(|case| case.is_for_docker) && cases.iter().any(|case| case.is_for_buildkit);
    assert!(is_compared, "nothing is compared with Docker");
    for case in cases {
        let folder = scenario.folder().join(&case.name);
        case.write(&folder);
        let archive = scenario.directory().join(format!("{}.tar", case.name));
        let tar = format!("type=tar,dest={}", archive.display());
        let mut command =
            scenario.command(["build", "--quiet", "--tag", &case.name, "--output", &tar, "--output", "type=image"]);
        command.args(&case.flags).arg(".").current_dir(&folder);
        let output = scenario.finish(command);
        if !output.succeeded() {
            failures.push(format!("{}: {}", case.name, output.stderr));
            continue;
        }
        let inspected = scenario.run(["image", "inspect", &case.name]).ok().stdout;
        let inspected: serde_json::Value = serde_json::from_str(&inspected).expect("it is JSON");
        let differences = case.differences(&build_suite::files(&archive), &inspected[0]);
        failures.extend(differences.into_iter().map(|difference| format!("{}: {difference}", case.name)));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    scenario.run(["builder", "prune", "--force"]).ok();
}
