#!/usr/bin/env python3
"""measure.py --rounds N --title TEXT --contestant NAME PREPARE COMMAND CLEANUP …

Runs each COMMAND once a round, the contestants in turn and beginning with another one each round, so that whatever else the
machine does falls on all of them alike. One round before the first is not counted. A COMMAND may be several, with ` && ` between
them: they run one after another, without a shell. PREPARE and CLEANUP, for the shell, are not
timed. A contestant whose COMMAND or CLEANUP (which also looks at what COMMAND has done) fails is out, and the table says so. Appends a table to $BENCH_RESULT; the first contestant is the
measure of the others.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import tempfile
import time


def shell(script):
    """Whether `script`, for the shell, succeeded; no script is a success."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return not script or subprocess.run(script, shell=True, **quiet, check=False).returncode == 0


def called(words, streams):
    """The exit code of a command. Not by `subprocess`, whose own 0.2 ms a call would be counted."""
    _, status = os.waitpid(os.posix_spawnp(words[0], words, os.environ, file_actions=streams), 0)
    return os.waitstatus_to_exitcode(status)


def once(command):
    """Milliseconds that `command` took; an error with its last words if it failed."""
    steps = [[]]
    for word in shlex.split(command):
        if word == "&&":
            steps.append([])
        else:
            steps[-1].append(word)
    # A file: whoever holds a pipe open, as a container that was only created does, would have to be waited for.
    with tempfile.TemporaryFile() as said:
        with open(os.devnull, "r+b", buffering=0) as null:
            streams = [(os.POSIX_SPAWN_DUP2, null.fileno(), 0), (os.POSIX_SPAWN_DUP2, null.fileno(), 1)]
            streams.append((os.POSIX_SPAWN_DUP2, said.fileno(), 2))
            started = time.monotonic_ns()
            status = next((code for step in steps if (code := called(step, streams)) != 0), 0)
        elapsed = (time.monotonic_ns() - started) / 1e6
        said.seek(0)
        words = said.read().decode(errors="replace").strip().splitlines()
    if status != 0:
        raise RuntimeError(f"status {status}: {words[-1] if words else 'no word'}")
    return elapsed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--contestant", nargs=4, action="append", required=True)
    arguments = parser.parse_args()

    contestants = arguments.contestant
    times = {contestant[0]: [] for contestant in contestants}
    failed = {}
    for number in range(arguments.rounds + 1):
        turn = number % len(contestants)
        for name, prepare, command, cleanup in contestants[turn:] + contestants[:turn]:
            if name in failed:
                continue
            shell(prepare)
            try:
                elapsed = once(command)
                if number > 0:
                    times[name].append(elapsed)
            except RuntimeError as error:
                failed[name] = str(error)
            if not shell(cleanup):
                failed.setdefault(name, "its result does not hold")

    lines = ["", f"## {arguments.title}", "", "| | min | median | max | n | × |", "|---|---:|---:|---:|---:|---:|"]
    measure = times[contestants[0][0]]
    for name, *_ in contestants:
        taken = times[name]
        if name in failed or not taken:
            lines.append(f"| {name} | failed: {failed.get(name, 'no round')} | | | {len(taken)} | |")
            continue
        median = statistics.median(taken)
        ratio = f"{median / statistics.median(measure):.2f}" if measure else ""
        lines.append(f"| {name} | {min(taken):.1f} | {median:.1f} | {max(taken):.1f} | {len(taken)} | {ratio} |")
    with open(os.environ["BENCH_RESULT"], "a") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
