#!/usr/bin/env python3
"""compose.py [ROUNDS]   Measures `config -q` of projects of 20, 2500 and 5000 services: the whole process, best and median of ROUNDS
(default 20), and its largest memory; beside `docker compose` where that is installed. LIGHTER names another binary.

What must hold: 20 services in 10 ms and in a fifth of docker's time, 5000 services in 1 s, memory in proportion to services.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SERVICE = """\
  s{n}:
    image: registry.example/team/app{n}:${{TAG:-1}}
    command: ["serve", "--port", "{n}"]
    environment: {{A: "{n}", B: two, C: $HOME}}
    ports: ["{port}:80"]
    volumes: ["./d{n}:/data", "shared{shared}:/shared"]
    labels: [a=1, b=2]
    depends_on: [{before}]
    healthcheck: {{test: [CMD, "true"], interval: 5s}}
    deploy: {{resources: {{limits: {{cpus: "0.5", memory: 64m}}}}}}
"""


def project(services):
    """The text of a project of so many services, each with what services usually have, in one chain."""
    parts = [
        SERVICE.format(n=n, port=1024 + n % 60000, shared=n % 50, before=f"s{n - 1}" if n else "") for n in range(services)
    ]
    volumes = "".join(f"  shared{n}: {{}}\n" for n in range(50))
    return "services:\n" + "".join(parts) + "volumes:\n" + volumes


def once(command, folder):
    """Milliseconds and KiB of one run."""
    started = time.monotonic_ns()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {child.returncode}")
    return (time.monotonic_ns() - started) / 1e6, usage.ru_maxrss


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    root = pathlib.Path(__file__).resolve().parent.parent
    lighter = os.environ.get("LIGHTER", str(root / "target/release/lighter"))
    contestants = {"lighter": [lighter, "config", "-q"]}
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        contestants["docker compose"] = ["docker", "compose", "config", "-q"]
    print("| services | | best ms | median ms | MiB |\n|---|---|---|---|---|")
    for services in (20, 2500, 5000):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "compose.yaml").write_text(project(services), encoding="utf-8")
            for name, command in contestants.items():
                runs = [once(command, folder) for _ in range(rounds if services < 1000 else max(3, rounds // 5))]
                times, memory = [run[0] for run in runs], max(run[1] for run in runs)
                print(f"| {services} | {name} | {min(times):.1f} | {statistics.median(times):.1f} | {memory / 1024:.0f} |")


if __name__ == "__main__":
    main()
