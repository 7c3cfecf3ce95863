#!/usr/bin/env python3
"""lint: the rules of this repository that a machine can look after.

    lint.py CHECK [--root FOLDER] [--documents PROGRAM] [--program PILLION]

Each check is one function below; its first line says what it looks for. Findings go to standard output as file:line: text,
and the exit code is 1 when there are any. Nothing but Python's own library and, for `format`, clang-format 14 is needed.
test_lint.py plants a violation of every rule and looks whether it is found.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

import manual

CODE = (".c", ".h")
SCRIPTS = (".py", ".sh")
TEXT = CODE + SCRIPTS + (".md", ".def", ".txt", ".cmake", ".json", ".yaml", ".yml", ".sql", ".cfg", ".toml", ".avsc", "")
LINES_MAX = 700


def files_of(root):
    """The files that belong to the repository: those of git where there is one, else all but build folders."""
    if os.path.exists(os.path.join(root, ".git")):
        out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], check=True,
                             stdout=subprocess.PIPE).stdout
        names = [n for n in out.decode().split("\0") if n]
        return sorted(n for n in names if os.path.isfile(os.path.join(root, n)))
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f != ".git" and not f.startswith("build") and f != "__pycache__"]
        found += [os.path.relpath(os.path.join(folder, n), root) for n in names]
    return sorted(found)


class Tree:
    def __init__(self, root, documents=None, program=None):
        self.root = root
        self.documents = documents
        self.program = program
        self.files = files_of(root)
        self.findings = []

    def read(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def find(self, name, line, text):
        self.findings.append(f"{name}:{line}: {text}")

    def under(self, folder, endings):
        return [n for n in self.files if n.startswith(folder) and n.endswith(endings)]

    def texts(self):
        """Every file of words: all but fixtures and other bytes."""
        for name in self.files:
            if name.startswith("tests/lint/") or os.path.splitext(name)[1] not in TEXT:
                continue
            with open(os.path.join(self.root, name), "rb") as f:
                if b"\0" not in f.read(4096):
                    yield name


def without_comments(text, strings=False):
    """The code alone, with its line breaks, so that line numbers stay."""
    def blank(match):
        s = match.group(0)
        if s[0] in "\"'" and strings:
            return s
        keep = s[0] + s[-1] if s[0] in "\"'" else " "
        return keep + "\n" * s.count("\n")
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def numbered(text):
    return enumerate(text.split("\n"), 1)


def folder_of(name):
    parts = name.split("/")
    return parts[1] if len(parts) > 2 else ""


def read_layers(tree):
    arrows = {}
    for line in tree.read("src/LAYERS").splitlines():
        m = re.match(r"([a-z]+):(.*)$", line)
        if m and not line.startswith("#") and m.group(1) != "folder":
            arrows[m.group(1)] = m.group(2).split()
    return arrows


def check_layers(tree):
    """Every #include follows an arrow of src/LAYERS, arrows have no cycle, and a library's headers stay in their folder."""
    homes = {"mysql.h": {"mysql"}, "mysql": {"mysql"}, "mariadb": {"mysql"}, "librdkafka": {"kafka"}, "microhttpd.h": {"admin"},
             "yaml.h": {"config", "contract"}}
    arrows = read_layers(tree)
    done = set()
    for folder, targets in arrows.items():
        for target in targets:
            if target not in done:
                tree.find("src/LAYERS", 1, f"{folder} includes {target}, which must be declared above it")
        done.add(folder)
    for name in tree.under("src/", CODE + (".def",)):
        folder = folder_of(name)
        if folder and folder not in arrows:
            tree.find(name, 1, f"the folder {folder} has no line in src/LAYERS")
            continue
        allowed = set(arrows[folder]) | {folder} if folder else {"cmd"}
        for number, line in numbered(without_comments(tree.read(name), strings=True)):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m:
                target = m.group(1).split("/")[0]
                if "/" not in m.group(1) or m.group(1).startswith("."):
                    tree.find(name, number, f'write "folder/file.h" instead of "{m.group(1)}"')
                elif target not in allowed:
                    tree.find(name, number, f"{folder or 'main.c'} must not include {target}/ (src/LAYERS)")
            m = re.match(r"\s*#\s*include\s+<([^>/]+)", line)
            home = homes.get(m.group(1)) if m else None
            if home and folder not in home:
                tree.find(name, number, f"<{m.group(1)}> belongs to {' and '.join(sorted(home))}/ alone")


BANNED = [
    # names, where they are allowed (prefixes of paths), what to use
    ("strcpy strcat stpcpy sprintf vsprintf strncpy strncat gets", (), "use buf, snprintf or memcpy"),
    ("atoi atol atoll atof", (), "use strtoll and look at its end"),
    ("strtok mktemp tmpnam tempnam", (), "it is not safe"),
    ("system popen", (), "start no shell"),
    ("alloca", (), "the stack is no place for unknown sizes"),
    ("printf vprintf puts putchar perror", ("src/cmd/", "src/main.c"), "a library does not print; use base/log"),
    ("malloc calloc realloc reallocarray strdup strndup asprintf vasprintf", ("src/base/mem.c",), "use base/mem.h"),
    ("exit _exit _Exit quick_exit", ("src/cmd/", "src/main.c", "src/base/"), "return an error"),
    ("getenv secure_getenv", ("src/config/", "src/base/", "src/mysql/client_library.c"),
     "settings come from config/"),
    ("setenv putenv", (), "the environment is the caller's"),
]


def check_banned(tree):
    """Calls that are unsafe, or that belong to one folder only."""
    for name in tree.under("src/", (".c", ".h")):
        code = without_comments(tree.read(name))
        for names, allowed, remedy in BANNED:
            if name.startswith(allowed) and allowed:
                continue
            pattern = re.compile(r"(?<![\w.>])(" + "|".join(names.split()) + r")\s*\(")
            for number, line in numbered(code):
                for m in pattern.finditer(line):
                    tree.find(name, number, f"{m.group(1)} is banned here: {remedy}")


def check_size(tree):
    """Files of at most 700 lines."""
    for name in tree.under("", CODE + SCRIPTS):
        count = tree.read(name).count("\n")
        if count > LINES_MAX:
            tree.find(name, count, f"{count} lines; split it by nouns ({LINES_MAX} at most)")


def check_headers(tree):
    """Guards and first lines: a header's first comment begins with the file's own name, and so does any other that has one."""
    for name in tree.under("", CODE):
        if not name.startswith(("src/", "tests/")):
            continue
        base, ending = os.path.splitext(os.path.basename(name))
        lines = tree.read(name).split("\n")
        m = re.match(r"/\* ([A-Za-z0-9_]+): ", lines[0])
        is_source_header = name.startswith("src/") and ending == ".h"
        has_header = name[:-2] + ".h" in tree.files
        if m and m.group(1) != base:
            tree.find(name, 1, f"the first comment is about {m.group(1)}, not about {base}")
        elif not m and (is_source_header or (name.startswith("src/") and ending == ".c" and not has_header)
                        and not name.startswith("src/cmd/")):
            tree.find(name, 1, f'begin with "/* {base}: what it is"')
        if is_source_header:
            guard = "PILLION_" + name[4:-2].replace("/", "_").upper() + "_H"
            text = "\n".join(lines)
            if f"#ifndef {guard}\n#define {guard}\n" not in text or not text.rstrip().endswith("#endif"):
                tree.find(name, 1, f"the include guard must be {guard}")


def check_format(tree):
    """clang-format 14 with the repository's .clang-format changes nothing."""
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode() if program else ""
    if not re.search(r"version 14\.", version):
        tree.find(".clang-format", 1, "clang-format 14 is needed (package clang-format-14)")
        return
    names = tree.under("src/", CODE) + tree.under("tests/", CODE)
    parts = [names[i::2] for i in range(2)]
    runs = [subprocess.Popen([program, "--dry-run", "--ferror-limit=1"] + part, cwd=tree.root, stderr=subprocess.PIPE)
            for part in parts if part]
    for run in runs:
        for line in run.communicate()[1].decode(errors="replace").splitlines():
            m = re.match(r"(.*?):(\d+):\d+: (?:warning|error): (.*)", line)
            if m:
                tree.find(m.group(1), int(m.group(2)), f"{m.group(3)}; run {os.path.basename(program)} -i")


def search(tree, patterns, remedy):
    for name in tree.texts():
        for number, line in numbered(tree.read(name)):
            for pattern in patterns:
                m = pattern.search(line)
                if m:
                    tree.find(name, number, f"\"{m.group(0)}\": {remedy}")


def check_paths(tree):
    """No path of the machine on which this was written."""
    search(tree, [re.compile(r"(?<![\w.}])/(?:root/|work/(?:main|shared|\.)|home/[a-z][a-z0-9_-]*)"),
                  re.compile(r"/tmp/b-[a-z]+")], "a path of one machine does not belong here")


def check_hosts(tree):
    """No host name of a package registry: where packages come from is the machine's setting."""
    hosts = ["pypi.org", "pythonhosted.org", "npmjs.org", "npmjs.com", "yarnpkg.com", "proxy.golang.org", "sum.golang.org",
             "repo1.maven.org", "repo.maven.apache.org", "packages.confluent.io", "crates.io", "rubygems.org", "nuget.org", "artifactory", "conda.io"]
    own = re.compile("|".join(r"(?<![\w-])(?:[\w-]+\.)*" + re.escape(h) for h in hosts), re.I)
    search(tree, [own], "take packages by their ordinary clients, without naming a host")


def check_words(tree):
    """No notes of unfinished work, and no name of a tool that only its writers have."""
    search(tree, [re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b"),
                  re.compile(r"\bissues show\b|\bfarm\b", re.I)], "finish it, or leave it out")


def check_readmes(tree):
    """A README.md in each top folder."""
    for folder in sorted({n.split("/")[0] for n in tree.files if "/" in n and not n.startswith(".")}):
        if f"{folder}/README.md" not in tree.files:
            tree.find(folder, 1, "has no README.md")
    if "README.md" not in tree.files:
        tree.find("README.md", 1, "is missing")


def compare(tree, name, made, source):
    made = made.split("\n")
    there = tree.read(name).split("\n") if name in tree.files else []
    for number in range(max(len(made), len(there))):
        if made[number:number + 1] != there[number:number + 1]:
            tree.find(name, number + 1, f"differs from {source}; build the target `documents`")
            break


def check_documents(tree):
    """The documents that are made from the tables are equal to what the tables make now."""
    for what, name in (("example", "integration/pillion.example.yaml"), ("reference", "src/config/REFERENCE.md")):
        made = subprocess.run([tree.documents, what], stdout=subprocess.PIPE, check=True).stdout.decode()
        compare(tree, name, made, "what the tables make")


def check_manual(tree):
    """The manual page is equal to what the program's own help makes now."""
    compare(tree, "src/cmd/pillion.1", manual.page(tree.program), "what the program says")


def check_links(tree):
    """What Markdown pages link to is there, and so are the headers that src/README.md follows."""
    for name in tree.under("", (".md",)):
        places = [os.path.dirname(name)]
        for number, line in numbered(tree.read(name)):
            targets = [t for t in re.findall(r"\]\(([^)#\s]+)", line) if "://" not in t]
            if name == "src/README.md":
                targets += re.findall(r"`([a-z_]+/[a-z0-9_]+\.(?:h|c|def))`", line)
            for target in targets:
                if not any(os.path.exists(os.path.join(tree.root, p, target)) for p in places):
                    tree.find(name, number, f"{target} is not there")


def check_options(tree):
    """Every option is used: by a command's wiring, or where options that depend on others are derived."""
    users = "".join(tree.read(n) for n in tree.under("src/cmd/", (".c",)) + tree.under("src/config/options_finish.c", (".c",)))
    for name in tree.under("src/config/options.def", (".def",)):
        for number, line in numbered(tree.read(name)):
            m = re.match(r"OPTION\(\w+, (\w+),", line)
            if m and not re.search(r"[.>]" + m.group(1) + r"\b", users):
                tree.find(name, number, f"nothing uses {m.group(1)}; an option that is quietly ignored is a lie")


def check_remedies(tree):
    """An option that a sentence of the program names is there: a remedy with a wrong name helps nobody."""
    names = set()
    for name in tree.under("src/config/options.def", (".def",)):
        names.update(re.findall(r'OPTION\(\w+, \w+,\s*"([^"]+)"', tree.read(name)))
    sections = sorted({n.partition(".")[0] for n in names if "." in n})
    for name in tree.under("src/", (".c",)) if sections else []:
        text = without_comments(tree.read(name), strings=True)
        for m in re.finditer(r'"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*', text):
            sentence = re.sub(r'"\s*"', "", m.group(0)).strip('"')
            for word in re.findall(rf"(?<![\w./<-])(?<!fault point )((?:{'|'.join(sections)})\.[a-z0-9_.]*[a-z0-9_])", sentence) if " " in sentence else []:
                option = word[:-5] if word.endswith("_file") else word
                if option not in names and not any(n.startswith(option + ".") for n in names):
                    tree.find(name, text.count("\n", 0, m.start()) + 1, f"there is no option {word}")


def check_metrics(tree):
    """Every metric is counted somewhere."""
    code = "".join(tree.read(n) for n in tree.under("src/", (".c",)))
    for name in tree.under("src/base/metric.def", (".def",)):
        for number, line in numbered(tree.read(name)):
            m = re.match(r"METRIC\((\w+),", line)
            if m and not re.search(r"\b" + m.group(1) + r"\b", code):
                tree.find(name, number, f"nothing counts {m.group(1)}")


def check_sources(tree):
    """Every file of src/base, src/config and src/admin that has code has its unit test; .def files are included somewhere."""
    all_code = "".join(tree.read(n) for n in tree.under("", CODE))
    for name in tree.under("src/", (".def",)):
        if f'"{name[4:]}"' not in all_code:
            tree.find(name, 1, "no file includes it")
    for name in tree.under("src/", (".c",)):
        folder, base = folder_of(name), os.path.splitext(os.path.basename(name))[0]
        if folder in ("base", "config", "admin") and not any(
                f"tests/unit/{folder}/test_{base[:n]}.c" in tree.files for n in range(1, len(base) + 1)):
            tree.find(name, 1, f"has no tests/unit/{folder}/test_{base}.c")


CHECKS = {n[6:]: f for n, f in globals().items() if n.startswith("check_")}


def run(check, root, documents=None, program=None):
    tree = Tree(root, documents, program)
    CHECKS[check](tree)
    return tree.findings


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="Looks after the rules of this repository.")
    parser.add_argument("check", choices=sorted(CHECKS))
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--documents", help="the program that writes the generated documents")
    parser.add_argument("--program", help="the program itself")
    args = parser.parse_args()
    if args.check == "documents" and not args.documents:
        parser.error("documents needs --documents")
    if args.check == "manual" and not args.program:
        parser.error("manual needs --program")
    findings = run(args.check, args.root, args.documents, args.program)
    for finding in findings:
        print(finding)
    if findings:
        print(f"{len(findings)} findings of {args.check}: {CHECKS[args.check].__doc__}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
