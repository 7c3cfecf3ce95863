"""rig: what the scenarios share: one Pillion deployment on the servers of integration/servers.sh, its processes, and the checker.

Reads the servers' addresses from the environment (the run folder's env file) and the program from PILLION. Every run has its own
prefix, database and bucket folder, so runs do not see each other. Processes are ended by their pid; nothing is left behind."""
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
PYTHON = os.environ.get("PYTHON", sys.executable)
PILLION = os.environ["PILLION"]


class Rig:
    def __init__(self, name, source="mariadb", stores="real", profile="native", extra=None):
        self.name = f"{name}{random.randrange(10**6)}"
        self.work = tempfile.mkdtemp(prefix=f"pillion-{name}-")
        self.env = os.environ
        self.source = source
        self.procs = {}
        self.logs = os.path.join(self.work, "logs")
        os.mkdir(self.logs)
        up = source.upper()
        self.port = int(self.env[f"{up}_PORT"])
        self.password_file = self.secret("source", self.env.get(f"{up}_PASSWORD", "cdcpw"))
        self.silver = self.env["MONGODB_URI"]
        mongo = urllib.parse.urlsplit(self.silver)  # Pillion takes no password in an address
        where = urllib.parse.urlunsplit((mongo.scheme, mongo.netloc.rpartition("@")[2], mongo.path, mongo.query, ""))
        self.database = self.name
        self.objects = f"s3://{self.env['S3_BUCKET']}/{self.name}"
        self.config = os.path.join(self.work, "pillion.yaml")
        settings = {
            "name": self.name, "data_dir": self.work, "contracts": os.path.join(TREE, "contracts"),
            "source": {"host": "127.0.0.1", "port": self.port, "user": self.env.get(f"{up}_USER", "cdc"),
                       "password_file": self.password_file, "tables": ["shop\\.users", "shop\\.rides"], "start": "latest"},
            "topics": {"prefix": self.name, "partitions": 4, "replication": 1},
            "events": {"profile": profile},
            "kafka": {"brokers": self.env["KAFKA_BOOTSTRAP"]},
            "registry": {"url": self.env["REGISTRY_URL"]},
            "merge": {"group": f"{self.name}-merge", "session_timeout": "6s", "sweep_interval": "2s"},
            "documents": {"url": where, "database": self.database, "username": urllib.parse.unquote(mongo.username or ""),
                          "password_file": self.secret("mongo", urllib.parse.unquote(mongo.password or ""))},
            "objects": {"url": self.objects, "endpoint": self.env["S3_ENDPOINT"], "access_key": self.env["S3_ACCESS_KEY"],
                        "secret_key_file": self.secret("s3", self.env["S3_SECRET_KEY"])},
            "bronze": {"object_interval": "1s"},
            "log": {"level": "info"},
        }
        for section, values in (extra or {}).items():
            if isinstance(values, dict):
                settings.setdefault(section, {}).update(values)
            else:
                settings[section] = values
        self.settings = settings
        self.write_config()

    def write_config(self):
        with open(self.config, "w", encoding="utf-8") as f:
            json.dump(self.settings, f, indent=1)  # JSON is YAML

    def secret(self, name, value):
        path = os.path.join(self.work, f"secret-{name}")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write(value + "\n")
        return path

    # --- processes ---------------------------------------------------------------------------------------------------------

    def free_port(self):
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def start(self, key, *command, **env):
        log = open(os.path.join(self.logs, f"{key}.log"), "ab")
        port = env.pop("port", None) or self.free_port()
        p = subprocess.Popen([PILLION, *command, "-c", self.config, f"--admin.listen=127.0.0.1:{port}"], stdout=log, stderr=log,
                             stdin=subprocess.DEVNULL, env={**self.env, **env})
        p.admin = port
        self.procs[key] = p
        return p

    def status(self, key):
        out = subprocess.run([PILLION, "status", "--json", "-c", self.config, f"--admin.listen=127.0.0.1:{self.procs[key].admin}"],
                             capture_output=True, text=True, check=False)
        return json.loads(out.stdout) if out.returncode == 0 else None

    def wait_ready(self, keys, seconds=60):
        import urllib.request
        end = time.monotonic() + seconds
        for key in keys:
            while True:
                with contextlib.suppress(OSError):
                    with urllib.request.urlopen(f"http://127.0.0.1:{self.procs[key].admin}/readyz", timeout=2) as r:
                        if r.status == 200:
                            break
                self.must_live(key)
                if time.monotonic() > end:
                    raise SystemExit(f"{key} is not ready after {seconds} s:\n{self.tail(key)}")
                time.sleep(0.1)

    def tail(self, key, n=20):
        with open(os.path.join(self.logs, f"{key}.log"), encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-n:])

    def must_live(self, key):
        if self.procs[key].poll() is not None:
            raise SystemExit(f"{key} ended with {self.procs[key].returncode}:\n{self.tail(key)}")

    def kill(self, key):
        self.procs[key].send_signal(signal.SIGKILL)
        self.procs[key].wait()

    def stop(self, key, seconds=30):
        p = self.procs.pop(key)
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
        try:
            code = p.wait(seconds)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise SystemExit(f"{key} did not stop in {seconds} s:\n{self.tail(key)}")
        if code != 0:
            raise SystemExit(f"{key} ended with {code}:\n{self.tail(key)}")

    def close(self, keep=False):
        for p in self.procs.values():
            if p.poll() is None:
                p.kill()
            p.wait()
        if not keep:
            subprocess.run(["rm", "-rf", self.work], check=False)

    # --- source, workload, checker -----------------------------------------------------------------------------------------

    def sql(self, text):
        import pymysql
        db = pymysql.connect(host="127.0.0.1", port=self.port, user="root", password="", autocommit=True, charset="utf8mb4")
        with db.cursor() as c:
            out = None
            for one in [t.strip() for t in text.split(";\n")]:
                one = "\n".join(line for line in one.split("\n") if not line.strip().startswith("--")).strip().rstrip(";")
                if one:
                    c.execute(one)
                    out = c.fetchall()
        db.close()
        return out

    def fresh_schema(self):
        self.sql("DROP DATABASE IF EXISTS shop")
        with open(os.path.join(TREE, "integration", "workload", "schema.sql"), encoding="utf-8") as f:
            self.sql(f.read())

    def workload(self, **options):
        args = [f"--{k.replace('_', '-')}={v}" for k, v in options.items()]
        return self.helper(subprocess.Popen([PYTHON, os.path.join(TREE, "integration", "workload", "workload.py"), "--port",
                                             str(self.port), *args], stdout=subprocess.PIPE, text=True))

    def helper(self, process):
        """Has close() end it too, when the scenario ends before it does."""
        self.procs[f"helper {process.pid}"] = process
        return process

    def checker(self, check, *extra, background=False):
        args = [PYTHON, os.path.join(TREE, "tests", "checker", "checker.py"), check, "--source-port", str(self.port),
                "--silver", self.silver, "--database", self.database, "--objects" if check == "bronze" else "--s3-endpoint",
                self.objects if check == "bronze" else self.env["S3_ENDPOINT"], "--brokers", self.env["KAFKA_BOOTSTRAP"],
                "--registry", self.env["REGISTRY_URL"], "--prefix", self.name, *extra]
        if check == "bronze":
            args += ["--s3-endpoint", self.env["S3_ENDPOINT"]]
        if background:
            return self.helper(subprocess.Popen(args))
        return subprocess.run(args, check=False).returncode

    def caught_up(self, capture, mergers, seconds=600):
        """Waits until the source's present position is published and every merger is at its end, for a while."""
        out = subprocess.run([PILLION, "status", "-c", self.config, f"--admin.listen=127.0.0.1:{self.procs[capture].admin}",
                              "--wait-caught-up", str(seconds)], capture_output=True, text=True, check=False)
        if out.returncode != 0:
            raise SystemExit(f"capture did not catch up: {out.stdout}{out.stderr}\n{self.tail(capture)}")
        end, calm = time.monotonic() + seconds, 0
        while calm < 5:
            states = [self.status(m) for m in mergers]
            calm = calm + 1 if all(s and s["merge"]["caught_up"] for s in states) else 0
            for m in mergers:
                self.must_live(m)
            if time.monotonic() > end:
                raise SystemExit(f"the mergers did not catch up in {seconds} s: {states}\n{self.tail(mergers[0])}")
            time.sleep(0.5)

    def cpu_and_memory(self, key):
        """CPU seconds and peak MiB of a process."""
        pid = self.procs[key].pid
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak / 1024
