#!/usr/bin/env python3
"""Plants violations of each promise and sees that the checker finds just those; and that it finds none where there is none."""
import contextlib
import io
import json
import os
import shutil
import sqlite3
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import stores  # noqa: E402

ROW = {"type": "record", "name": "Value", "namespace": "t", "fields": [
    {"name": "id", "type": "long"}, {"name": "client_id", "type": "long"}, {"name": "fare", "type": ["null", {
        "type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}]}]}
SOURCE = {"type": "record", "name": "Source", "fields": [
    {"name": "db", "type": "string"}, {"name": "table", "type": "string"}, {"name": "gtid", "type": ["null", "string"]},
    {"name": "txn_index", "type": "long"}]}
ENVELOPE = {"type": "record", "name": "Envelope", "namespace": "t", "fields": [
    {"name": "before", "type": ["null", ROW]}, {"name": "after", "type": ["null", "Value"]}, {"name": "source", "type": SOURCE},
    {"name": "op", "type": "string"}]}
BRONZE = {"type": "record", "name": "Record", "fields": [
    {"name": "topic", "type": "string"}, {"name": "partition", "type": "int"}, {"name": "offset", "type": "long"},
    {"name": "key", "type": ["null", "bytes"]}, {"name": "value", "type": ["null", "bytes"]}]}


def avro_long(v):
    v = (v << 1) ^ (v >> 63)
    out = b""
    while v > 0x7F:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def avro_bytes(b):
    b = b if isinstance(b, bytes) else b.encode()
    return avro_long(len(b)) + b


def avro_row(r):
    if r is None:
        return avro_long(0)
    fare = avro_long(0) if r[2] is None else avro_long(1) + avro_bytes(r[2].to_bytes(4, "big", signed=True))
    return avro_long(1) + avro_long(r[0]) + avro_long(r[1]) + fare


def event(op, before, after, gtid, index=0):
    key = struct.pack(">q", (after or before)[0])
    value = b"\0" + struct.pack(">I", 7) + avro_row(before) + avro_row(after) + avro_bytes("shop") + avro_bytes("rides") + \
        avro_long(1) + avro_bytes(gtid) + avro_long(index) + avro_bytes(op)
    return key, value


def object_file(records):
    sync = b"s" * 16
    head = b"Obj\x01" + avro_long(1) + avro_bytes("avro.schema") + avro_bytes(json.dumps(BRONZE)) + avro_long(0) + sync
    body = b"".join(avro_bytes(t) + avro_long(p) + avro_long(o) + avro_long(1) + avro_bytes(k) + avro_long(1) + avro_bytes(v)
                    for t, p, o, k, v in records)
    return head + avro_long(len(records)) + avro_long(len(body)) + body + sync


class FakeSource:
    """The source as lists; `visible` is what the SQL join would say."""
    users, rides = {1, 2}, []

    def __init__(self, a):
        pass

    def query(self, sql):
        if "pillion_visible" in sql:
            if "FROM shop.users c" in sql:
                for u in sorted(self.users):
                    yield {"id": u, "name": f"u{u}", "pillion_visible": 1}
            else:
                for r in self.rides:
                    yield {"id": r[0], "client_id": r[1], "pillion_visible": int(r[1] in self.users)}
        else:
            for r in self.rides:
                yield {"id": r[0]}


MODEL = {"users": {"table": "shop.users", "key": ["id"], "refs": []},
         "rides": {"table": "shop.rides", "key": ["id"], "refs": [
             {"columns": ["client_id"], "parent": "users", "nullable": False}]}}


class CheckerTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="pillion-checker-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.model = os.path.join(self.dir, "model.json")
        with open(self.model, "w", encoding="ascii") as f:
            json.dump(MODEL, f)
        real, stores.Source = stores.Source, FakeSource
        self.addCleanup(setattr, stores, "Source", real)
        FakeSource.rides = [(10, 1), (11, 2), (12, 99)]
        self.db = sqlite3.connect(os.path.join(self.dir, "silver.db"), isolation_level=None)
        self.addCleanup(self.db.close)
        for name in ("users", "rides", "_pillion_parked"):
            self.db.execute(f'CREATE TABLE "{name}"(id TEXT PRIMARY KEY, v INTEGER, deleted INTEGER, json TEXT, bson BLOB)')
        for u in (1, 2):
            self.put("users", {"_id": u, "id": u, "name": f"u{u}"})
        for r, c in ((10, 1), (11, 2)):
            self.put("rides", {"_id": r, "id": r, "client_id": c})
        self.put("_pillion_parked", {"_id": "rides|12", "entity": "rides", "key": "12", "waiting": ["users|99"]})

    def put(self, collection, doc, deleted=False):
        doc = {**doc, "_pillion": {"v": 1, "deleted": deleted}}
        self.db.execute(f'INSERT OR REPLACE INTO "{collection}" VALUES(?,?,?,?,?)',
                        (json.dumps(doc["_id"]), 1, deleted, json.dumps(doc), b""))

    def drop(self, collection, key):
        self.db.execute(f'DELETE FROM "{collection}" WHERE id=?', (json.dumps(key),))

    def check(self, what, *extra):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            rc = checker.main([what, "--model", self.model, "--silver", f"sqlite://{self.dir}/silver.db", "--registry",
                               f"file://{self.dir}/registry", "--prefix", "p", *extra])
        kinds = {}
        for line in out.getvalue().splitlines():
            kinds.update(json.loads(line).get("kinds", {}))
            self.assertNotIn("could not look", line)
        self.assertEqual(rc, 1 if kinds else 0)
        return set(kinds)

    # M4
    def test_silver_clean(self):
        self.assertEqual(self.check("silver"), set())

    def test_silver_missing(self):
        self.drop("rides", 10)
        self.assertEqual(self.check("silver"), {"missing in silver"})

    def test_silver_extra(self):
        self.put("rides", {"_id": 77, "id": 77, "client_id": 1})
        self.assertEqual(self.check("silver"), {"in silver, not in the join"})

    def test_silver_stale_value(self):
        self.put("rides", {"_id": 10, "id": 10, "client_id": 2})
        self.assertEqual(self.check("silver"), {"differs from the source"})

    def test_orphan_visible_at_the_end(self):
        self.put("rides", {"_id": 12, "id": 12, "client_id": 99})
        self.assertIn("in silver, not in the join", self.check("silver"))

    def test_parked_lost(self):
        self.drop("_pillion_parked", "rides|12")
        self.assertEqual(self.check("silver"), {"neither visible nor parked"})

    def test_parked_too_much(self):
        self.put("_pillion_parked", {"_id": "rides|10", "entity": "rides", "key": "10", "waiting": []})
        self.assertEqual(self.check("silver"), {"parked, but should not be"})

    def test_tombstone_is_not_visible(self):
        FakeSource.rides = [(11, 2), (12, 99)]
        self.put("rides", {"_id": 10, "client_id": None}, deleted=True)
        self.assertEqual(self.check("silver"), set())

    # M1
    def watch(self):
        stop = os.path.join(self.dir, "stop")
        open(stop, "w", encoding="ascii").close()
        return self.check("watch", "--stop-file", stop)

    def test_watch_clean(self):
        self.assertEqual(self.watch(), set())

    def test_watch_sees_ride_without_user(self):
        self.put("rides", {"_id": 13, "id": 13, "client_id": 98})
        self.assertEqual(self.watch(), {"rides.client_id visible without users"})

    def test_watch_takes_tombstone_for_a_parent(self):
        self.put("users", {"_id": 1}, deleted=True)
        self.assertEqual(self.watch(), set())

    # C1, C2 and bronze
    def bronze(self, *files):
        os.makedirs(f"{self.dir}/registry", exist_ok=True)
        with open(f"{self.dir}/registry/7", "w", encoding="ascii") as f:
            json.dump(ENVELOPE, f)
        shutil.rmtree(f"{self.dir}/objects", ignore_errors=True)
        os.makedirs(f"{self.dir}/objects/p.shop.rides")
        for first, records in files:
            with open(f"{self.dir}/objects/p.shop.rides/{first:020d}.avro", "wb") as f:
                f.write(object_file(records))

    def records(self, events, first=0):
        return [("p.shop.rides", 0, first + i, k, v) for i, (k, v) in enumerate(events)]

    GOOD = [event("c", None, (10, 1, 500), "0-1-1"), event("c", None, (11, 2, None), "0-1-1", 1),
            event("u", (10, 1, 500), (10, 1, 600), "0-1-2"), event("c", None, (12, 99, None), "0-1-3"),
            event("c", None, (13, 1, None), "0-1-4"), event("d", (13, 1, None), None, "0-1-5")]

    def topics(self, events):
        self.bronze((0, self.records(events)))
        return self.check("topics", "--objects", f"file://{self.dir}/objects")

    def test_topics_clean(self):
        FakeSource.users = {1, 2}
        self.assertEqual(self.topics(self.GOOD) - {"users: in the source, not in the topics"}, set())

    def test_topics_twice(self):
        self.assertTrue({k for k in self.topics(self.GOOD + [self.GOOD[3]]) if "twice" in k})

    def test_topics_lost_update(self):
        self.assertTrue({k for k in self.topics(self.GOOD + [event("u", (10, 1, 700), (10, 1, 800), "0-1-9")]) if "former state" in k})

    def test_topics_lost_insert(self):
        self.assertTrue({k for k in self.topics(self.GOOD[:3] + self.GOOD[4:]) if "rides: in the source, not in the topics" in k})

    def test_topics_out_of_order(self):
        swapped = [self.GOOD[0], self.GOOD[1], self.GOOD[3], self.GOOD[5], self.GOOD[4], self.GOOD[2]]
        self.assertTrue({k for k in self.topics(swapped) if "never created" in k})

    def bronze_check(self):
        return self.check("bronze", "--objects", f"file://{self.dir}/objects")

    def test_bronze_clean(self):
        self.bronze((0, self.records(self.GOOD[:3])), (3, self.records(self.GOOD[3:], 3)))
        self.assertEqual(self.bronze_check(), set())

    def test_bronze_gap(self):
        self.bronze((0, self.records(self.GOOD[:2])), (3, self.records(self.GOOD[3:], 3)))
        self.assertEqual(self.bronze_check(), {"offsets are missing in bronze"})

    def test_bronze_overlap(self):
        self.bronze((0, self.records(self.GOOD[:4])), (3, self.records(self.GOOD[3:], 3)))
        self.assertEqual(self.bronze_check(), {"a record in two objects"})


if __name__ == "__main__":
    unittest.main()
