#!/usr/bin/env bash
# run.sh [ROUNDS]   Measures `lighter runtime` beside crun, runc and the kernel alone (floor.c), in one run, round by round in
#                   turn, and writes benches/results/DATE-runtime.md (DATE-runtime-2.md, … for further runs of a day).
#
#   lifecycle   create, start and delete of a bundle that runs `true`, three commands, six new namespaces, a cgroup of
#               version 2 without limits: crun refuses a host with both versions, so all run in a mount namespace that shows
#               one
#   memory      the most that `create` and `run` had in memory at once
#   callers     100 containers by 8 callers at once, each created, started and deleted
#
# Whatever is not installed is left out and named. Everything happens in one scratch folder and a mount namespace;
# afterwards nothing of it is left.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=${1:-60}
[ "$(id -u)" = 0 ] || { echo "run.sh: needs root" >&2; exit 1; }
if [ "${BENCH_INSIDE:-}" != yes ]; then
    # shellcheck disable=SC2016 # expanded inside
    BENCH_INSIDE=yes exec unshare --mount --propagation private sh -c '
        umount -R /sys/fs/cgroup 2>/dev/null
        mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"' "$0" "$rounds"
fi

lighter=${LIGHTER:-$root/target/dist/lighter}
scratch=$(mktemp -d /tmp/lighter-bench-XXXXXX)
# Where they all keep their state by default: in memory.
state=$(mktemp -d /run/lighter-bench-XXXXXX)
trap 'rm -rf "$scratch" "$state"; rmdir /sys/fs/cgroup/lighter-bench/keep /sys/fs/cgroup/lighter-bench 2>/dev/null || true' EXIT
# `keep` keeps the cgroup above them: who removes what became empty would have to make it again, and others would miss it.
mkdir -p "$scratch/bundle/rootfs/bin" /sys/fs/cgroup/lighter-bench/keep
cp /bin/busybox "$scratch/bundle/rootfs/bin/busybox"
ln -s busybox "$scratch/bundle/rootfs/bin/true"
cc -O2 -static -Wall -Wextra -o "$scratch/floor" "$here/floor.c"

(cd "$scratch/bundle" && "$lighter" runtime spec)
# One configuration that all of them take, with a cgroup of its own for each.
python3 - "$scratch" <<'PYTHON'
import json, os, sys
scratch = sys.argv[1]
with open(f"{scratch}/bundle/config.json") as file:
    spec = json.load(file)
spec["ociVersion"] = "1.0.2"
spec["process"].update({"terminal": False, "args": ["/bin/true"], "env": ["PATH=/bin"], "rlimits": []})
spec["root"] = {"path": f"{scratch}/bundle/rootfs"}
spec["linux"].pop("resources")
for name in ["lighter", "crun", "runc", *(f"caller-{number}" for number in range(8))]:
    spec["linux"]["cgroupsPath"] = f"/lighter-bench/{name}"
    os.makedirs(f"{scratch}/{name}")
    with open(f"{scratch}/{name}/config.json", "w") as file:
        json.dump(spec, file)
PYTHON

lifecycle() {
    local command=$1 name=$2
    echo "$command --root $state/$name create --bundle $scratch/$name $name && $command --root $state/$name start $name && $command --root $state/$name delete --force $name"
}
floor="$scratch/floor $scratch/bundle/rootfs /sys/fs/cgroup/lighter-bench/floor"
contestants=(--contestant lighter '' "$(lifecycle "$lighter runtime" lighter)" '' --contestant 'the kernel alone' '' "$floor" '')
for tool in crun runc; do
    ! command -v $tool >/dev/null || contestants+=(--contestant "$tool" '' "$(lifecycle "$tool" "$tool")" '')
done
contestants+=(--contestant 'lighter runtime --version, three times' '' "$lighter runtime --version && $lighter runtime --version && $lighter runtime --version" '')

export BENCH_RESULT=$scratch/result.md
# shellcheck source=benches/report.sh
. "$root/benches/report.sh"
{
    head_of ', the runtime alone' "$rounds"
    lighter_version "$lighter"
    tool_version crun
    tool_version runc
} >"$BENCH_RESULT"
measure --rounds "$rounds" --title 'create, start, delete of a bundle that runs true' "${contestants[@]}"

python3 - "$lighter" "$scratch" "$state" >>"$BENCH_RESULT" <<'PYTHON'
import subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
lighter, scratch, state = sys.argv[1:]

def most(*arguments):
    """The most memory, in KiB, that one call and its children had at once; by GNU time, which counts in KiB."""
    report = f"{scratch}/time"
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["/usr/bin/time", "--format", "%M", "--output", report, *arguments], **quiet, check=True)
    with open(report) as file:
        return file.read().strip()

runtime = [lighter, "runtime", "--root", f"{state}/memory"]
print("\n## Most memory of one call\n\n| | KiB |\n|---|---:|")
print(f"| create | {most(*runtime, 'create', '--bundle', f'{scratch}/lighter', 'memory')} |")
print(f"| start | {most(*runtime, 'start', 'memory')} |")
print(f"| delete | {most(*runtime, 'delete', '--force', 'memory')} |")

def caller(number):
    failures = 0
    for turn in range(number, 100, 8):
        name = f"many-{turn}"
        for verb in (["create", "--bundle", f"{scratch}/caller-{number}"], ["start"], ["delete", "--force"]):
            done = subprocess.run([lighter, "runtime", "--root", f"{state}/many", *verb, name],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            failures += done.returncode != 0
    return failures

begin = time.monotonic()
with ThreadPoolExecutor(8) as pool:
    failures = sum(pool.map(caller, range(8)))
print(f"\n## 100 containers by 8 callers\n\n{(time.monotonic() - begin) * 10:.1f} ms a container, {failures} failed calls")
PYTHON

publish -runtime
