#!/usr/bin/env python3
"""test_program: installs the build BUILD into a temporary folder with CMAKE and asks what was installed: version VERSION, help,
mistakes on the command line, the example configuration, the one of the container."""
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD, CMAKE, VERSION = (os.environ[name] for name in ("BUILD", "CMAKE", "VERSION"))

# arguments, exit code, what standard error must say
MISTAKES = [
    ([], 2, "Usage: pillion COMMAND"),
    (["nosuch"], 2, "there is no command 'nosuch'; 'pillion --help' lists them."),
    (["help", "nosuch"], 2, "There is no command 'nosuch'"),
    (["help", "options", "nosuch"], 2, "has no section 'nosuch'"),
    (["help", "run", "capture"], 2, "There is no command"),
    (["run", "extra"], 2, "'extra' is an argument too many; 'pillion run --help'"),
    (["run", "--until-caugth-up"], 2, "did you mean --until-caught-up?"),
    (["run", "--source.hots=x"], 2, "did you mean --source.host?"),
    (["run", "--source.password=x"], 2, "give --source.password_file or the environment variable PILLION_SOURCE_PASSWORD"),
    (["run", "--source.port=0"], 2, "--source.port"),
    (["run", "-c"], 2, "-c needs the name of a file."),
    (["run", "-c", "/nonexistent/pillion.yaml"], 3, "/nonexistent/pillion.yaml cannot be opened"),
    (["capture"], 2, "mock://"),
    (["merge"], 2, "mock://"),
    (["decode"], 2, "Usage: pillion decode"),
    (["decode", "--cuont", "x"], 2, "did you mean --count?"),
    (["decode", "--source.host=x", "x"], 2, "There is no option --source.host=x; 'pillion decode --help' lists them."),
    (["decode", "/nonexistent/file"], 3, "/nonexistent/file cannot be opened"),
    (["check", "--only"], 2, "--only needs a value."),
    (["check", "--only", "nosuch"], 2, "--only takes contracts, source,"),
    (["status", "--wait-caught-up", "soon"], 2, "--wait-caught-up takes a whole number"),
    (["status", "--json=yes"], 2, "--json takes no value."),
    (["status", "--admin.listen=off"], 2, "admin.listen is off"),
    (["position"], 2, "Usage: pillion position"),
    (["position", "move"], 2, "Usage: pillion position"),
    (["position", "set"], 2, "needs one of --gtid and --at."),
    (["position", "set", "--gtid", "0-1-1", "--at", "a:4"], 2, "needs one of --gtid and --at."),
    (["position", "show", "--yes"], 2, "belong to 'position set'."),
    (["position", "set", "--at", "a:4", "--json"], 2, "--json belongs to 'position show'."),
    (["position", "show"], 2, "use 'pillion status'"),
    (["why", "rides"], 2, "Usage: pillion why"),
    (["why", "rides", "5", "6"], 2, "'6' is an argument too many"),
    (["parked"], 2, "Usage: pillion parked"),
    (["parked", "rm"], 2, "Usage: pillion parked"),
    (["parked", "ls", "--limit", "-1"], 2, "--limit takes a whole number from 0"),
]


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="pillion-install-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.prefix = os.path.join(cls.temporary.name, "usr")
        cls.work = os.path.join(cls.temporary.name, "work")
        os.mkdir(cls.work)
        subprocess.run([CMAKE, "--install", BUILD, "--prefix", cls.prefix], check=True, stdout=subprocess.DEVNULL)
        cls.environment = {k: v for k, v in os.environ.items() if not k.startswith("PILLION_")}

    def run_program(self, *words, **environment):
        return subprocess.run([os.path.join(self.prefix, "bin/pillion"), *words], cwd=self.work, timeout=60, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**self.environment, **environment})

    def commands(self):
        listing = self.run_program("--help").stdout.split("Commands:\n")[1].split("\n\n")[0]
        return [line.split()[0] for line in listing.splitlines()]

    def share(self, name):
        return os.path.join(self.prefix, "share/pillion", name)

    def test_what_is_installed(self):
        with open(os.path.join(self.prefix, "share/man/man1/pillion.1"), encoding="utf-8") as f:
            manual = f.read()
        for command in self.commands():
            self.assertIn(f"\n.SS pillion {command}\n", manual)
        for folder, ending in (("contracts", ".odcs.yaml"), ("schemas", ".avsc")):
            there = sorted(n for n in os.listdir(os.path.join(ROOT, folder)) if n.endswith(ending))
            self.assertTrue(there)
            self.assertEqual(sorted(n for n in os.listdir(self.share(folder)) if n.endswith(ending)), there)

    def test_version(self):
        for words in (["--version"], ["version"]):
            run = self.run_program(*words)
            self.assertEqual((run.returncode, run.stdout, run.stderr), (0, f"pillion {VERSION}\n", ""))

    def test_help_of_each_command(self):
        self.assertIn("run", self.commands())
        for words in [["--help"], ["-h"], ["help"]] + [[c, h] for c in self.commands() for h in ("--help", "-h")] + \
                [["help", c] for c in self.commands()]:
            with self.subTest(words=words):
                run = self.run_program(*words)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertTrue(run.stdout.startswith("Usage: pillion"), run.stdout[:80])
                self.assertTrue(run.stdout.endswith("\n"))
                self.assertLessEqual(max(map(len, run.stdout.splitlines())), 160)
                if len(words) == 2 and words[1] != "help":
                    self.assertRegex(run.stdout, r"Exit codes: 0 ")

    def test_options_are_listed(self):
        everything = self.run_program("help", "options").stdout
        for name in ("--source.host=", "--kafka.brokers=", "--merge.known_max=", "--admin.token_file="):
            self.assertIn(f"  {name}", everything)
        some = self.run_program("help", "options", "log", "admin").stdout
        self.assertEqual(sorted(set(re.findall(r"^  --([a-z]+)\.", some, re.M))), ["admin", "log"])

    def test_mistakes(self):
        for words, code, told in MISTAKES:
            with self.subTest(words=words):
                run = self.run_program(*words)
                self.assertEqual((run.returncode, run.stdout), (code, ""), run.stderr)
                self.assertIn(told, run.stderr)

    def check_contracts(self, config, *flags):
        run = self.run_program("check", "-c", config, "--only", "contracts", *flags)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        self.assertIn("2 tables in ", run.stdout)

    def test_the_example_configuration_works(self):
        self.check_contracts(self.share("pillion.example.yaml"), f"--contracts={self.share('contracts')}")

    def test_the_containers_configuration_works(self):
        """The one file of docker/, with its secrets elsewhere. What is refused without a word in it stays refused."""
        config = os.path.join(ROOT, "docker/pillion.yaml")
        with open(config, encoding="utf-8") as f:
            text = f.read()
        flags = [f"--contracts={os.path.join(ROOT, 'contracts')}"]
        for section, key in (("source", "password"), ("documents", "password"), ("objects", "secret_key"), ("admin", "token")):
            self.assertIn(f"  {key}_file: /run/secrets/", text)
            secret = os.path.join(self.temporary.name, f"{section}_{key}")
            with open(secret, "w", encoding="utf-8") as f:
                f.write("0123456789abcdef\n")
            flags.append(f"--{section}.{key}_file={secret}")
        self.check_contracts(config, *flags)

    def test_the_configuration_of_the_readme_works(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            block = re.search(r"^ *```yaml\n(.*?)^ *```", f.read(), re.M | re.S).group(1)
        secret = os.path.join(self.temporary.name, "readme")
        with open(secret, "w", encoding="utf-8") as f:
            f.write("0123456789abcdef\n")
        text, secrets = re.subn(r"/run/secrets/\w+", secret, textwrap.dedent(block))
        self.assertGreater(secrets, 0)
        config = os.path.join(self.work, "readme.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(text)
        self.check_contracts(config, f"--contracts={self.share('contracts')}")

    def test_the_readme_names_each_command(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            rows = "".join(line.split("|")[1] for line in f if line.startswith("| `pillion"))
        self.assertEqual(sorted(set(re.findall(r"`pillion (\w+)", rows))), sorted(self.commands()))

    def test_settings_are_layered(self):
        """Flag over environment over file, told by the refusal of the strongest."""
        config = os.path.join(self.work, "bad.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write("source:\n  port: 0\n")
        run = self.run_program("check", "-c", config, "--only", "contracts")
        self.assertEqual(run.returncode, 2)
        self.assertIn("bad.yaml:2", run.stderr)
        run = self.run_program("check", "--only", "contracts", PILLION_CONFIG=config)
        self.assertIn("bad.yaml:2", run.stderr)
        run = self.run_program("check", "--only", "contracts", PILLION_SOURCE_PORT="99999")
        self.assertIn("PILLION_SOURCE_PORT", run.stderr)

    def test_logs_as_json(self):
        run = self.run_program("capture", "--log.format=json")
        self.assertEqual(run.returncode, 2)
        self.assertIn("mock://", json.dumps(json.loads(run.stderr)))


if __name__ == "__main__":
    sys.exit(unittest.main())
