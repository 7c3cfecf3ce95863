#!/usr/bin/env python3
"""secure: everything over TLS with verified identity and passwords: source (an account that requires TLS), Kafka (SASL_SSL with
PLAIN), documents; rows come through, wrong authorities, names and passwords are refused, and no secret is in any log, argument
list, error or page.

The passwords come from files and from the environment. PILLION_SOURCE: which servers."""
import glob
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from rig import PILLION, Rig  # noqa: E402

# What must not be seen anywhere: the servers' passwords, and some that are wrong or that nobody asks for.
SECRETS = {"source": "tlspw", "kafka": os.environ["KAFKA_SASL_PASSWORD"], "registry": "Registry+Secret/1=", "admin": "Admin-Token-0123456789abcdef",
           "wrong": "Wrong-Secret-4711"}
FAILED = []


def claim(what, good, why=""):
    print(f"{'ok    ' if good else 'FAILED'} {what}{'' if good else ': ' + str(why)[-1200:]}", flush=True)
    if not good:
        FAILED.append(what)


def shown(text):
    """The secrets that a text has."""
    return [name for name, s in SECRETS.items() if s in text or urllib.parse.quote(s, safe="") in text]


def expect(what, args, codes, *words, env=None, seconds=90):
    """Runs pillion: exit code, words (regular expressions) that it says, no secret."""
    try:
        p = subprocess.run([PILLION, *args], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False,
                           timeout=seconds, env={**os.environ, **(env or {})})
        said, rc = p.stdout + p.stderr, p.returncode
    except subprocess.TimeoutExpired as e:
        said, rc = f"(it did not end) {e.stderr}", None
    missing = [w for w in words if not re.search(w, said, re.S | re.I)]
    claim(what, rc in codes and not missing and not shown(said), f"exit {rc}, wanted {codes}; not said: {missing}; secrets: {shown(said)}\n{said}")
    return said


class OtherName:
    """A server under an address that its certificate does not name: forwards 127.0.0.2 to where it listens."""

    def __init__(self, port):
        self.to = port
        self.s = socket.create_server(("127.0.0.2", 0))
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.s.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to))
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()


def other_authority(folder):
    """A certificate authority that signed nothing here."""
    path = os.path.join(folder, "other-ca.crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Another authority", "-keyout",
                    os.path.join(folder, "other-ca.key"), "-out", path], check=True, capture_output=True)
    return path


def arguments_of(processes):
    """The argument lists of processes and their threads' names, as ps shows them."""
    out = b""
    for p in processes:
        for name in [f"/proc/{p.pid}/cmdline", *glob.glob(f"/proc/{p.pid}/task/*/comm")]:
            with open(name, "rb") as f:
                out += f.read() + b"\n"
    return out.decode(errors="replace")


def page(port, path, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def settings(rig):
    mongo = urllib.parse.urlsplit(os.environ["MONGODB_TLS_URI"])
    s, ca = rig.settings, os.environ["TLS_CA"]
    s["source"].update(user="tls", password_file=rig.secret("tls", SECRETS["source"]), tls={"mode": "verify-identity", "ca": ca})
    s["kafka"] = {"brokers": os.environ["KAFKA_SASL_BOOTSTRAP"], "security": "sasl_ssl", "tls": {"ca": ca},
                  "sasl": {"mechanism": "PLAIN", "username": os.environ["KAFKA_SASL_USER"]}}  # its password is in the environment
    s["registry"].update(username="someone", password_file=rig.secret("registry", SECRETS["registry"]))
    s["documents"].update(url=f"mongodb://{mongo.hostname}:{mongo.port}/?authSource=admin&tls=true", tls={"ca": ca})
    s["admin"] = {"token_file": rig.secret("admin", SECRETS["admin"])}
    s["log"]["level"] = "debug"
    rig.write_config()
    return {"PILLION_KAFKA_SASL_PASSWORD": SECRETS["kafka"]}, mongo


def good_way(rig, env):
    """Rows from an account that requires TLS to silver, everything encrypted."""
    expect("check", ["check", "-c", rig.config, "--admin.listen=off"], (0,), env=env)
    rig.start("run", "run", **env)
    rig.wait_ready(["run"])
    rig.sql("INSERT INTO shop.users(id,type,name) VALUES(1,'client','a'),(2,'driver','b');\nINSERT INTO shop.users_ever VALUES (1),(2);\n"
            "INSERT INTO shop.rides(id,client_id,driver_id,status,pickup) VALUES(10,1,2,'accepted','x'),(11,7,NULL,'requested','y')")
    args = arguments_of(rig.procs.values())
    port, end = rig.procs["run"].admin, time.monotonic() + 60
    while True:
        code, text = page(port, "/metrics", SECRETS["admin"])
        applied = sum(float(n) for n in re.findall(r'pillion_merge_outcome_total\{[^}]*"applied"[^}]*\} (\S+)', text))
        parked = sum(float(n) for n in re.findall(r'pillion_merge_outcome_total\{[^}]*"parked"[^}]*\} (\S+)', text))
        if code == 200 and applied + parked >= 4:
            break
        rig.must_live("run")
        if time.monotonic() > end:
            claim("rows come through", False, f"{code} {text[-500:]}\n{rig.tail('run')}")
            break
        time.sleep(0.3)
    claim("silver equals the source", rig.checker("silver") == 0)
    claim("topics equal the source", rig.checker("topics") == 0)
    for path in ("/metrics", "/status"):
        claim(f"{path} needs the token", page(port, path)[0] == 401 and page(port, path, SECRETS["wrong"])[0] == 401, page(port, path))
    pages = "".join(page(port, p, SECRETS["admin"])[1] for p in ("/", "/metrics", "/status", "/healthz", "/readyz", "/nothing"))
    claim("no secret on the pages", not shown(pages), shown(pages))
    claim("no secret among the arguments", not shown(args), args)
    # Why a row waits, asked of the stores
    expect("why", ["why", "rides", "11", "-c", rig.config, "--admin.listen=off"], (0, 1), env=env)
    rig.stop("run")


def refusals(rig, env, mongo, source):
    other = other_authority(rig.work)
    wrong = rig.secret("wrong", SECRETS["wrong"])
    common = ["-c", rig.config, "--admin.listen=off"]
    capture, merge = ["capture", *common, "--until-caught-up"], ["merge", *common, "--until-caught-up"]
    open_kafka = os.path.join(rig.work, "open.yaml")
    with open(open_kafka, "w", encoding="utf-8") as f:
        json.dump({**rig.settings, "kafka": {"brokers": os.environ["KAFKA_BOOTSTRAP"], "security": "plaintext"}}, f)
    plain = ["capture", "-c", open_kafka, "--admin.listen=off", "--until-caught-up"]
    quick = ["--source.connect_timeout=5s"]

    expect(f"{source}: verify-ca", [*capture, "--source.tls.mode=verify-ca"], (0,), env=env)
    for mode in ("verify-ca", "verify-identity"):
        expect(f"{source}: {mode}, another authority", [*capture, *quick, f"--source.tls.mode={mode}", f"--source.tls.ca={other}"], (2, 3), "source.tls.ca|certificate", env=env)
    with OtherName(rig.port) as proxy:
        at = ["--source.host=127.0.0.2", f"--source.port={proxy.port}"]
        expect(f"{source}: verify-identity, another host's certificate", [*capture, *quick, *at], (2, 3), "source.tls|certificate", env=env)
        expect(f"{source}: required, another host's certificate", [*capture, *quick, *at, "--source.tls.mode=required"], (0,), env=env)
    expect(f"{source}: an account that requires TLS, without", [*capture, "--source.tls.mode=off"], (2,), "source.tls", env=env)
    expect(f"{source}: wrong password over TLS", [*capture, f"--source.password_file={wrong}"], (2,), "source.password", env=env)
    expect(f"{source}: no such CA file", [*capture, "--source.tls.ca=/nonexistent/ca.pem"], (2, 3), "/nonexistent/ca.pem|source.tls.ca", env=env)
    if source != os.environ.get("PILLION_SOURCE", "mariadb mysql").split()[0]:
        return  # the rest has nothing to do with the source
    expect("Kafka: another authority", [*capture, f"--kafka.tls.ca={other}"], (2, 3), "kafka.tls.ca|certificate", env=env)
    with OtherName(int(os.environ["KAFKA_SASL_BOOTSTRAP"].rpartition(":")[2])) as proxy:
        expect("Kafka: another host's certificate", [*capture, f"--kafka.brokers=127.0.0.2:{proxy.port}"], (2, 3), "certificate|kafka.tls", env=env)
    expect("Kafka: wrong password", capture, (2,), "kafka.sasl.password", env={"PILLION_KAFKA_SASL_PASSWORD": SECRETS["wrong"]})
    expect("Kafka: TLS expected, plain port", [*capture, f"--kafka.brokers={os.environ['KAFKA_BOOTSTRAP']}"], (2, 3), "kafka.security|TLS|SSL", env=env)
    expect("Kafka: plain, TLS port", [*plain, f"--kafka.brokers={os.environ['KAFKA_SASL_BOOTSTRAP']}"], (3,), "kafka")
    scram(capture, common, env)
    kafka_ok = merge
    expect("MongoDB: another authority", [*kafka_ok, f"--documents.tls.ca={other}"], (2, 3), "MongoDB", "documents.tls.ca|certificate", env=env)
    with OtherName(mongo.port) as proxy:
        expect("MongoDB: another host's certificate", [*kafka_ok, f"--documents.url=mongodb://127.0.0.2:{proxy.port}/?authSource=admin&tls=true"], (2, 3),
               "MongoDB", "certificate|documents", env=env)
    expect("MongoDB: wrong password", [*kafka_ok, f"--documents.password_file={wrong}"], (2, 3), "documents.password|MongoDB", env=env)
    expect("MongoDB: a password in the address", [*kafka_ok, f"--documents.url=mongodb://cdc:{SECRETS['wrong']}@localhost:{mongo.port}/"], (2,), "documents", env=env)
    for key in ("source.password", "kafka.sasl.password", "documents.password", "objects.secret_key", "registry.password", "admin.token"):
        expect(f"a secret as an argument: {key}", [*capture, f"--{key}={SECRETS['wrong']}"], (2,), re.escape(key), env=env)
    expect("a password in the registry's address", [*capture, f"--registry.url=http://u:{SECRETS['wrong']}@127.0.0.1:1/"], (2,), "registry", env=env)
    loose = rig.secret("loose", SECRETS["wrong"])
    expect("check names what is wrong, without the secrets", ["check", *common, f"--source.password_file={loose}", f"--documents.password_file={loose}",
                                                             f"--kafka.tls.ca={other}"], (1, 2, 3), "source", "kafka", env=env)
    # the open listener is another way to the same broker; without its login nothing of the above was Kafka's doing
    expect("Kafka: the open listener", plain, (0,))


def scram(capture, common, env):
    """librdkafka before 2.6.1 repeats the client's nonce, which Kafka 4 refuses: then the sentence that names the pair."""
    said = subprocess.run([PILLION, "check", *common, "--only", "kafka"], capture_output=True, text=True, check=False, env={**os.environ, **env}).stdout
    found = re.search(r"librdkafka (\d+)\.(\d+)\.(\d+)", said)
    claim("check names librdkafka's version", found, said)
    old = found and tuple(int(n) for n in found.groups()) < (2, 6, 1)
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        if old:
            expect(f"{mechanism}: the known pair is named", [*capture, f"--kafka.sasl.mechanism={mechanism}"], (2,),
                   "librdkafka .* cannot use SCRAM with Kafka 4", "2\\.6\\.1", "PLAIN", "kafka\\.sasl\\.password", env=env)
            expect(f"{mechanism}: check names it too", ["check", *common, "--only", "kafka", f"--kafka.sasl.mechanism={mechanism}"], (1, 2, 3),
                   "SCRAM with Kafka 4", env=env)
        else:
            expect(mechanism, [*capture, f"--kafka.sasl.mechanism={mechanism}"], (0,), env=env)
            expect(f"{mechanism}: wrong password", [*capture, f"--kafka.sasl.mechanism={mechanism}"], (2,), "kafka.sasl",
                   env={"PILLION_KAFKA_SASL_PASSWORD": SECRETS["wrong"]})


def run(source):
    print(f"--- {source}", flush=True)
    rig = Rig(f"secure-{source}-", source=source)
    try:
        rig.fresh_schema()
        env, mongo = settings(rig)
        rig.settings["source"]["start"] = "latest"
        rig.write_config()
        good_way(rig, env)
        refusals(rig, env, mongo, source)
        for log in glob.glob(os.path.join(rig.logs, "*.log")):
            with open(log, encoding="utf-8", errors="replace") as f:
                text = f.read()
            claim(f"{source}: no secret in {os.path.basename(log)} ({len(text.splitlines())} lines)", not shown(text), shown(text))
    finally:
        rig.close(keep=os.environ.get("PILLION_KEEP") == "1")


def main():
    for source in os.environ.get("PILLION_SOURCE", "mariadb mysql").split():
        run(source)
    print(f"{len(FAILED)} failed" + "".join(f"\n  {f}" for f in FAILED), flush=True)
    return bool(FAILED)


if __name__ == "__main__":
    sys.exit(main())
