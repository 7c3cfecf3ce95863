#!/usr/bin/env python3
"""crash: kill -9 at random moments, of capture and of both mergers, while sessions write. At the end the topics hold each change
exactly once and in order per key, bronze has no gap and no overlap, silver equals the source, and nobody saw a ride without a user.

PILLION_KILLS (CI: 12; the bar: 50), PILLION_SEED, PILLION_SOURCE."""
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from rig import Rig  # noqa: E402


def run(source, kills, seed):
    rng = random.Random(seed)
    rig = Rig(f"crash-{source}-", source=source)
    stop = os.path.join(rig.work, "stop")
    rc, done = 0, {"capture": 0, "merge1": 0, "merge2": 0}
    try:
        rig.fresh_schema()
        rig.start("capture", "capture")
        rig.wait_ready(["capture"])
        for m in ("merge1", "merge2"):
            rig.start(m, "merge")
        watch = rig.checker("watch", "--stop-file", stop, background=True)
        seconds = max(20, kills * 1.6)
        load = rig.workload(users=int(100 * seconds), rides=int(600 * seconds), sessions=8, seconds=seconds, early=0.22, seed=seed)
        for _ in range(kills):
            time.sleep(rng.uniform(0.2, 2.2))
            # Mostly capture: its window is the smallest.
            key = rng.choice(["capture", "capture", "merge1", "merge2"])
            rig.must_live(key)
            rig.kill(key)
            done[key] += 1
            if rng.random() < 0.3:
                time.sleep(rng.uniform(0, 1.0))
            rig.start(key, "capture" if key == "capture" else "merge")
        out, _ = load.communicate()
        if load.returncode != 0:
            raise SystemExit("the workload failed")
        rig.caught_up("capture", ["merge1", "merge2"], 900)
        print(json.dumps({"kills": done, "seed": seed, "workload": json.loads(out)}), flush=True)
        open(stop, "w", encoding="ascii").close()
        rc |= watch.wait()
        for check in ("topics", "bronze", "silver"):
            rc |= rig.checker(check)
        for p in ("merge1", "merge2", "capture"):
            rig.stop(p)
    finally:
        rig.close(keep=os.environ.get("PILLION_KEEP") == "1")
    return rc


def main():
    kills = int(os.environ.get("PILLION_KILLS", "12"))
    seed = int(os.environ.get("PILLION_SEED", str(random.randrange(10**6))))
    rc = 0
    for source in os.environ.get("PILLION_SOURCE", "mariadb").split():
        print(f"--- {source}, {kills} kills, seed {seed}", flush=True)
        rc |= run(source, kills, seed)
    return rc


if __name__ == "__main__":
    sys.exit(main())
