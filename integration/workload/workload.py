#!/usr/bin/env python3
"""workload: a ride-hailing business written by many sessions at once, some of whose rides are committed before their users.

Each session owns a slice of the users and of the rides and works through it from its first to its last, so at every moment a
known part of the users exists. A ride refers to a client and (mostly) a driver that exist already, or, with probability --early,
to one that some session will insert later. Sessions also update rides (accepted, started, finished), cancel them, move them to
another driver, delete some, delete and re-create some users, and leave --orphans rides whose user never comes.
Prints one JSON line at the end: what was done. Needs python3-pymysql."""
import argparse
import json
import multiprocessing
import random
import sys
import time

import pymysql

NEVER = 10_000_000_000  # ids of users that never exist begin here


def connect(a):
    where = {"unix_socket": a.socket} if a.socket else {"host": a.host, "port": a.port}
    return pymysql.connect(user=a.user, password=a.password, charset="utf8mb4", autocommit=False, **where)


class Session:
    """One connection with its slice of users and rides."""

    def __init__(self, a, number, progress, done):
        self.a, self.n, self.progress, self.done = a, number, progress, done
        self.rng = random.Random(f"{a.seed}/{number}")
        self.db = connect(a)
        self.cur = self.db.cursor()
        self.users = range(1 + number, a.users + 1, a.sessions)
        self.rides = range(1 + number, a.rides + 1, a.sessions)
        self.mine = []  # rides of this session that are still there, newest last
        self.count = dict.fromkeys(["users", "rides", "early", "orphans", "updates", "cancelled", "moved", "ride_deletes",
                                    "user_deletes", "user_recreated", "transactions"], 0)

    def user_type(self, uid):
        return "driver" if uid % 4 == 0 else "client"

    def known_user(self, want, fraction):
        """A user that every session has passed already, or the nearest to it."""
        top = max(1, int(min(self.progress) * self.a.users) - 2 * self.a.sessions)
        return self.fit(self.rng.randint(1, top), want)

    def later_user(self, want, fraction):
        low = int(max(self.progress) * self.a.users) + 2 * self.a.sessions
        if low >= self.a.users:
            return None
        high = min(self.a.users, low + max(50, self.a.users // 50))
        return self.fit(self.rng.randint(low, high), want)

    def fit(self, uid, want):
        uid += (-uid) % 4 if want == "driver" else (1 if uid % 4 == 0 else 0)
        return min(uid, self.a.users - self.a.users % 4) if want == "driver" else min(uid, self.a.users)

    def insert_users(self, ids):
        rows = [(u, self.user_type(u), f"Nutzer {u} \u00e4\u00f6\u00fc", f"+49{u:09d}", round(self.rng.uniform(1, 5), 2)) for u in ids]
        self.cur.executemany("INSERT INTO shop.users(id,type,name,phone,rating) VALUES(%s,%s,%s,%s,%s)", rows)
        self.cur.executemany("INSERT IGNORE INTO shop.users_ever(id) VALUES(%s)", [(u,) for u in ids])
        self.count["users"] += len(ids)

    def insert_rides(self, ids, fraction):
        rows = []
        for r in ids:
            client = driver = None
            x = self.rng.random()
            if x < self.a.early:
                if self.rng.random() < 0.5:
                    client = self.later_user("client", fraction)
                else:
                    driver = self.later_user("driver", fraction)
                self.count["early"] += bool(client or driver)
            elif x > 1 - self.a.orphans:
                client = NEVER + r
                self.count["orphans"] += 1
            client = client or self.known_user("client", fraction)
            if driver is None and self.rng.random() < 0.9:
                driver = self.known_user("driver", fraction)
            rows.append((r, client, driver, "requested", f"Stra\u00dfe {r % 997}", f"Platz {r % 991}", round(self.rng.uniform(0.5, 40), 3),
                         round(self.rng.uniform(3, 99), 2), json.dumps({"app": "1.%d" % (r % 7), "seats": r % 4})))
            self.mine.append(r)
        self.cur.executemany("INSERT INTO shop.rides(id,client_id,driver_id,status,pickup,dropoff,distance_km,fare,details) "
                             "VALUES(%s,%s,%s,%s,%s,%s,%s,%s,%s)", rows)
        self.count["rides"] += len(rows)

    def change_rides(self, fraction):
        if not self.mine:
            return
        for _ in range(self.a.updates):
            i = self.rng.randrange(max(0, len(self.mine) - 500), len(self.mine))
            r, x = self.mine[i], self.rng.random()
            if x < 0.70:
                status = self.rng.choice(["accepted", "started", "finished"])
                self.cur.execute("UPDATE shop.rides SET status=%s, finished_at=IF(%s='finished',NOW(),NULL) WHERE id=%s", (status, status, r))
                self.count["updates"] += 1
            elif x < 0.85:
                self.cur.execute("UPDATE shop.rides SET status='cancelled', driver_id=NULL WHERE id=%s", (r,))
                self.count["cancelled"] += 1
            elif x < 0.95:
                driver = self.known_user("driver", fraction) if self.rng.random() < 0.8 else self.later_user("driver", fraction)
                if driver:
                    self.cur.execute("UPDATE shop.rides SET driver_id=%s WHERE id=%s", (driver, r))
                    self.count["moved"] += 1
            else:
                self.cur.execute("DELETE FROM shop.rides WHERE id=%s", (r,))
                self.mine[i] = self.mine[-1]
                self.mine.pop()
                self.count["ride_deletes"] += 1
                if not self.mine:
                    return

    def change_users(self, ids):
        u = self.rng.choice(ids)
        if self.rng.random() < 0.3:
            self.cur.execute("DELETE FROM shop.users WHERE id=%s", (u,))
            self.count["user_deletes"] += 1
            if self.rng.random() < 0.5:
                self.db.commit()
                self.cur.execute("INSERT INTO shop.users(id,type,name) VALUES(%s,%s,'again')", (u, self.user_type(u)))
                self.count["user_recreated"] += 1
        else:
            self.cur.execute("UPDATE shop.users SET rating=%s, updated_at=NOW(3) WHERE id=%s", (round(self.rng.uniform(1, 5), 2), u))
            self.count["updates"] += 1

    def run(self):
        steps = max(1, len(self.rides) // self.a.batch)
        pause = self.a.seconds / steps if self.a.seconds else 0
        start = time.monotonic()
        for s in range(steps):
            fraction = s / steps
            users = self.users[len(self.users) * s // steps:len(self.users) * (s + 1) // steps]
            rides = self.rides[len(self.rides) * s // steps:len(self.rides) * (s + 1) // steps]
            todo = [lambda: self.insert_rides(rides, fraction), lambda: self.change_rides(fraction)]
            if users:
                todo.append(lambda: self.insert_users(users))
                if self.rng.random() < self.a.user_changes:
                    todo.append(lambda: self.change_users(self.users[:max(1, len(self.users) * s // steps)]))
            # Sometimes all in one transaction, sometimes each in one of its own; an interrupted order is what we want.
            for i, work in enumerate(todo):
                work()
                if i == len(todo) - 1 or self.rng.random() < 0.7:
                    self.db.commit()
                    self.count["transactions"] += 1
            self.progress[self.n] = (s + 1) / steps
            with self.done.get_lock():
                self.done.value += len(rides)
            if pause:
                time.sleep(max(0, start + pause * (s + 1) - time.monotonic()))
        self.db.commit()
        self.db.close()
        return self.count


def session_main(a, number, progress, done, out):
    try:
        out.put((number, Session(a, number, progress, done).run()))
    except Exception as e:  # told to the parent, which ends with it
        out.put((number, f"{type(e).__name__}: {e}"))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=3306)
    p.add_argument("--socket")
    p.add_argument("--user", default="root")
    p.add_argument("--password", default="")
    p.add_argument("--users", type=int, default=2000)
    p.add_argument("--rides", type=int, default=20000)
    p.add_argument("--sessions", type=int, default=8)
    p.add_argument("--batch", type=int, default=20, help="rides of one transaction")
    p.add_argument("--early", type=float, default=0.2, help="part of the rides that precede one of their users")
    p.add_argument("--orphans", type=float, default=0.001, help="part of the rides whose user never comes")
    p.add_argument("--updates", type=int, default=6, help="changes of rides for each transaction of inserts")
    p.add_argument("--user-changes", type=float, default=0.1)
    p.add_argument("--seconds", type=float, default=0, help="spread the work over so many seconds; 0: as fast as it goes")
    p.add_argument("--seed", default="1")
    p.add_argument("--progress", action="store_true")
    a = p.parse_args()
    progress = multiprocessing.Array("d", a.sessions)
    done = multiprocessing.Value("l", 0)
    out = multiprocessing.Queue()
    start = time.monotonic()
    procs = [multiprocessing.Process(target=session_main, args=(a, i, progress, done, out)) for i in range(a.sessions)]
    for q in procs:
        q.start()
    total, left, failed = {}, len(procs), None
    while left:
        try:
            number, result = out.get(timeout=1)
            left -= 1
            if isinstance(result, str):
                failed = f"session {number}: {result}"
            else:
                for k, v in result.items():
                    total[k] = total.get(k, 0) + v
        except Exception:
            if any(q.exitcode for q in procs):
                failed = failed or "a session died"
                break
        if a.progress:
            print(f"workload: {done.value} of {a.rides} rides written", file=sys.stderr, flush=True)
    for q in procs:
        q.join()
    if failed:
        print(failed, file=sys.stderr)
        return 1
    total["seconds"] = round(time.monotonic() - start, 1)
    print(json.dumps(total))
    return 0


if __name__ == "__main__":
    sys.exit(main())
