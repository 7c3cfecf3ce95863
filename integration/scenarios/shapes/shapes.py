#!/usr/bin/env python3
"""shapes: what becomes of types, table shapes and events in mid-stream, on MariaDB and MySQL, in both profiles.

Each story changes tables while one capture runs, reads the topics with the checker's own Avro reader and compares them with SELECT
on the source; at the end a merger brings it all to silver, and silver is compared too.

PILLION_SOURCE, PILLION_PROFILE: which ones; PILLION_BIG_ROWS: rows of the single large transaction (300000); PILLION_STORY: names of
stories alone."""
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "tests", "checker"))
import columns  # noqa: E402
import stores  # noqa: E402
from rig import PILLION, Rig  # noqa: E402

BIG_ROWS = int(os.environ.get("PILLION_BIG_ROWS", "300000"))
PEAK_MIB = 64
STORIES = []


def story(f):
    STORIES.append(f)
    return f


class Stage:
    """One server, one profile, one running capture, one database of its own."""

    def __init__(self, source, profile):
        self.source, self.profile, self.failed, self.checks, self.read = source, profile, [], 0, {}
        self.rig = Rig(f"shapes-{source}-{profile}-", source=source, profile=profile, extra={"source": {"tables": []}})
        self.db = self.rig.name.replace("-", "_")
        self.rig.settings["source"]["tables"] = [f"{self.db}\\..*"]
        self.rig.settings["source"]["exclude_tables"] = [".*\\.left_out", ".*\\.tmp_.*"]
        self.rig.settings["events"].update(bigint_unsigned="decimal", keys={f"{self.db}.keyed": "rider,at"})
        self.rig.settings["contracts"] = os.path.join(self.rig.work, "contracts")
        os.mkdir(self.rig.settings["contracts"])
        self.rig.write_config()
        self.registry = stores.Registry(os.environ["REGISTRY_URL"])
        self.rig.sql(f"CREATE DATABASE {self.db} CHARACTER SET utf8mb4")

    # --- claims ------------------------------------------------------------------------------------------------------------

    def ok(self, what, good, why=""):
        self.checks += 1
        if not good:
            self.failed.append(what)
            print(f"FAILED {self.source} {self.profile}: {what}: {str(why)[:600]}", flush=True)

    def same(self, what, have, want):
        self.ok(what, have == want, f"have {have!r:.280}, want {want!r:.280}")

    # --- the source --------------------------------------------------------------------------------------------------------

    def sql(self, *statements):
        """All on one connection, in the stage's database, in UTC. Gives the last one's rows."""
        import pymysql
        db = pymysql.connect(host="127.0.0.1", port=self.rig.port, user="root", password="", autocommit=True, charset="utf8mb4",
                             database=self.db, init_command="SET time_zone='+00:00'")
        try:
            with db.cursor() as c:
                for s in statements:
                    c.execute(s)
                return c.fetchall()
        finally:
            db.close()

    def rows(self, table):
        import pymysql
        db = pymysql.connect(host="127.0.0.1", port=self.rig.port, user="root", password="", charset="utf8mb4", database=self.db,
                             cursorclass=pymysql.cursors.DictCursor)
        try:
            with db.cursor() as c:
                c.execute(f"SELECT * FROM {table}")
                return c.fetchall()
        finally:
            db.close()

    def gtids(self):
        return self.sql("SELECT @@GLOBAL." + ("gtid_executed" if self.source == "mysql" else "gtid_binlog_pos"))[0][0].replace("\n", "")

    def here(self):
        return self.sql("SHOW BINARY LOG STATUS" if self.source == "mysql" else "SHOW MASTER STATUS")[0][:2]

    # --- pillion -----------------------------------------------------------------------------------------------------------

    def published(self):
        """Waits until capture has published what the source has now."""
        p = subprocess.run([PILLION, "status", "-c", self.rig.config, f"--admin.listen=127.0.0.1:{self.rig.procs['capture'].admin}",
                            "--wait-caught-up", "120"], capture_output=True, text=True, check=False)
        if p.returncode != 0:
            raise SystemExit(f"capture did not catch up: {p.stdout}{p.stderr}\n{self.rig.tail('capture')}")

    def once(self, *flags, name="", code=0, seconds=180):
        """A capture of its own that ends when caught up; name: what is added to the capture's name and prefix. Gives what it said."""
        self.read.clear()
        own = [f"--name={self.rig.name}{name}", f"--topics.prefix={self.rig.name}{name}"] if name else []
        p = subprocess.run([PILLION, "capture", "-c", self.rig.config, "--admin.listen=off", "--until-caught-up", *own, *flags],
                           capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=seconds, check=False)
        self.same(f"exit code of capture {name} {' '.join(flags)}", p.returncode, code)
        if p.returncode != code:
            print(p.stderr[-1500:], flush=True)
        return p.stderr

    def records(self, table, name="", feed=False):
        """(partition, key, value, headers, schema id) of a topic, decoded; read once a story."""
        topic = f"{self.rig.name}{name}.{table if feed else self.db + '.' + table}"
        if topic not in self.read:
            self.read[topic] = [
                (part, self.registry.decode(key) if key and not feed else key, self.registry.decode(value), headers,
                 int.from_bytes(value[1:5], "big") if value else None)
                for _, part, _, key, value, headers in stores.topic_events(os.environ["KAFKA_BOOTSTRAP"], [topic])]
        return self.read[topic]

    def in_order(self, table, name=""):
        """Events of a table without tombstones, in the source's order."""
        found = [(v, n) for _, _, v, _, n in self.records(table, name) if v is not None]
        return sorted(found, key=lambda e: (e[0]["source"]["file"], e[0]["source"]["pos"], e[0]["source"]["row"], e[0]["op"] != "d"))

    def subject(self, subject, rest="", data=None):
        request = urllib.request.Request(f"{os.environ['REGISTRY_URL']}/{'config' if data else 'subjects'}/{subject}{rest}", method="PUT" if data else "GET",
                                         data=json.dumps(data).encode() if data else None, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as r:
            return json.load(r)

    def contract(self, table, names, key):
        """A contract of a table, with the columns that it has in the end."""
        props = [{"name": n, "physicalName": n, "logicalType": "string", **({"primaryKey": True, "primaryKeyPosition": key.index(n) + 1} if n in key else {})}
                 for n in names]
        with open(os.path.join(self.rig.settings["contracts"], f"{table}.odcs.yaml"), "w", encoding="utf-8") as f:
            json.dump({"apiVersion": "v3.1.0", "kind": "DataContract", "id": table, "version": "1.0.0", "status": "active",
                       "schema": [{"name": table, "physicalName": f"{self.db}.{table}", "properties": props}]}, f)

    def documents(self, table):
        return {json.dumps(d["_id"]): d for d in stores.open_silver(self.rig.silver, self.rig.database).documents(table)}


# --- the stories: before() changes the source; what is yielded to is run when all of it is published -------------------------------


@story
def types(s):
    cols = columns.columns(s.source)
    s.sql("SET SESSION sql_mode='STRICT_TRANS_TABLES'", columns.create("types", cols),
          *[columns.insert("types", cols, row, key) for key, row in ((1, 0), (2, 1), (3, 2), (4, None))])
    want = {row[0]: {c.name: columns.read(c, v) for c, v in zip(cols, row[1:])} for row in s.sql(columns.select("types", cols))}
    s.sql("UPDATE types SET words='changed' WHERE id=1", "DELETE FROM types WHERE id=2")
    s.sql("CREATE TABLE wide (id BIGINT UNSIGNED PRIMARY KEY, n INT)", "INSERT INTO wide VALUES (18446744073709551615, 1), (0, 2)")
    s.contract("types", ["id", *[c.name for c in cols]], ["id"])
    yield
    events = s.in_order("types")
    s.same("types: operations", [e["op"] for e, _ in events], ["c", "c", "c", "c", "u", "d"])

    def compare(what, row, key, change=None):
        s.same(f"types: columns of {what}", list(row), ["id", *[c.name for c in cols]])
        for c in cols:
            have, expect = columns.event(c, row[c.name], s.profile), dict(want[key], **(change or {}))[c.name]
            s.ok(f"types: {what} {c.name} {c.ddl:.40}", have == expect, f"have {have!r:.200}, SELECT has {expect!r:.200}")
    for e, _ in events[:4]:
        compare(f"create {e['after']['id']}", e["after"], str(e["after"]["id"]))
    compare("before of update", events[4][0]["before"], "1")
    compare("after of update", events[4][0]["after"], "1", {"words": "changed"})
    compare("before of delete", events[5][0]["before"], "2")
    s.same("types: BIGINT UNSIGNED as decimal", [e["after"]["id"] for e, _ in s.in_order("wide")], ["18446744073709551615", "0"])
    said = s.once(f"--source.tables={s.db}\\.wide", "--source.start=earliest", "--events.bigint_unsigned=long", name="w", code=1)
    s.ok("types: above 2^63-1 as long stops with the option's name", "events.bigint_unsigned" in said and "wide" in said, said[-400:])
    yield
    docs = s.documents("types")
    s.same("types: silver's keys", {k: bool(d["_pillion"].get("deleted")) for k, d in docs.items()}, {"1": False, "2": True, "3": False, "4": False})
    for key, d in docs.items():
        for c in cols if key != "2" else []:
            expect = columns.in_millis(c, "changed" if (key, c.name) == ("1", "words") else want[key][c.name])
            try:
                have = columns.document(c, d.get(c.name))
            except (ValueError, TypeError, AttributeError) as e:
                have = e
            if s.profile == "debezium" and c.kind == "bit" and isinstance(d.get(c.name), bytes):
                have = int.from_bytes(d[c.name], "little")
            if s.profile == "debezium" and c.kind == "geometry" and have:
                have, expect = isinstance(d[c.name], (str, dict)), True  # the record as text
            s.ok(f"types: silver {key} {c.name} {c.ddl:.40}", have == expect, f"have {have!r:.200}, SELECT has {expect!r:.200}")


@story
def alter(s):
    names, want = [], []

    def insert(*changes):
        s.sql(*changes)
        n = len(want) + 1
        s.sql(f"INSERT INTO alt (id) VALUES ({n})")
        row = [r for r in s.rows("alt") if r["id"] == n][0]
        want.append((list(row), row))
        names[:] = list(row)
    insert("CREATE TABLE alt (id INT PRIMARY KEY, x INT DEFAULT 7, e ENUM('a','b') DEFAULT 'b', note VARCHAR(20) CHARACTER SET latin1 DEFAULT 'é')")
    insert("ALTER TABLE alt ADD COLUMN added VARCHAR(10) DEFAULT 'new'")
    insert("ALTER TABLE alt ADD COLUMN first_one DECIMAL(6,2) DEFAULT 1.5 FIRST")
    insert("ALTER TABLE alt MODIFY COLUMN e ENUM('a','b') DEFAULT 'b' AFTER first_one")
    insert("ALTER TABLE alt CHANGE COLUMN x renamed INT DEFAULT 7")
    insert("ALTER TABLE alt MODIFY COLUMN renamed BIGINT DEFAULT 5000000000")
    insert("ALTER TABLE alt MODIFY COLUMN e ENUM('a','b','c') DEFAULT 'c' AFTER first_one")
    insert("ALTER TABLE alt MODIFY COLUMN note TEXT CHARACTER SET utf8mb4")
    insert("ALTER TABLE alt DROP COLUMN added")
    insert("ALTER TABLE alt ADD COLUMN needed INT NOT NULL DEFAULT 3")
    insert("ALTER TABLE alt DROP COLUMN needed")
    insert("ALTER TABLE alt MODIFY COLUMN id BIGINT")
    insert("RENAME TABLE alt TO alt2", "CREATE TABLE alt LIKE alt2", "ALTER TABLE alt COMMENT='another'")
    s.sql("UPDATE alt2 SET renamed=1 WHERE id=1", "CREATE TABLE alt3 (id INT PRIMARY KEY)", "DROP TABLE alt3")
    s.contract("alt", names, ["id"])
    yield
    events = s.in_order("alt")
    s.same("alter: rows", len(events), len(want))
    from_topic = lambda v: v if isinstance(v, (int, str, type(None))) else str(v)
    for (e, _), (fields, row) in zip(events, want):
        s.same(f"alter: columns of row {row['id']}", list(e["after"]), fields)
        s.same(f"alter: row {row['id']}", e["after"], {k: from_topic(v) for k, v in row.items()})
    ids = [n for _, n in events]
    topic = f"{s.rig.name}.{s.db}.alt"
    versions = s.subject(f"{topic}-value", "/versions")
    s.same("alter: versions in the registry", len(versions), len(set(ids)))
    s.same("alter: a schema is registered once", len({s.registry.text(n) for n in ids}), len(set(ids)))
    # a widened enum is another schema only where the schema has its members; a wider text and charset never are
    s.same("alter: where the schema changed", [a != b for a, b in zip(ids, ids[1:])],
           [True, True, True, True, True, s.profile == "debezium", False, True, True, True, True, False])
    s.ok("alter: a former shape has its former schema", ids[8] == ids[10], ids)
    s.same("alter: the renamed table goes on in its own topic", [(e["op"], e["after"]["renamed"]) for e, _ in s.in_order("alt2")], [("u", 1)])
    yield
    docs = s.documents("alt")
    s.same("alter: silver has the rows of all shapes", len(docs), len(want))
    last = docs[str(len(want))]
    s.same("alter: silver's newest row", {k: columns._number(v) if k == "renamed" else v for k, v in last.items() if k in ("renamed", "e", "note")},
           {"renamed": "5000000000", "e": "c", "note": None})


@story
def changes(s):
    """Key updates, deletes, tombstones, truncate, tables without a key or with keys by option, filters, the two feeds."""
    s.sql("CREATE TABLE pk (id INT, part VARCHAR(10) CHARACTER SET latin1, n INT, PRIMARY KEY (part, id))",
          "INSERT INTO pk VALUES (1, 'é', 10), (2, 'b', 20)", "UPDATE pk SET id=11, n=11 WHERE id=1", "DELETE FROM pk WHERE id=2")
    s.sql("CREATE TABLE cut (id INT PRIMARY KEY)", "INSERT INTO cut VALUES (1),(2),(3)", "TRUNCATE TABLE cut", "INSERT INTO cut VALUES (1)")
    s.sql("CREATE TABLE nokey (a INT, b VARCHAR(5))", "INSERT INTO nokey VALUES (1,'x'),(1,'x')", "DELETE FROM nokey LIMIT 1")
    s.sql("CREATE TABLE keyed (id INT PRIMARY KEY, rider INT NOT NULL, at DATETIME(6) NOT NULL)", "INSERT INTO keyed VALUES (1, 5, '2026-01-02 03:04:05.000006')",
          "UPDATE keyed SET id=2 WHERE id=1", "UPDATE keyed SET rider=6 WHERE id=2")
    s.sql("CREATE TABLE left_out (id INT PRIMARY KEY)", "INSERT INTO left_out VALUES (1)", "CREATE TABLE tmp_x (id INT PRIMARY KEY)", "INSERT INTO tmp_x VALUES (1)",
          "CREATE TABLE _pk_gho (id INT PRIMARY KEY)", "INSERT INTO _pk_gho VALUES (1)")
    s.sql("CREATE USER IF NOT EXISTS shapes_user@'%' IDENTIFIED BY 'not-for-a-topic'", "DROP USER shapes_user@'%'")
    s.gtid_before = s.gtids()
    s.sql("START TRANSACTION", "INSERT INTO pk VALUES (30,'t',1),(31,'t',1)", "INSERT INTO nokey VALUES (9,'t')", "UPDATE pk SET n=2 WHERE id=30",
          "INSERT INTO left_out VALUES (2)", "UPDATE pk SET id=32 WHERE id=31", "COMMIT")
    s.sql("START TRANSACTION", "INSERT INTO pk VALUES (99,'rolled',1)", "ROLLBACK", "INSERT INTO left_out VALUES (3)")
    s.contract("pk", ["id", "part", "n"], ["part", "id"])
    s.contract("cut", ["id"], ["id"])
    s.sql("CREATE TABLE emptied (id INT PRIMARY KEY)", "INSERT INTO emptied VALUES (1),(2),(3),(4),(5)", "TRUNCATE TABLE emptied")
    s.contract("emptied", ["id"], ["id"])
    yield
    whole = list(s.records("pk"))
    one = [(k["id"], v and v["op"], sorted(h)) for _, k, v, h, _ in whole if k["id"] in (1, 11, 2)]
    s.same("key update: old key", [x[:2] for x in one if x[0] == 1], [(1, "c"), (1, "d"), (1, None)])
    s.same("key update: new key", [x[:2] for x in one if x[0] == 11], [(11, "c")])
    s.same("delete: tombstone", [x[:2] for x in one if x[0] == 2], [(2, "c"), (2, "d"), (2, None)])
    heads = [(i, o, [x for x in h if x.startswith("__debezium")]) for i, o, h in one if (i, o) in ((1, "d"), (11, "c"))]
    s.same("key update: headers", sorted(heads), [(1, "d", ["__debezium.newkey"]), (11, "c", ["__debezium.oldkey"])] if s.profile == "debezium" else
           [(1, "d", []), (11, "c", [])])
    s.same("key: the order of the primary key", list(whole[0][1]), ["part", "id"])
    s.ok("key: text is UTF-8", any(k["part"] == "é" for _, k, *_ in whole), [k for _, k, *_ in whole][:4])
    cut = [(part, v["op"], v["before"], v["after"]) for part, _, v, _, _ in s.records("cut") if v]
    s.same("truncate: in each partition", sorted(p for p, op, *_ in cut if op == "t"), [0, 1, 2, 3])
    s.ok("truncate: no rows in it", all(b is None and a is None for _, op, b, a in cut if op == "t"), cut)
    s.same("truncate: rows before and after", sorted(a["id"] for _, op, _, a in cut if op == "c"), [1, 1, 2, 3])
    s.same("no key: records", [(k, v["op"]) for _, k, v, _, _ in sorted(s.records("nokey"), key=lambda r: r[2]["source"]["pos"] if r[2] else 0) if v][:3],
           [(None, "c"), (None, "c"), (None, "d")])
    s.ok("no key: no tombstones", all(v is not None for _, _, v, _, _ in s.records("nokey")))
    keyed = [(k["rider"], v and v["op"]) for _, k, v, _, _ in s.records("keyed")]
    s.same("events.keys: fields", list(s.records("keyed")[0][1]), ["rider", "at"])
    s.same("events.keys: old key", [x for x in keyed if x[0] == 5], [(5, "c"), (5, "u"), (5, "d"), (5, None)])
    s.same("events.keys: new key", [x for x in keyed if x[0] == 6], [(6, "c")])
    for table in ("left_out", "tmp_x"):
        s.same(f"filter: {table}", list(s.records(table)), [])
    s.same("filter: an own exclude list replaces the default", len(list(s.records("_pk_gho"))), 1)
    s.once("--source.exclude_tables=[]", "--source.start=gtid:" + s.gtid_start, "--events.tombstones=off", "--events.keys={}", name="f")
    s.same("filter: helper tables of online schema changes", list(s.records("_pk_gho", "f")), [])
    s.same("filter: nothing is left out without a list", len(list(s.records("left_out", "f"))), 3)
    s.ok("tombstones off", not [1 for _, _, v, _, _ in s.records("pk", "f") if v is None] and [1 for _, _, v, _, _ in s.records("pk", "f") if v["op"] == "d"])
    feeds(s)
    yield
    docs = {(d["_id"]["id"]): bool(d["_pillion"].get("deleted")) for d in s.documents("pk").values()}
    s.same("key update: silver", docs, {1: True, 2: True, 11: False, 30: False, 31: True, 32: False})
    for table, live in (("cut", [1]), ("emptied", [])):
        s.same(f"truncate: silver of {table}", sorted(d["_id"] for d in s.documents(table).values() if not d["_pillion"].get("deleted")), live)
        s.ok(f"truncate: tombstones of {table}", {d["_pillion"]["op"] for d in s.documents(table).values() if d["_pillion"].get("deleted")} == {"t"}, s.documents(table))


def feeds(s):
    new = [(v["status"], v["id"], v["event_count"], v["data_collections"]) for _, _, v, _, _ in s.records("transaction", feed=True)]
    with_pk = [t for t in new if t[0] == "END" and {c["data_collection"] for c in t[3]} == {f"{s.db}.pk", f"{s.db}.nokey"}]
    s.same("transactions: one with both tables", len(with_pk), 1)
    if with_pk:
        status, ident, count, per = with_pk[0]
        s.same("transactions: begun before it ended", [t[0] for t in new if t[1] == ident], ["BEGIN", "END"])
        sent = {t: sum(1 for _, _, v, _, _ in s.records(t) if v and v["source"]["gtid"] == ident) for t in ("pk", "nokey")}
        per = {c["data_collection"].split(".")[1]: c["event_count"] for c in per}
        s.same("transactions: counts of rows", (count, per), (5, {"pk": 4, "nokey": 1}))
        # a key update is one row and two events
        s.same("transactions: events", sent, {"pk": 5, "nokey": 1})
    s.ok("transactions: none without captured rows", all(t[2] > 0 for t in new if t[0] == "END"), new[:3])
    s.same("transactions: as many ends as begins", sum(t[0] == "END" for t in new), sum(t[0] == "BEGIN" for t in new))
    ddl = []
    for *_, value, _ in stores.topic_events(os.environ["KAFKA_BOOTSTRAP"], [f"{s.rig.name}.pillion.schema-changes"]):
        ddl.append(json.loads(value))
    seen = [(d["kind"], d["table"]) for d in ddl]
    for kind, table in (("CREATE_TABLE", "pk"), ("TRUNCATE_TABLE", "cut"), ("CREATE_TABLE", "keyed")):
        s.ok(f"schema changes: {kind} {table}", seen.count((kind, table)) == 1, seen)
    s.ok("schema changes: of captured tables alone", not [x for x in seen if x[1] in ("left_out", "tmp_x")], seen)
    s.ok("schema changes: no users, no passwords", "shapes_user" not in json.dumps(ddl) and "not-for-a-topic" not in json.dumps(ddl))
    if ("ALTER_TABLE", "alt") in seen:
        s.same("schema changes: each ALTER", seen.count(("ALTER_TABLE", "alt")), 12)
    s.ok("schema changes: the statement and its place", all(d["ddl"] and d["source"]["gtid"] and d["source"]["file"] for d in ddl), ddl[:1])


@story
def rotation(s):
    s.sql("CREATE TABLE rot (id INT PRIMARY KEY)")
    for i in range(12):
        s.sql(f"INSERT INTO rot VALUES ({2 * i})", "FLUSH BINARY LOGS", f"INSERT INTO rot VALUES ({2 * i + 1})")
    yield
    events = s.in_order("rot")
    s.same("rotation: each row once, in order", [e["after"]["id"] for e, _ in events], list(range(24)))
    s.same("rotation: files", len({e["source"]["file"] for e, _ in events}), 13)
    yield


@story
def big(s):
    s.sql("CREATE TABLE big (id INT PRIMARY KEY, a VARCHAR(60), b DECIMAL(10,2))")
    make = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{0}) SELECT i, CONCAT('row ', i, ' of a large transaction'), i/100 FROM n"
    s.sql("SET SESSION " + ("cte_max_recursion_depth" if s.source == "mysql" else "max_recursive_iterations") + f"={BIG_ROWS + 1}",
          "INSERT INTO big " + make.format(BIG_ROWS))
    s.sql("UPDATE big SET b=1 WHERE id=1")
    yield
    n, seen, last = 0, bytearray(BIG_ROWS + 1), {}
    for _, part, _, key, value, _ in stores.topic_events(os.environ["KAFKA_BOOTSTRAP"], [f"{s.rig.name}.{s.db}.big"]):
        n += 1
        if n % 50 == 1 or n > BIG_ROWS:
            e = s.registry.decode(value)
            s.ok("big: rows of a partition are in order", e["source"]["txn_index"] > last.get(part, -1) if s.profile == "native" and e["op"] == "c" else True)
            if s.profile == "native" and e["op"] == "c":
                last[part] = e["source"]["txn_index"]
        seen[s.registry.decode(key)["id"]] = 1
    s.same("big: records", n, BIG_ROWS + 1)
    s.same("big: rows", sum(seen), BIG_ROWS)
    count = [v["event_count"] for _, _, v, _, _ in s.records("transaction", feed=True) if v["status"] == "END" and v["event_count"] > 1000]
    s.same("big: count in the transaction topic", count, [BIG_ROWS])
    peak = s.rig.cpu_and_memory("capture")[1]
    print(f"       {s.source} {s.profile}: capture's peak {peak:.1f} MiB", flush=True)
    s.ok(f"big: capture's peak memory is at most {PEAK_MIB} MiB", peak <= PEAK_MIB, f"{peak:.1f} MiB")
    yield


@story
def order(s):
    """Rows whose order Kafka would not keep for silver do not get there: no key in the records, or another than the contract's."""
    versioned = s.source == "mariadb"  # the history of a row has the key (id, row_end)
    s.sql("CREATE TABLE loose (id INT NOT NULL, n INT)", "INSERT INTO loose VALUES (1,1)", "UPDATE loose SET n=2",
          f"CREATE TABLE past (id INT, n INT, PRIMARY KEY (id{'' if versioned else ', n'})){' WITH SYSTEM VERSIONING' if versioned else ''}",
          "INSERT INTO past VALUES (1,1)", "UPDATE past SET n=2")
    s.contract("loose", ["id", "n"], ["id"])
    s.contract("past", ["id", "n"], ["id"])
    yield
    if versioned:
        s.same("order: a system-versioned table's history has keys of its own", len({json.dumps(k) for _, k, *_ in s.records("past")}), 2)
        p = subprocess.run([PILLION, "check", "-c", s.rig.config, "--only", "source"], capture_output=True, text=True, check=False)
        s.ok("order: check tells of the system-versioned table", f"{s.db}.past is system-versioned" in p.stdout, p.stdout + p.stderr)
    yield
    s.same("order: silver", (list(s.documents("loose")), list(s.documents("past"))), ([], []))
    why = json.dumps(list(stores.open_silver(s.rig.silver, s.rig.database).documents("_pillion_quarantine")), default=str)
    s.ok("order: quarantined with the remedy", "events.keys" in why and "has the column" in why and "has none" in why, why[:600])


@story
def compatibility(s):
    s.sql("CREATE TABLE compat (id INT PRIMARY KEY, x INT NOT NULL)", "INSERT INTO compat VALUES (1,1)")
    flags = (f"--source.tables={s.db}\\.compat", "--source.start=gtid:" + s.gtid_start, "--registry.compatibility=BACKWARD")
    s.once(*flags, name="c")
    s.sql("ALTER TABLE compat ADD COLUMN y INT NULL", "INSERT INTO compat VALUES (2,2,2)")
    s.once(*flags, name="c")
    s.sql("ALTER TABLE compat ADD COLUMN z INT NOT NULL", "INSERT INTO compat VALUES (3,3,3,3)")
    said = s.once(*flags, name="c", code=1)
    subject = f"{s.rig.name}c.{s.db}.compat-value"
    s.ok("compatibility: the stop names subject and remedy", subject in said and re.search("compatib", said, re.I), said[-600:])
    s.same("compatibility: nothing of the refused shape", [e["after"]["id"] for e, _ in s.in_order("compat", "c")], [1, 2])
    s.same("compatibility: level of the subject", s.level(subject), "BACKWARD")
    s.subject(subject, data={"compatibility": "NONE"})
    s.once(*flags, name="c")
    events = s.in_order("compat", "c")
    s.same("compatibility: goes on when the level allows it", [e["after"]["id"] for e, _ in events], [1, 2, 3])
    s.same("compatibility: three schemas", len({n for _, n in events}), 3)
    yield
    yield


@story
def starts(s):
    s.sql("CREATE TABLE st (id INT PRIMARY KEY)", "INSERT INTO st VALUES (1)", "INSERT INTO st VALUES (2)")
    gtids, (file, offset) = s.gtids(), s.here()
    s.sql("INSERT INTO st VALUES (3)", "INSERT INTO st VALUES (4)")
    only = f"--source.tables={s.db}\\.st"
    for name, start, want in (("g", f"gtid:{gtids}", [3, 4]), ("p", f"file:{file}:{offset}", [3, 4]), ("l", "latest", []), ("e", "earliest", [1, 2, 3, 4])):
        s.once(only, f"--source.start={start}", name=name)
        s.same(f"start: {start:.40}", [e["after"]["id"] for e, _ in s.in_order("st", name)], want)
    s.sql("INSERT INTO st VALUES (5)", "FLUSH BINARY LOGS", "INSERT INTO st VALUES (6)")
    for name, want in (("g", [3, 4, 5, 6]), ("p", [3, 4, 5, 6]), ("l", [5, 6]), ("e", [1, 2, 3, 4, 5, 6])):
        s.once(only, "--source.start=earliest", name=name)  # not looked at: there is a checkpoint
        s.same(f"restart goes on from the checkpoint: {name}", [e["after"]["id"] for e, _ in s.in_order("st", name)], want)
        s.once(only, "--source.start=earliest", name=name)
        s.same(f"restart without news publishes nothing: {name}", len(s.in_order("st", name)), len(want))
    said = s.once(only, "--source.start=gtid:" + ("0-1-99999999" if s.source == "mariadb" else "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9"), name="x", code=3)
    s.ok("start: of another server", "does not belong" in said or "diverged" in said, said[-400:])
    s.once(only, "--source.start=yesterday", name="y", code=2)
    yield
    yield


Stage.level = lambda s, subject: next(iter(json.load(urllib.request.urlopen(f"{os.environ['REGISTRY_URL']}/config/{subject}", timeout=30)).values()))


def merged(s, tables):
    """A merger over the tables that have contracts, until it is at their ends."""
    s.rig.settings["merge"]["group"] = f"{s.rig.name}-merge"
    s.rig.write_config()
    s.rig.start("merge", "merge")
    s.rig.wait_ready(["merge"])
    end = time.monotonic() + 120
    while True:
        state = s.rig.status("merge")
        if state and state["merge"]["caught_up"] and all(s.documents(t) for t in tables if t not in ("loose", "past")):
            break
        s.rig.must_live("merge")
        if time.monotonic() > end:
            raise SystemExit(f"the merger did not catch up: {state}\n{s.rig.tail('merge')}")
        time.sleep(0.3)
    s.rig.stop("merge")


NATIVE = [rotation, compatibility, starts]  # the profile makes no difference to these


def run(source, profile, wanted):
    print(f"--- {source}, profile {profile}", flush=True)
    s = Stage(source, profile)
    try:
        s.gtid_start = s.gtids()
        s.rig.settings["source"]["start"] = "gtid:" + s.gtid_start
        s.rig.write_config()
        s.rig.start("capture", "capture")
        s.rig.wait_ready(["capture"])
        told = []
        for f in STORIES:
            if wanted and f.__name__ not in wanted or f in NATIVE and profile != "native":
                continue
            begun = time.monotonic()
            t = f(s)
            next(t)
            s.published()
            s.read.clear()
            next(t)
            told.append(t)
            print(f"       {f.__name__}: topics, {time.monotonic() - begun:.1f} s", flush=True)
        if os.listdir(s.rig.settings["contracts"]):
            merged(s, [n.split(".")[0] for n in os.listdir(s.rig.settings["contracts"])])
        for t in told:
            for _ in t:
                pass
        s.rig.stop("capture")
    finally:
        s.rig.close(keep=os.environ.get("PILLION_KEEP") == "1")
        s.sql(f"DROP DATABASE {s.db}")
    print(f"       {s.checks} checks, {len(s.failed)} failed", flush=True)
    return bool(s.failed)


def main():
    rc = 0
    for source in os.environ.get("PILLION_SOURCE", "mariadb mysql").split():
        for profile in os.environ.get("PILLION_PROFILE", "native debezium").split():
            rc |= run(source, profile, os.environ.get("PILLION_STORY", "").split())
    return rc


if __name__ == "__main__":
    sys.exit(main())
