#!/usr/bin/env python3
"""debezium: the real Debezium beside Pillion, on one MariaDB.

Debezium's connector (Kafka Connect, standalone) and Pillion's capture with the profile `debezium` read the same log while the workload
writes and a table with every type is changed. `pillion merge` merges Debezium's topics: the checker's watch, silver and bronze must hold.
Then the two captures' topics are compared, schema by schema and change by change. README.md tells which differences are known and why;
any other one fails.

Sizes: PILLION_RIDES, PILLION_USERS, PILLION_SESSIONS. DEBEZIUM: the folder that debezium.sh printed."""
import collections
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "tests", "checker"))
import stores  # noqa: E402
from rig import Rig  # noqa: E402

TABLES = ["shop.users", "shop.rides", "shop.types", "shop.pairs", "shop.keyless"]

SCHEMA = """
CREATE TABLE shop.types (
  id INT NOT NULL PRIMARY KEY, i8 TINYINT, u8 TINYINT UNSIGNED, flag TINYINT(1), i16 SMALLINT, u16 SMALLINT UNSIGNED, i24 MEDIUMINT,
  u24 MEDIUMINT UNSIGNED, i32 INT, u32 INT UNSIGNED, i64 BIGINT, u64 BIGINT UNSIGNED, zero INT(5) ZEROFILL, dec1 DECIMAL(12,4), dec2 DECIMAL(30,0),
  dec3 DECIMAL(65,30), decu DECIMAL(5,2) UNSIGNED, f32 FLOAT, f64 DOUBLE, f72 FLOAT(7,2), d102 DOUBLE(10,2), bit1 BIT(1), bit8 BIT(8),
  bit12 BIT(12), bit64 BIT(64), ch CHAR(10), lat VARCHAR(50) CHARACTER SET latin1, vc VARCHAR(300), tt TINYTEXT, tx TEXT, lt LONGTEXT,
  bin BINARY(6), vb VARBINARY(20), bl BLOB, tb TINYBLOB, d DATE, t0 TIME, t3 TIME(3), t6 TIME(6), dt0 DATETIME, dt3 DATETIME(3), dt6 DATETIME(6),
  ts0 TIMESTAMP NULL, ts3 TIMESTAMP(3) NULL, ts6 TIMESTAMP(6) NULL, y YEAR, en ENUM('one','two, three','four'), se SET('a','b','c'), js JSON);
CREATE TABLE shop.pairs (b VARCHAR(20) NOT NULL, note TEXT, a INT UNSIGNED NOT NULL DEFAULT 7, at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  e ENUM('x','y') NOT NULL DEFAULT 'y', PRIMARY KEY (b, a));
CREATE TABLE shop.keyless (n INT, word VARCHAR(10) NOT NULL DEFAULT 'none');
"""
CHANGES = """
INSERT INTO shop.types(id) VALUES (1);
INSERT INTO shop.types VALUES (2, -128, 255, 1, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, -9223372036854775808, 9223372036854775807, 42,
  -12345678.9012, 123456789012345678901234567890, -1.000000000000000000000000000001, 999.99, 1.5, -2.25e-300, 12345.67, -12345678.91, b'1', b'10000001',
  b'100000000001', b'1000000000000000000000000000000000000000000000000000000000000001', 'char', 'Grüße', 'наш 😀', 'tiny', 'text', 'long', 'bin', 'vb\\0',
  x'00ff10', 'tb', '2026-11-21', '-838:59:59', '838:59:59.123', '-00:00:00.000001', '2026-11-21 01:02:03', '1000-01-01 00:00:00.001', '9999-12-31 23:59:59.999999',
  '2026-11-21 01:02:03', '2026-11-21 01:02:03.120', '1970-01-01 00:00:01.000001', 2026, 'two, three', 'a,c', '{"k": [1, 2.50, "x"]}');
INSERT INTO shop.types VALUES (3, 127, 0, 0, 32767, 0, 8388607, 0, 2147483647, 0, 9223372036854775807, 0, 0, 0, -999999999999999999999999999999,
  12345678901234567890123456789012345.123456789012345678901234567890, 0, -0.0, 1e308, 0.01, 0.01, b'0', b'0', b'1', b'0', '', '', '', '', '', '', '', '', '', '', '1000-01-01',
  '00:00:00', '-01:02:03.004', '23:59:59.999999', '1969-12-31 23:59:59', '1969-12-31 23:59:59.999', '1969-12-31 23:59:59.999999', '2038-01-19 03:14:07',
  '2038-01-19 03:14:07.999', '2038-01-19 03:14:07.999999', 1901, 'one', '', 'null');
UPDATE shop.types SET i8=1, dec1=0.0001, vc=NULL, ts6='2026-01-01 00:00:00', d=NULL, se='b' WHERE id=2;
UPDATE shop.types SET id=4 WHERE id=3;
DELETE FROM shop.types WHERE id=2;
INSERT INTO shop.pairs(b, note, a) VALUES ('x', 'one', 1), ('y', NULL, 4294967295), ('x', 'three', 3);
UPDATE shop.pairs SET a=2, note='two' WHERE b='x' AND a=1;
DELETE FROM shop.pairs WHERE b='y';
INSERT INTO shop.keyless VALUES (1, 'a'), (2, 'b');
UPDATE shop.keyless SET word='c' WHERE n=1;
DELETE FROM shop.keyless;
"""

KEYLESS_DELETES = 2  # Debezium follows them with tombstones without a key

# What may differ between a schema of Debezium's and one of Pillion's: kinds (see differences()), and paths; README.md has the reasons.
SCHEMA_KNOWN = {"default"}
SCHEMA_PATHS_KNOWN = {"/Envelope/before/Value/f72", "/Envelope/before/Value/en.connect.parameters.allowed"}
# The same for a change's fields.
CHANGE_KNOWN = {"source.version", "source.name", "source.ts_ms", "source.ts_us", "source.ts_ns", "ts_ms", "ts_us", "ts_ns", "transaction.total_order",
                "transaction.data_collection_order", "shop.types before.en", "shop.types after.en"}


class Debezium:
    """Kafka Connect with one connector, in a process of its own."""

    def __init__(self, rig):
        self.rig, self.log = rig, os.path.join(rig.logs, "debezium.log")
        env, port = os.environ, rig.free_port()
        registry = re.sub("/apis/.*", "/apis/registry/v2", env["REGISTRY_URL"])
        worker = {"bootstrap.servers": env["KAFKA_BOOTSTRAP"], "listeners": f"http://127.0.0.1:{port}", "offset.flush.interval.ms": 1000,
                  "offset.storage.file.filename": os.path.join(rig.work, "connect.offsets"), "plugin.discovery": "only_scan",
                  "plugin.path": os.path.join(rig.work, "plugins")}
        os.mkdir(worker["plugin.path"])
        for side in ("key", "value"):
            c = f"{side}.converter"
            worker[c] = "io.apicurio.registry.utils.converter.AvroConverter"
            worker.update({f"{c}.apicurio.registry.url": registry, f"{c}.apicurio.registry.auto-register": "true",
                           f"{c}.apicurio.registry.headers.enabled": "false", f"{c}.apicurio.registry.as-confluent": "true",
                           f"{c}.apicurio.registry.use-id": "contentId", f"{c}.schema.name.adjustment.mode": "avro"})
        connector = {"name": rig.name, "connector.class": "io.debezium.connector.mariadb.MariaDbConnector", "tasks.max": 1,
                     "database.hostname": "127.0.0.1", "database.port": rig.port, "database.user": "root", "database.password": "",
                     "database.ssl.mode": "disable", "database.server.id": 55001, "topic.prefix": rig.name,
                     "table.include.list": ",".join(t.replace(".", "\\\\.") for t in TABLES), "snapshot.mode": "no_data",
                     "snapshot.locking.mode": "none", "include.schema.changes": "false", "provide.transaction.metadata": "true",
                     "schema.history.internal": "io.debezium.relational.history.MemorySchemaHistory", "schema.name.adjustment.mode": "avro",
                     "topic.creation.enable": "true", "topic.creation.default.partitions": 4, "topic.creation.default.replication.factor": 1}
        files = []
        for name, values in (("worker", worker), ("connector", connector)):
            files.append(os.path.join(rig.work, f"{name}.properties"))
            with open(files[-1], "w", encoding="utf-8") as f:
                f.writelines(f"{k}={v}\n" for k, v in values.items())
        folder = env["DEBEZIUM"]
        with open(self.log, "wb") as log:
            rig.procs["debezium"] = subprocess.Popen(
                ["java", "-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={folder}/log4j2.yaml",
                 "-cp", f"{folder}/libs/*", "org.apache.kafka.connect.cli.ConnectStandalone", *files], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait_streaming(self, seconds=90):
        end = time.monotonic() + seconds
        while True:
            self.rig.must_live("debezium")
            with open(self.log, encoding="utf-8", errors="replace") as f:
                text = f.read()
            if "Connected to binlog at" in text or "Connected to MariaDB binlog at" in text:
                return
            failed = [line for line in text.splitlines() if " ERROR " in line]
            if failed or time.monotonic() > end:
                raise SystemExit(f"Debezium does not stream after {seconds} s:\n" + "\n".join(failed[:3]) + self.rig.tail("debezium", 30))
            time.sleep(0.2)


def ends(prefix):
    """How many records each table's topic has had."""
    from confluent_kafka import Consumer, TopicPartition
    c = Consumer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"], "group.id": "debezium-ends"})
    meta, out = c.list_topics(timeout=30).topics, {}
    for table in TABLES:
        t = f"{prefix}.{table}"
        out[table] = sum(c.get_watermark_offsets(TopicPartition(t, p), timeout=30)[1] for p in meta[t].partitions) if t in meta else 0
    c.close()
    return out


def differences(have, want, path=""):
    """(kind, path, Debezium's, Pillion's) of two JSON texts of schemas. Kinds: `default` for what hangs on a column's default, else `type`."""
    if have == want:
        return
    if isinstance(have, dict) and isinstance(want, dict):
        name = have.get("name", "") if isinstance(have.get("name"), str) else ""
        here = f"{path}/{name}" if name else path
        for k in sorted(set(have) | set(want)):
            if have.get(k) == want.get(k) and (k in have) == (k in want):
                continue
            if k in ("default", "connect.default") and (k not in have or k not in want or path.rpartition("/")[0].endswith("/Value")):
                yield "default", f"{here}.{k}", have.get(k), want.get(k)
            elif k in ("doc", "connect.doc"):
                continue
            else:
                yield from differences(have.get(k), want.get(k), here if k in ("type", "fields") else f"{here}.{k}")
    elif isinstance(have, list) and isinstance(want, list) and len(have) == len(want):
        if have[:1] != ["null"] and want[:1] == ["null"] and len(have) == 2 and have[1] == "null":
            yield "default", f"{path} (order of the union)", have, want
            have = have[::-1]
        for h, w in zip(have, want):
            yield from differences(h, w, path)
    elif isinstance(have, dict) and set(have) == {"type", "connect.default"} and have["type"] == want:
        yield "default", f"{path}.connect.default", have["connect.default"], None
    else:
        yield "type", path, have, want


class Topics:
    """What one writer put into the tables' topics, its schemas with the common prefix's name."""

    def __init__(self, registry, prefix, common):
        self.schemas, self.changes, self.tombstones = collections.defaultdict(set), {}, collections.Counter()
        for table in TABLES:
            for _, _, _, key, value, headers in stores.topic_events(os.environ["KAFKA_BOOTSTRAP"], [f"{prefix}.{table}"]):
                if value is None:
                    self.tombstones[table] += 1
                    continue
                for side, data in (("key", key), ("value", value)):
                    if data is not None:
                        self.schemas[table, side].add(int.from_bytes(data[1:5], "big"))
                e = registry.decode(value)
                s = e["source"]
                place = (table, s["file"], s["pos"], s["row"], e["op"])
                if place in self.changes:
                    raise SystemExit(f"{prefix}: two changes at {place}")
                self.changes[place] = {"key": registry.decode(key), "headers": sorted(k for k in headers if k in ("__debezium.newkey", "__debezium.oldkey")), **e}
        self.texts = {k: [json.loads(registry.text(i).replace(prefix, common)) for i in sorted(ids)] for k, ids in self.schemas.items()}


def flat(value, path=""):
    if isinstance(value, dict):
        for k, v in value.items():
            yield from flat(v, f"{path}.{k}" if path else k)
    else:
        yield path, value


def compare(debezium, pillion):
    """Prints what differs; gives the number of differences that are not known."""
    unknown = 0
    for which in sorted(set(debezium.texts) | set(pillion.texts)):
        d, p = debezium.texts.get(which, []), pillion.texts.get(which, [])
        if len(d) != 1 or len(p) != 1:
            print(f"UNKNOWN {which}: {len(d)} schemas of Debezium's, {len(p)} of Pillion's", flush=True)
            unknown += 1
            continue
        for kind, path, have, want in differences(d[0], p[0]):
            known = kind in SCHEMA_KNOWN or path in SCHEMA_PATHS_KNOWN
            unknown += not known
            print(f"{'known  ' if known else 'UNKNOWN'} schema {which[0]} {which[1]}: {kind} {path}: {json.dumps(have)[:200]} / {json.dumps(want)[:200]}", flush=True)
    for what, those in (("Debezium's alone", set(debezium.changes) - set(pillion.changes)), ("Pillion's alone", set(pillion.changes) - set(debezium.changes))):
        for place in sorted(those)[:5]:
            print(f"UNKNOWN change, {what}: {place}", flush=True)
        unknown += len(those)
    kinds, examples = collections.Counter(), {}
    both = sorted(set(debezium.changes) & set(pillion.changes))
    for place in both:
        d, p = dict(flat(debezium.changes[place])), dict(flat(pillion.changes[place]))
        for field in set(d) | set(p):
            if d.get(field) != p.get(field) or (field in d) != (field in p):
                kind = field if field.split(".")[0] in ("source", "transaction") or "." not in field else f"{place[0]} {field}"
                kinds[kind] += 1
                examples.setdefault(kind, (place, d.get(field), p.get(field)))
    for kind, n in sorted(kinds.items()):
        known = kind in CHANGE_KNOWN
        unknown += not known
        print(f"{'known  ' if known else 'UNKNOWN'} values {kind}: {n} of {len(both)}, as at {examples[kind][0]}: {examples[kind][1]!r:.120} / {examples[kind][2]!r:.120}", flush=True)
    if debezium.tombstones != pillion.tombstones + collections.Counter({"shop.keyless": KEYLESS_DELETES}):
        print(f"UNKNOWN tombstones: {dict(debezium.tombstones)} / {dict(pillion.tombstones)}", flush=True)
        unknown += 1
    print(json.dumps({"check": "debezium against pillion", "changes": len(both), "schemas": len(debezium.texts), "tombstones": sum(debezium.tombstones.values()),
                      "unknown differences": unknown}), flush=True)
    return unknown


def main():
    size = {k: int(os.environ.get(f"PILLION_{k.upper()}", v)) for k, v in (("rides", 2000), ("users", 300), ("sessions", 8))}
    rig = Rig("debezium", profile="debezium", extra={"source": {"tables": [t.replace(".", "\\.") for t in TABLES]}})
    rig.settings["merge"]["topics"] = [f"{rig.name}.shop.users", f"{rig.name}.shop.rides"]
    rig.write_config()
    own, stop, rc = f"{rig.name}p", os.path.join(rig.work, "stop"), 1
    try:
        rig.fresh_schema()
        rig.sql(SCHEMA)
        debezium = Debezium(rig)
        rig.start("capture", "capture", f"--topics.prefix={own}")
        rig.wait_ready(["capture"])
        debezium.wait_streaming()
        rig.start("merge", "merge")  # ready only when Debezium has made the topics
        watch = rig.checker("watch", "--stop-file", stop, "--pause", "0.05", background=True)
        load = rig.workload(**size, early=0.22, seed=1)
        rig.sql("SET NAMES utf8mb4;\nSET time_zone='+00:00';\n" + CHANGES)
        out, _ = load.communicate()
        if load.returncode != 0:
            raise SystemExit("the workload failed")
        print(out.strip(), flush=True)
        rig.caught_up("capture", [], 120)
        want, end = ends(own), time.monotonic() + 60
        want["shop.keyless"] += KEYLESS_DELETES
        while ends(rig.name) != want:
            rig.must_live("debezium")
            if time.monotonic() > end:
                print(f"Debezium has published {ends(rig.name)}, Pillion {want}", flush=True)
                break  # compare() shows which
            time.sleep(0.5)
        rig.wait_ready(["merge"])
        rig.caught_up("capture", ["merge"], 120)
        with open(stop, "w", encoding="ascii"):
            rc = watch.wait()
        for check in ("silver", "bronze"):
            rc |= rig.checker(check)
        registry = stores.Registry(os.environ["REGISTRY_URL"])
        rc |= compare(Topics(registry, rig.name, rig.name), Topics(registry, own, rig.name)) != 0
        for p in ("merge", "capture"):
            rig.stop(p)
    finally:
        rig.close(keep=rc != 0 and os.environ.get("PILLION_KEEP") == "1")
    return rc


if __name__ == "__main__":
    sys.exit(main())
