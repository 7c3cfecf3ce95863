#!/usr/bin/env python3
"""pipeline: the bar of referential order. Many sessions write users and rides, a fifth of the rides before one of their users; one
capture, three mergers of one group, a real broker, registry, S3 server and MongoDB-compatible server; the checker watches silver all
the while. At the end: nobody saw a ride without a user, silver equals the source's join, parked equals the rest, the topics hold
each change once and in order, and bronze holds them all.

Sizes: PILLION_RIDES, PILLION_USERS, PILLION_SESSIONS (CI's are small; the bar is 1000000, 100000, 16). PILLION_SOURCE: mariadb, mysql.
PILLION_WATCH_PAUSE: seconds between two looks of the reader, which else takes a core of a small machine."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from rig import Rig  # noqa: E402


def run(source, rides, users, sessions, profile):
    rig = Rig(f"pipe-{source}-", source=source, profile=profile)
    stop = os.path.join(rig.work, "stop")
    rc = 0
    try:
        rig.fresh_schema()
        mergers = ["merge1", "merge2", "merge3"]
        rig.start("capture", "capture")
        rig.wait_ready(["capture"])
        for m in mergers:
            rig.start(m, "merge")
        rig.wait_ready(mergers)
        watch = rig.checker("watch", "--stop-file", stop, "--pause", os.environ.get("PILLION_WATCH_PAUSE", "0.02"), background=True)
        begin = time.monotonic()
        load = rig.workload(users=users, rides=rides, sessions=sessions, early=0.22, seed=1)
        out, _ = load.communicate()
        if load.returncode != 0:
            raise SystemExit("the workload failed")
        written = time.monotonic() - begin
        rig.caught_up("capture", mergers, 3600)
        merged = time.monotonic() - begin
        facts = {k: dict(zip(("cpu_s", "peak_mib"), (round(x, 1) for x in rig.cpu_and_memory(k)))) for k in ["capture", *mergers]}
        print(json.dumps({"workload": json.loads(out), "written_s": round(written, 1), "merged_s": round(merged, 1), **facts}), flush=True)
        open(stop, "w", encoding="ascii").close()
        rc |= watch.wait()
        for check in ("silver", "topics", "bronze"):
            rc |= rig.checker(check)
        for p in [*mergers, "capture"]:
            rig.stop(p)
    finally:
        rig.close(keep=rc != 0 and os.environ.get("PILLION_KEEP") == "1")
    return rc


def main():
    size = {k: int(os.environ.get(f"PILLION_{k.upper()}", v)) for k, v in (("rides", 12000), ("users", 1500), ("sessions", 16))}
    rc = 0
    for source in os.environ.get("PILLION_SOURCE", "mariadb mysql").split():
        for profile in os.environ.get("PILLION_PROFILE", "native").split():
            print(f"--- {source}, profile {profile}, {size}", flush=True)
            rc |= run(source, size["rides"], size["users"], size["sessions"], profile)
    return rc


if __name__ == "__main__":
    sys.exit(main())
