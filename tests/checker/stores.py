"""stores: what the checker reads from: the source by SQL, silver and parked rows, bronze objects, topics. Nothing here writes."""
import glob
import json
import os
import sqlite3
import urllib.request

import avro_reader


class Source:
    """The source server. Rows come as dicts of Python values."""

    def __init__(self, a):
        import pymysql
        where = {"unix_socket": a.source_socket} if a.source_socket else {"host": a.source_host, "port": a.source_port}
        self.db = pymysql.connect(user=a.source_user, password=a.source_password, charset="utf8mb4", autocommit=True,
                                  cursorclass=pymysql.cursors.SSDictCursor, init_command="SET time_zone='+00:00'", **where)

    def query(self, sql):
        with self.db.cursor() as c:
            c.execute(sql)
            yield from c


class SqliteSilver:
    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30, isolation_level=None)

    def _has(self, collection):
        return self.db.execute("SELECT count(*) FROM sqlite_master WHERE name=?", (collection,)).fetchone()[0]

    def documents(self, collection):
        if self._has(collection):
            for (text,) in self.db.execute(f'SELECT json FROM "{collection}"'):
                yield json.loads(text)

    def count(self, collection):
        return self.db.execute(f'SELECT count(*) FROM "{collection}"').fetchone()[0] if self._has(collection) else 0

    def orphans(self, child, column, parent, after, limit):
        """Live children in one snapshot whose parent is absent: [(id, reference)], number looked at, last id."""
        if not self._has(child):
            return [], 0, None
        exists = f'EXISTS(SELECT 1 FROM "{parent}" p WHERE p.id=json_quote(json_extract(c.json,?1)))' if self._has(parent) else "0"
        rows = self.db.execute(
            f'SELECT c.id, json_extract(c.json,?1), c.deleted, {exists} FROM (SELECT id,json,deleted FROM "{child}" '
            f'WHERE (?2 IS NULL OR id>?2) ORDER BY id LIMIT {int(limit)}) c', (f"$.{column}", after)).fetchall()
        bad = [(i, ref) for i, ref, deleted, ok in rows if not deleted and ref is not None and not ok]
        return bad, len(rows), rows[-1][0] if rows else None


class MongoSilver:
    def __init__(self, uri, database):
        import pymongo
        self.db = pymongo.MongoClient(uri, readConcernLevel="majority")[database]

    def documents(self, collection):
        yield from self.db[collection].find({}, batch_size=5000)

    def count(self, collection):
        return self.db[collection].count_documents({})

    def orphans(self, child, column, parent, after, limit):
        """As SqliteSilver.orphans; one aggregation, which is one snapshot on the servers that the tests use."""
        match = {"_id": {"$gt": after}} if after is not None else {}
        pipe = [{"$match": match}, {"$sort": {"_id": 1}}, {"$limit": limit},
                {"$project": {column: 1, "d": "$_pillion.deleted"}},
                {"$lookup": {"from": parent, "localField": column, "foreignField": "_id", "as": "p"}},
                {"$project": {column: 1, "d": 1, "n": {"$size": "$p"}}}]
        rows = list(self.db[child].aggregate(pipe))
        bad = [(r["_id"], r.get(column)) for r in rows if not r.get("d") and r.get(column) is not None and not r["n"]]
        return bad, len(rows), rows[-1]["_id"] if rows else None


def open_silver(url, database="pillion"):
    if url.startswith("sqlite://"):
        return SqliteSilver(url[9:])
    return MongoSilver(url, database)


class FolderObjects:
    def __init__(self, path):
        self.path = path

    def names(self):
        root = os.path.join(self.path, "")
        return sorted(n[len(root):] for n in glob.glob(root + "**/*.avro", recursive=True))

    def get(self, name):
        with open(os.path.join(self.path, name), "rb") as f:
            return f.read()


class S3Objects:
    def __init__(self, url, endpoint, key, secret):
        import boto3
        from botocore.client import Config
        self.bucket, _, self.prefix = url[5:].partition("/")
        self.s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
                               region_name="us-east-1", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))

    def names(self):
        out = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            out += [o["Key"] for o in page.get("Contents", []) if o["Key"].endswith(".avro")]
        return sorted(out)

    def get(self, name):
        return self.s3.get_object(Bucket=self.bucket, Key=name)["Body"].read()


def open_objects(a):
    if a.objects.startswith("file://"):
        return FolderObjects(a.objects[7:])
    return S3Objects(a.objects, a.s3_endpoint, os.environ.get("S3_ACCESS_KEY"), os.environ.get("S3_SECRET_KEY"))


class Registry:
    def __init__(self, url):
        self.url, self.readers = url, {}

    def text(self, number):
        if self.url.startswith("file://"):
            for name in glob.glob(os.path.join(self.url[7:], "**", f"{number}*"), recursive=True):
                if os.path.isfile(name):
                    with open(name, encoding="utf-8") as f:
                        text = f.read()
                    try:
                        inner = json.loads(text)
                        return inner["schema"] if isinstance(inner, dict) and "schema" in inner and "type" not in inner else text
                    except ValueError:
                        continue
            raise ValueError(f"schema {number} is not in {self.url}")
        with urllib.request.urlopen(f"{self.url.rstrip('/')}/schemas/ids/{number}", timeout=30) as r:
            return json.load(r)["schema"]

    def decode(self, data):
        """A Confluent-framed record, or None for a tombstone."""
        if data is None:
            return None
        if data[0] != 0:
            raise ValueError("no Confluent wire format")
        number = int.from_bytes(data[1:5], "big")
        if number not in self.readers:
            self.readers[number] = avro_reader.Reader(self.text(number))
        value, end = self.readers[number](data, 5)
        if end != len(data):
            raise ValueError("bytes are left after the record")
        return value


def topic_events(brokers, topics):
    """(topic, partition, offset, key, value, headers) of whole topics, partition by partition."""
    from confluent_kafka import Consumer, TopicPartition
    c = Consumer({"bootstrap.servers": brokers, "group.id": f"checker-{os.getpid()}", "enable.auto.commit": False,
                  "auto.offset.reset": "earliest", "isolation.level": "read_committed", "enable.partition.eof": True})
    meta = c.list_topics(timeout=30).topics
    for topic in topics:
        if topic not in meta:
            continue
        for p in sorted(meta[topic].partitions):
            low, high = c.get_watermark_offsets(TopicPartition(topic, p), timeout=30)
            if low == high:
                continue
            c.assign([TopicPartition(topic, p, low)])
            end = False
            while not end:
                for m in c.consume(10000, timeout=0.3):
                    if m.error():
                        end = True
                    else:
                        yield topic, p, m.offset(), m.key(), m.value(), dict(m.headers() or [])
    c.close()


def bronze_events(objects):
    """The same from bronze objects, and the place (object name) of each."""
    for name in objects.names():
        for r in avro_reader.object_file(objects.get(name)):
            headers = r.get("headers") or []
            pairs = headers.items() if isinstance(headers, dict) else [(h.get("key", h.get("name")), h.get("value")) for h in headers]
            yield name, (r["topic"], r["partition"], r["offset"], r.get("key"), r.get("value"), dict(pairs))


