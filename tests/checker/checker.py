#!/usr/bin/env python3
"""checker: an independent judge of Pillion's promises. It shares no code with Pillion and writes nothing.

  watch    reads silver again and again and counts children that are visible without a parent (M1), until --stop-file appears
  topics   reads whole topics (or bronze): each change once (C2), per key in order without a hole (each before image is the
           former after image, C1), and the state that they give equals the source
  bronze   objects join without gap or overlap, and hold the topics' bytes (M2)
  silver   silver without tombstones equals the SQL join of the source's children with the parents they require, and parked
           equals the rest (M4); each key is in one place

Each prints one JSON object a check, and ends with 0 (all hold), 1 (a violation) or 3 (could not look)."""
import argparse
import datetime
import decimal
import hashlib
import json
import os
import sys
import time

import stores

SHOWN = 5  # examples of each violation


class Report:
    def __init__(self, what):
        self.what, self.facts, self.violations, self.examples = what, {}, {}, {}

    def bad(self, kind, example):
        self.violations[kind] = self.violations.get(kind, 0) + 1
        if len(self.examples.setdefault(kind, [])) < SHOWN:
            self.examples[kind].append(str(example))

    def end(self):
        out = {"check": self.what, **self.facts, "violations": sum(self.violations.values())}
        if self.violations:
            out.update(kinds=self.violations, examples=self.examples)
        print(json.dumps(out, ensure_ascii=False, default=str), flush=True)
        return 1 if self.violations else 0


# --- one spelling for a value, wherever it was read -----------------------------------------------------------------------

EPOCH = datetime.datetime(1970, 1, 1)


def _instant(t):
    if t.tzinfo:
        t = t.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return "t:%d" % ((t - EPOCH) // datetime.timedelta(milliseconds=1))


def _number(d):
    d = decimal.Decimal(d)
    return "n:" + (format(d.normalize(), "f") if d else "0")


def spell(v):
    """Canonical text of a source value, a BSON value, or relaxed extended JSON. Times at BSON's resolution: milliseconds."""
    if v is None:
        return "null"
    if isinstance(v, bool):
        return _number(int(v))
    if isinstance(v, (int, decimal.Decimal)):
        return _number(v)
    if isinstance(v, float):
        return _number(repr(v))
    if isinstance(v, datetime.datetime):
        return _instant(v)
    if isinstance(v, datetime.date):
        return _instant(datetime.datetime(v.year, v.month, v.day))
    if isinstance(v, (bytes, bytearray)):
        return "b:" + bytes(v).hex()
    if isinstance(v, str):
        if v[:1] in "{[" and v[-1:] in "}]":
            try:
                return "j:" + json.dumps(json.loads(v), sort_keys=True)
            except ValueError:
                pass
        return "s:" + v
    if isinstance(v, dict):
        if len(v) == 1 or "$binary" in v:
            k, x = next(iter(v.items()))
            if k == "$numberLong" or k == "$numberInt" or k == "$numberDecimal" or k == "$numberDouble":
                return _number(x)
            if k == "$date":
                if isinstance(x, dict):
                    return "t:%d" % int(x["$numberLong"])
                return _instant(datetime.datetime.fromisoformat(x.replace("Z", "+00:00")))
            if k == "$binary":
                import base64
                return "b:" + base64.b64decode(x["base64"] if isinstance(x, dict) else x).hex()
        return "j:" + json.dumps(v, sort_keys=True)
    if isinstance(v, list):
        return "j:" + json.dumps(v, sort_keys=True)
    if type(v).__name__ == "Decimal128":
        return _number(v.to_decimal())
    if type(v).__name__ == "Int64":
        return _number(int(v))
    return "s:" + str(v)


def key_of(v):
    """A document's _id or a tuple of key values, as one text."""
    if isinstance(v, dict) and not any(k.startswith("$") for k in v):
        v = tuple(v.values())
    return "|".join(spell(x) for x in v) if isinstance(v, (tuple, list)) else spell(v)


def row_hash(names, row):
    return hashlib.blake2b("\x1f".join(f"{n}={spell(row.get(n))}" for n in names).encode(), digest_size=12).digest()


# --- checks ---------------------------------------------------------------------------------------------------------------


def watch(a, model):
    silver, r = None, Report("watch M1")
    while silver is None:
        try:
            silver = stores.open_silver(a.silver, a.database)
        except Exception:  # the store may not be there yet
            if a.stop_file and os.path.exists(a.stop_file):
                raise
            time.sleep(0.1)
    looks = rows = 0
    while True:
        last = a.stop_file and os.path.exists(a.stop_file)
        for child, spec in model.items():
            for ref in spec["refs"]:
                if len(ref["columns"]) != 1:
                    continue
                after = None
                while True:
                    try:
                        bad, n, after = silver.orphans(child, ref["columns"][0], ref["parent"], after, 4000)
                    except Exception as e:  # a store that is not there yet, or is being killed by the test
                        r.facts["last_error"] = f"{type(e).__name__}: {e}"[:200]
                        time.sleep(0.2)
                        break
                    looks += 1
                    rows += n
                    time.sleep(0 if last else a.pause)
                    for what in bad:
                        r.bad(f"{child}.{ref['columns'][0]} visible without {ref['parent']}", what)
                    if n < 4000:
                        break
        if last:
            break
    r.facts.update(looks=looks, rows_seen=rows)
    return r.end()


def expected_sql(model, entity):
    """Children joined with the parents they require, and its complement, by SQL on the source."""
    spec = model[entity]
    joins, where = "", []
    for i, ref in enumerate(spec["refs"]):
        parent = model[ref["parent"]]
        table = ref.get("ever") or parent["table"]
        on = " AND ".join(f"p{i}.{pk}=c.{col}" for pk, col in zip(parent["key"], ref["columns"]))
        joins += f" LEFT JOIN {table} p{i} ON {on}"
        known = f"p{i}.{parent['key'][0]} IS NOT NULL"
        where.append(f"({' OR '.join([f'c.{c} IS NULL' for c in ref['columns']] + [known])})" if ref["nullable"] else known)
    good = " AND ".join(where) or "1=1"
    return f"SELECT c.*, ({good}) AS pillion_visible FROM {spec['table']} c{joins}"


def silver_check(a, model):
    source, silver, rc = stores.Source(a), stores.open_silver(a.silver, a.database), 0
    parked_all = {}
    for d in silver.documents("_pillion_parked"):
        text = d["_id"]
        parked_all.setdefault(text.split("|", 1)[0], set()).add(text.split("|", 1)[1])
    for entity, spec in model.items():
        r = Report(f"silver {entity} M4")
        have, tombstones, names = {}, set(), None
        docs = silver.documents(entity)
        want, hidden = {}, set()
        for row in source.query(expected_sql(model, entity)):
            visible = row.pop("pillion_visible")
            names = names or list(row)
            k = key_of(tuple(row[c] for c in spec["key"]))
            if visible:
                want[k] = row_hash(names, row)
            else:
                hidden.add(k)
        for d in docs:
            k = key_of(d["_id"])
            if k in have or k in tombstones:
                r.bad("key twice", k)
            if d.get("_pillion", {}).get("deleted"):
                tombstones.add(k)
                if names and any(d.get(n) is not None for n in names if n not in spec["key"]) and not d["_pillion"].get("pending"):
                    r.bad("tombstone with columns", k)
            else:
                row = dict(d)
                if len(spec["key"]) == 1:
                    row.setdefault(spec["key"][0], d["_id"])
                elif isinstance(d["_id"], dict):
                    row = {**d["_id"], **row}
                have[k] = row_hash(names or [], row)
        for k, h in want.items():
            if k not in have:
                r.bad("missing in silver", k)
            elif have[k] != h:
                r.bad("differs from the source", k)
        for k in have:
            if k not in want:
                r.bad("in silver, not in the join", k)
        parked = {("n:" + k if k.lstrip("-").isdigit() else k) for k in parked_all.get(entity, set())}
        plain = {(h[2:] if h.startswith("s:") else h) for h in hidden}
        parked_plain = {(h[2:] if h.startswith("s:") else h) for h in parked}
        for k in plain - parked_plain:
            r.bad("neither visible nor parked", k)
        for k in parked_plain - plain:
            r.bad("parked, but should not be", k)
        r.facts.update(source=len(want) + len(hidden), silver=len(have), tombstones=len(tombstones), parked=len(parked))
        rc |= r.end()
    return rc


def replay(events, registry, r, want_tables):
    """Follows every key through its events. Returns {(table, key): after} and the number of changes."""
    state, seen, n = {}, set(), 0
    for topic, part, offset, key, value, headers in events:
        if value is None:
            continue
        e = registry.decode(value)
        if "op" not in e or e["op"] in ("t", "m"):
            continue
        src = e["source"]
        table = f"{src['db']}.{src['table']}"
        if want_tables and table not in want_tables:
            continue
        n += 1
        ident = (topic, src.get("gtid"), src.get("txn_index"))
        if src.get("gtid") and src.get("txn_index") is not None:
            h = hash(ident)
            if h in seen:
                r.bad("change twice in the topics", f"{ident} at {topic}/{part}@{offset}")
            seen.add(h)
        if key is None:
            continue
        k = (topic, key)
        before, after = e.get("before"), e.get("after")
        old = state.get(k)
        bh = row_hash(sorted(before), before) if before else None
        if e["op"] in ("u", "d") and before is not None and old is not None and old[0] != bh:
            r.bad("before image is not the former state: lost, doubled or out of order", f"{topic}/{part}@{offset} {src.get('gtid')}")
        if e["op"] == "c" and old is not None:
            r.bad("create of a key that is there: lost, doubled or out of order", f"{topic}/{part}@{offset} {src.get('gtid')}")
        if e["op"] in ("u", "d") and old is None:
            r.bad("change of a key that was never created", f"{topic}/{part}@{offset} {src.get('gtid')}")
        if e["op"] == "d":
            state.pop(k, None)
        else:
            state[k] = (row_hash(sorted(after), after), after)
    return state, n


def topics_check(a, model):
    """The topics (or bronze, with --objects) replayed against the source's tables."""
    r = Report("topics C1 C2")
    registry = stores.Registry(a.registry)
    tables = {s["table"]: (name, s) for name, s in model.items()}
    if a.objects:
        events = (e for _, e in stores.bronze_events(stores.open_objects(a)))
    else:
        events = stores.topic_events(a.brokers, [f"{a.prefix}.{t}" for t in tables])
    state, r.facts["changes"] = replay(events, registry, r, set(tables))
    source = stores.Source(a)
    rows = {}
    for (topic, _), (_, after) in state.items():
        table = topic[len(a.prefix) + 1:]
        rows.setdefault(table, set()).add(key_of(tuple(after[c] for c in tables[table][1]["key"])))
    for table, (name, spec) in tables.items():
        want = {key_of(tuple(row[c] for c in spec["key"])) for row in
                source.query(f"SELECT {','.join(spec['key'])} FROM {table}")}
        have = rows.get(table, set())
        r.facts[f"rows {name}"] = len(have)
        for k in want - have:
            r.bad(f"{name}: in the source, not in the topics", k)
        for k in have - want:
            r.bad(f"{name}: in the topics, not in the source", k)
    return r.end()


def bronze_check(a, model):
    r = Report("bronze M2")
    objects = stores.open_objects(a)
    held, count = {}, 0
    for name, (topic, part, offset, key, value, _) in stores.bronze_events(objects):
        first = int(os.path.basename(name).split(".")[0])
        chain = held.setdefault((topic, part), {})
        count += 1
        if offset < first:
            r.bad("a record before its object's first offset", name)
        if offset in chain:
            r.bad("a record in two objects", f"{topic}/{part}@{offset}")
        chain[offset] = hashlib.blake2b((key or b"\0none") + b"\x1f" + (value or b"\0none"), digest_size=12).digest()
    r.facts.update(records=count, partitions=len(held), objects=len(objects.names()))
    if a.brokers:
        seen = {}
        for topic, part, offset, key, value, _ in stores.topic_events(a.brokers, [f"{a.prefix}.{s['table']}" for s in model.values()]):
            seen[(topic, part)] = seen.get((topic, part), 0) + 1
            h = held.get((topic, part), {}).get(offset)
            if h is None:
                r.bad("a record is not in bronze", f"{topic}/{part}@{offset}")
            elif h != hashlib.blake2b((key or b"\0none") + b"\x1f" + (value or b"\0none"), digest_size=12).digest():
                r.bad("a record's bytes differ in bronze", f"{topic}/{part}@{offset}")
        r.facts["topic_records"] = sum(seen.values())
    else:
        for (topic, part), chain in held.items():
            if chain and len(chain) != max(chain) + 1:
                r.bad("offsets are missing in bronze", f"{topic}/{part}: {len(chain)} records up to {max(chain)}")
    return r.end()


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("check", choices=["watch", "topics", "bronze", "silver"])
    p.add_argument("--model", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "shop.json"))
    p.add_argument("--source-host", default="127.0.0.1")
    p.add_argument("--source-port", type=int, default=3306)
    p.add_argument("--source-socket")
    p.add_argument("--source-user", default="root")
    p.add_argument("--source-password", default=os.environ.get("CHECKER_SOURCE_PASSWORD", ""))
    p.add_argument("--silver", help="sqlite:///file or mongodb://...")
    p.add_argument("--database", default="pillion")
    p.add_argument("--objects", help="file:///folder or s3://bucket/prefix (S3_ACCESS_KEY and S3_SECRET_KEY in the environment)")
    p.add_argument("--s3-endpoint")
    p.add_argument("--brokers")
    p.add_argument("--registry", help="http://... or file:///folder")
    p.add_argument("--prefix", default="pillion")
    p.add_argument("--stop-file")
    p.add_argument("--pause", type=float, default=0.02, help="watch: seconds between two looks")
    a = p.parse_args(argv)
    with open(a.model, encoding="utf-8") as f:
        model = json.load(f)
    try:
        return {"watch": watch, "topics": topics_check, "bronze": bronze_check, "silver": silver_check}[a.check](a, model)
    except Exception as e:  # whatever kept it from looking is not a verdict
        print(json.dumps({"check": a.check, "could not look": f"{type(e).__name__}: {e}"}), flush=True)
        return 3


if __name__ == "__main__":
    sys.exit(main())
