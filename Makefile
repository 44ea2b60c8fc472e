# lighter: two commands on a fresh machine are `make demo` and `make test`; `make help` lists the rest.

# Scenarios that run at once: each waits more than it computes.
E2E_THREADS ?= 4
# Words for the matrix of guests: `--resume` after a run that ended early, `--program`, `--only-kernel`, `--guest` and `--filter` for a part.
VM ?=
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
# With the features of the whole workspace, so that what the other tests have compiled is not compiled again.
TESTBED := cargo build --locked --workspace --bin vm-testbed && exec $(TARGET_DIR)/debug/vm-testbed

.PHONY: help demo demo-down test images check unit root-tests fuzz test-vm test-vm-ci release release-test bench bench-build bench-images bench-network bench-runtime bench-up clean-images
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## start examples/hits from a registry and show what to try (root)
	@.ci/packages.sh demo
	cargo build --release --locked --bin lighter
	@LIGHTER=$(abspath $(TARGET_DIR))/release/lighter examples/demo.sh up

demo-down: ## stop and remove everything that `make demo` started
	@LIGHTER=$(abspath $(TARGET_DIR))/release/lighter examples/demo.sh down

test: ## format, lints, unit tests, root tests, end-to-end scenarios, a minute of fuzzing, a guest with cgroup v2 (root; well under an hour)
	@.ci/packages.sh test
	@$(MAKE) --no-print-directory images check unit root-tests fuzz test-vm-ci

images: ## build the test images from Debian packages (root; once, then cached)
	@.ci/packages.sh images
	@tests/images/build.sh

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@.ci/release.sh check
	shellcheck .ci/run tests/images/recipes/* $$(git ls-files "*.sh")

unit:
	cargo test --workspace --locked

root-tests:
	cargo test --workspace --locked --exclude lighter -- --ignored --test-threads=1
	cargo test --package lighter --locked -- --ignored --test-threads=$(E2E_THREADS)

fuzz: ## fuzz whatever reads outside bytes, FUZZ_SECONDS (10) for each of 9 targets (root, g++)
	@.ci/packages.sh fuzz
	@fuzz/run.sh

test-vm: ## root tests and scenarios on each supported kernel, in QEMU; VM=--resume goes on (root; hours where KVM does not work)
	@.ci/packages.sh vm
	@$(MAKE) --no-print-directory images
	$(TESTBED) matrix $(VM)

test-vm-ci: ## the part of it that every change has to pass: one kernel, cgroup v2 (root; minutes)
	@.ci/packages.sh vm
	@$(MAKE) --no-print-directory images
	$(TESTBED) matrix --ci

release: ## one static, stripped binary: target/dist/lighter
	@.ci/packages.sh release
	@.ci/release.sh

release-test: release images ## run the end-to-end scenarios with that binary; FILTER=NAME some of them (root)
	@.ci/packages.sh test
	@.ci/release-test.sh $(FILTER)

bench: ## measure lighter beside podman, docker, crun and runc; writes benches/results (root)
	@.ci/packages.sh bench
	cargo build --release --locked --bin lighter
	@LIGHTER=$(abspath $(TARGET_DIR))/release/lighter benches/run.sh

bench-images: release ## measure pull, save, load and push beside docker, podman, skopeo and tar (root)
	@.ci/packages.sh bench
	@LIGHTER=$(abspath $(TARGET_DIR))/dist/lighter benches/images/run.sh

bench-build: release ## measure builds beside docker, BuildKit and buildah (root)
	@.ci/packages.sh bench
	@LIGHTER=$(abspath $(TARGET_DIR))/dist/lighter benches/build/run.sh

bench-network: ## measure attaching, throughput and connections beside bare veths and docker (root)
	@.ci/packages.sh bench
	cargo build --release --locked --bin lighter
	@LIGHTER=$(abspath $(TARGET_DIR))/release/lighter benches/network/run.sh

bench-up: release ## measure whole projects beside docker-compose and podman-compose (root)
	@.ci/packages.sh bench
	@LIGHTER=$(abspath $(TARGET_DIR))/dist/lighter benches/up/run.sh

bench-runtime: release ## measure `lighter runtime` beside crun, runc and the kernel alone (root)
	@.ci/packages.sh bench
	@benches/runtime/run.sh

clean-images: ## forget the test images
	rm -rf target/images
