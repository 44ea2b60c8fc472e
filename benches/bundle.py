#!/usr/bin/env python3
"""bundle.py CONFIG keep-limits|no-limits   Makes umoci's config.json run `true` here, with either runtime.

umoci writes a spec for a terminal. Limits are dropped where the runtime cannot reach the controllers.
"""

import json
import sys

path, limits = sys.argv[1:]
with open(path) as file:
    spec = json.load(file)
spec["process"].update({"terminal": False, "args": ["true"], "rlimits": []})
if limits == "no-limits":
    spec["linux"].pop("resources", None)
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"]
with open(path, "w") as file:
    json.dump(spec, file)
