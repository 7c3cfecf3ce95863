#!/usr/bin/env python3
"""bad_input: what a person gets wrong, or what breaks, ends in one clear sentence with the remedy, a non-zero exit, and no harm:
nothing is published that should not be, and no password is shown."""
import os
import re
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from rig import PILLION, Rig  # noqa: E402

FAILED = []


def expect(name, rig, args, code, *words, seconds=60, env=None):
    """Runs pillion; its exit code and words (regular expressions) in what it says."""
    try:
        p = subprocess.run([PILLION, *args], capture_output=True, text=True, timeout=seconds, check=False, errors="replace",
                           stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        said, rc = p.stdout[-20000:] + p.stderr[-20000:], p.returncode
    except subprocess.TimeoutExpired:
        said, rc = "(it did not end)", None
    bad = [w for w in words if not re.search(w, said, re.S | re.I)]
    codes = code if isinstance(code, tuple) else (code,)
    if rc not in codes or bad or "cdcpw" in said or "Sanitizer" in said:
        FAILED.append(name)
        print(f"FAILED {name}: exit {rc}, wanted {codes}; words not said: {bad}\n{said[-1500:]}", flush=True)
    else:
        print(f"ok     {name} (exit {rc})", flush=True)


class Registry409(threading.Thread):
    """A registry that refuses every schema as incompatible."""

    def __init__(self):
        super().__init__(daemon=True)
        self.s = socket.socket()
        self.s.bind(("127.0.0.1", 0))
        self.s.listen(8)
        self.port = self.s.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        with c:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = c.recv(65536)
                    if not more:
                        return
                    data += more
                head, _, rest = data.partition(b"\r\n\r\n")
                n = int((re.search(rb"content-length: *(\d+)", head, re.I) or [0, b"0"])[1])
                while len(rest) < n:
                    rest += c.recv(65536)
                data = rest[n:]
                post = head.startswith(b"POST")
                body = b'{"error_code":409,"message":"reader field fare is missing a default"}' if post else b"[]"
                c.sendall(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" %
                          (b"409 Conflict" if post else b"200 OK", len(body), body))


def on_source(source):
    rig = Rig(f"bad-{source}-", source=source, extra={"source": {"start": "earliest"}})
    try:
        rig.fresh_schema()
        rig.sql("INSERT INTO shop.users(id,type,name) VALUES(1,'client','a')")
        capture = ["capture", "-c", rig.config, "--admin.listen=off", "--until-caught-up"]
        check = ["check", "-c", rig.config, "--only", "source"]
        wrong = rig.secret("wrong", "not-the-password")
        expect(f"{source}: wrong password", rig, [*capture, f"--source.password_file={wrong}"], (2, 3), "source.password")
        expect(f"{source}: unknown host", rig, [*capture, "--source.host=no-such-host.invalid", "--source.tls.mode=off"], 3, "source.host")
        expect(f"{source}: nobody listens", rig, [*capture, "--source.port=1"], 3, "source.port")
        for setting, value, word in (("binlog_row_metadata", "NO_LOG", "SET GLOBAL binlog_row_metadata *= *FULL"), ("binlog_row_metadata", "MINIMAL", "SET GLOBAL binlog_row_metadata *= *FULL"),
                                     ("binlog_format", "STATEMENT", "binlog_format"), ("binlog_row_image", "MINIMAL", "binlog_row_image")):
            before = rig.sql(f"SELECT @@GLOBAL.{setting}")[0][0]
            try:
                rig.sql(f"SET GLOBAL {setting}={value}")
            except Exception as e:  # MySQL 9 may have dropped a setting: then nobody can set it wrong
                print(f"       {source}: the server does not take {setting}={value}: {e}")
                continue
            expect(f"{source}: {setting}={value}, capture", rig, capture, (2, 3), word)
            expect(f"{source}: {setting}={value}, check", rig, check, 1, word)
            rig.sql(f"SET GLOBAL {setting}={before}")
        rig.sql("DROP USER IF EXISTS poor@'%';\nCREATE USER poor@'%' IDENTIFIED BY 'poor-cdcpw'")
        poor = rig.secret("poor", "poor-cdcpw")
        expect(f"{source}: missing grants", rig, [*capture, "--source.user=poor", f"--source.password_file={poor}"], (2, 3), "GRANT|REPLICATION")
        rig.sql("DROP USER poor@'%'")
        sid = rig.sql("SELECT @@server_id")[0][0]
        expect(f"{source}: server id in use by the server", rig, [*capture, f"--source.server_id={sid}"], (2, 3), "server.id")
        first = rig.sql("SHOW BINARY LOGS")[0][0]
        rig.sql("FLUSH BINARY LOGS;\nINSERT INTO shop.users(id,type,name) VALUES(2,'client','b');\nFLUSH BINARY LOGS")
        last = rig.sql("SHOW BINARY LOGS")[-1][0]
        rig.sql(f"PURGE BINARY LOGS TO '{last}'")
        expect(f"{source}: purged log", rig, [*capture, f"--source.start=file:{first}:4"], 3, "purged|no longer|not there")
        with Registry409_running() as registry:
            rig.sql("INSERT INTO shop.users(id,type,name) VALUES(3,'client','c')")
            expect(f"{source}: registry 409", rig,
                   [*capture, f"--registry.url=http://127.0.0.1:{registry.port}", f"--name={rig.name}r", f"--topics.prefix={rig.name}r"], 1,
                   "users-(key|value)", "missing a default")
    finally:
        rig.close()


class Registry409_running:
    def __enter__(self):
        self.r = Registry409()
        return self.r

    def __exit__(self, *a):
        self.r.s.close()


def on_files(rig):
    binlogs = sorted(os.path.join(os.environ["MARIADB_BINLOG"].rpartition("/")[0], n)
                     for n in os.listdir(os.path.dirname(os.environ["MARIADB_BINLOG"])) if re.search(r"\.\d{6}$", n))
    rig.sql("INSERT INTO shop.users(id,type,name) SELECT seq+100,'client',CONCAT('n',seq) FROM shop.seq_1_to_200;\nFLUSH BINARY LOGS")
    whole = max((b for b in binlogs), key=os.path.getsize)
    with open(whole, "rb") as f:
        good = f.read()
    broken = os.path.join(rig.work, "broken.bin")

    def with_bytes(data):
        with open(broken, "wb") as f:
            f.write(data)
        return broken

    expect("decode: whole file", rig, ["decode", whole], 0)
    expect("decode: truncated", rig, ["decode", with_bytes(good[:len(good) * 2 // 3])], 1, "broken.bin|truncat|ends")
    flipped = bytearray(good)
    flipped[len(good) * 2 // 3] ^= 0x10
    expect("decode: flipped bit", rig, ["decode", with_bytes(flipped)], 1, "checksum|CRC")
    expect("decode: no binlog", rig, ["decode", with_bytes(b"#!/bin/sh\n" * 100)], 1, "binlog")
    expect("decode: empty file", rig, ["decode", with_bytes(b"")], 1)
    expect("decode: missing file", rig, ["decode", "/nonexistent/x"], 3, "/nonexistent/x")
    expect("decode: a folder", rig, ["decode", rig.work], (1, 3))


def on_settings(rig):
    capture = ["capture", "-c", rig.config, "--admin.listen=off", "--until-caught-up"]
    merge = ["merge", "-c", rig.config, "--admin.listen=off", "--until-caught-up"]
    expect("broker down", rig, [*capture, "--kafka.brokers=127.0.0.1:1"], 3, "kafka.brokers")
    expect("registry down", rig, [*capture, "--registry.url=http://127.0.0.1:1"], 3, "registry.url", seconds=90)
    expect("bucket missing", rig, [*merge, "--objects.url=s3://no-such-bucket-here/x"], 2, "no-such-bucket-here")
    expect("documents down", rig, [*merge, "--documents.url=mongodb://127.0.0.1:1/"], 3, "MongoDB", seconds=90)
    expect("check finds all of it", rig, ["check", "-c", rig.config, "--kafka.brokers=127.0.0.1:1", "--registry.url=http://127.0.0.1:1",
                                          "--objects.url=s3://no-such-bucket-here/x"], 3, "kafka", "registry", "no-such-bucket-here", seconds=90)
    typo = os.path.join(rig.work, "typo.yaml")
    with open(typo, "w", encoding="ascii") as f:
        f.write("name: x\nsource:\n  hots: db1\n")
    expect("typo in the configuration", rig, ["run", "-c", typo], 2, "typo.yaml:3", "host")
    expect("no such configuration", rig, ["run", "-c", "/nonexistent.yaml"], (2, 3), "/nonexistent.yaml")
    expect("unknown command", rig, ["rnu"], 2, "rnu")
    expect("unknown flag", rig, ["run", "--souce.host=x"], 2, "source.host")
    expect("mock for one half", rig, [*capture, "--kafka.brokers=mock://"], 2, "mock")
    contracts = os.path.join(rig.work, "contracts")
    os.mkdir(contracts)
    with open(os.path.join(contracts, "rides.odcs.yaml"), "w", encoding="ascii") as f:
        f.write("apiVersion: v3.1.0\nkind: DataContract\nid: r\nversion: 1.0.0\nstatus: active\nschema:\n  - name: rides\n"
                "    properties:\n      - name: id\n        primaryKey: true\n      - name: client_id\n        relationships:\n"
                "          - to: users.id\n")
    expect("contract that names a missing table", rig, [*merge, f"--contracts={contracts}"], 2, "rides.odcs.yaml:1[0-9]", "users")


def main():
    for source in os.environ.get("PILLION_SOURCE", "mariadb mysql").split():
        on_source(source)
    rig = Rig("bad-", source="mariadb", extra={"source": {"start": "earliest"}})
    try:
        rig.fresh_schema()
        on_settings(rig)
        on_files(rig)
    finally:
        rig.close()
    print(f"{len(FAILED)} failed: {FAILED}" if FAILED else "all clear")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
