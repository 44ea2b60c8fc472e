#!/usr/bin/env python3
"""project.py KIND N   Writes a Compose project of N services to standard output.

KIND: idle   services without dependencies that sleep
      deaf   services that ignore SIGTERM, with two seconds of grace
      chain  each service waits until the one before it is healthy
"""
import sys

kind, number = sys.argv[1], int(sys.argv[2])
commands = {
    "idle": "[sleep, '1000000']",
    "deaf": "[sh, -c, 'trap \"\" TERM; while :; do sleep 1000; done']",
    "chain": "[sleep, '1000000']",
}
print("services:")
for index in range(1, number + 1):
    print(f"  s{index}:\n    image: busybox:1\n    command: {commands[kind]}")
    print(f"    stop_grace_period: {'2s' if kind == 'deaf' else '0s'}")
    if kind == "chain":
        print("    healthcheck: {test: [CMD, 'true'], interval: 1s, timeout: 5s}")
        if index > 1:
            print(f"    depends_on: {{s{index - 1}: {{condition: service_healthy}}}}")
