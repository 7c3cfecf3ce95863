#!/usr/bin/env python3
"""test_lint: plants one violation of each rule in a small tree and looks whether lint.py finds it, at its place, and nothing in
the tree without it."""
import os
import stat
import sys
import tempfile
import unittest

import lint
import manual

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

GOOD = {
    "README.md": "# x\n[y](src/README.md) [z](https://example.com/)\n",
    "src/README.md": "# x\n",
    "tests/README.md": "# x\n",
    "integration/README.md": "# x\n",
    "integration/pillion.example.yaml": "made example\n",
    "src/config/REFERENCE.md": "made reference\n",
    "src/cmd/pillion.1": "made by write_tree\n",
    ".clang-format": lint.Tree(REPOSITORY).read(".clang-format"),
    "src/LAYERS": "# comment\nbase:\nmodel: base\nmysql: base model\ncmd: base model mysql\n",
    "src/main.c": '/* main: it. */\n#include "cmd/go.h"\n',
    "src/base/mem.h": "/* mem: memory. */\n#ifndef PILLION_BASE_MEM_H\n#define PILLION_BASE_MEM_H\n\nvoid *xmalloc(int);\n\n#endif\n",
    "src/base/mem.c": '#include "base/mem.h"\n\n#include <stdlib.h>\n\nvoid *xmalloc(int n)\n{\n    return malloc((size_t)n);\n}\n',
    "src/model/thing.h": '/* thing: a thing, not sprintf(). */\n#ifndef PILLION_MODEL_THING_H\n#define PILLION_MODEL_THING_H\n\n'
                         '#include "base/mem.h"\n\n#endif\n',
    "src/cmd/go.h": '/* go: goes. */\n#ifndef PILLION_CMD_GO_H\n#define PILLION_CMD_GO_H\n\n#include "mysql/x.h"\n\n#endif\n',
    "src/mysql/x.h": "/* x: x. */\n#ifndef PILLION_MYSQL_X_H\n#define PILLION_MYSQL_X_H\n\n#include <mysql.h>\n\n#endif\n",
    "src/cmd/go.c": '/* go: goes. */\n#include "cmd/go.h"\n\nint go(struct o *o)\n{\n    fail("go on: "\n         "set a.b.");\n    return o->a_b + count(M_A);\n}\n',
    "tests/unit/base/test_mem.c": "/* test_mem: tests. */\nint x;\n",
}

# check, file, its contents (None: removed), what must be told
PLANTED = [
    ("layers", "src/base/mem.c", '#include "model/thing.h"\n', "src/base/mem.c:1: base must not include model/"),
    ("layers", "src/main.c", '\n#include "base/mem.h"\n', "src/main.c:2: main.c must not include base/"),
    ("layers", "src/model/y.h", '#include "thing.h"\n', 'src/model/y.h:1: write "folder/file.h"'),
    ("layers", "src/model/y.h", '#  include <mysql.h>\n', "src/model/y.h:1: <mysql.h> belongs to mysql/ alone"),
    ("layers", "src/model/y.h", '#include <librdkafka/rdkafka.h>\n', "src/model/y.h:1: <librdkafka> belongs to kafka/ alone"),
    ("layers", "src/other/y.h", "\n", "src/other/y.h:1: the folder other has no line"),
    ("layers", "src/LAYERS", "base: model\nmodel: base\nmysql: base model\ncmd: base model mysql\n",
     "src/LAYERS:1: base includes model, which must be declared above it"),
    ("banned", "src/base/y.c", "void f(char *s)\n{\n    strcpy(s, s);\n}\n", "src/base/y.c:3: strcpy is banned"),
    ("banned", "src/base/y.c", "int f(void)\n{\n    return system (0);\n}\n", "src/base/y.c:3: system is banned"),
    ("banned", "src/model/y.c", "int x = atoi(0);", "src/model/y.c:1: atoi is banned"),
    ("banned", "src/model/y.c", "int x = printf(0);", "src/model/y.c:1: printf is banned"),
    ("banned", "src/model/y.c", "int *x = malloc(0);", "src/model/y.c:1: malloc is banned"),
    ("banned", "src/model/y.c", "int x = f(exit(0));", "src/model/y.c:1: exit is banned"),
    ("banned", "src/model/y.c", "int x = !getenv(0);", "src/model/y.c:1: getenv is banned"),
    ("banned", "src/cmd/y.c", "/* a\n b */ int *x = calloc(1, 1);", "src/cmd/y.c:2: calloc is banned"),
    ("size", "src/base/y.c", "\n" * 701, "src/base/y.c:701: 701 lines"),
    ("size", "integration/y.sh", "\n" * 701, "integration/y.sh:701: 701 lines"),
    ("headers", "src/base/y.h", "#ifndef PILLION_BASE_Y_H\n#define PILLION_BASE_Y_H\n#endif\n", 'src/base/y.h:1: begin with "/* y: '),
    ("headers", "src/base/y.h", "/* z: z. */\n#ifndef PILLION_BASE_Y_H\n#define PILLION_BASE_Y_H\n#endif\n",
     "src/base/y.h:1: the first comment is about z"),
    ("headers", "src/base/y.h", "/* y: y. */\n#ifndef PILLION_Y_H\n#define PILLION_Y_H\n#endif\n",
     "src/base/y.h:1: the include guard must be PILLION_BASE_Y_H"),
    ("headers", "src/base/y.h", "/* y: y. */\n#pragma once\n", "src/base/y.h:1: the include guard must be"),
    ("headers", "src/base/y.c", "int x;\n", 'src/base/y.c:1: begin with "/* y: '),
    ("headers", "tests/unit/base/test_mem.c", "/* test_buf: tests. */\n", "tests/unit/base/test_mem.c:1: the first comment is about"),
    ("format", "src/base/y.c", "int  x ;\n", "src/base/y.c:1: code should be clang-formatted"),
    ("paths", "integration/y.sh", "cd /ro" + "ot/x\n", "integration/y.sh:1: "),
    ("paths", "src/base/y.c", "\n/* /wo" + "rk/main/src */\n", "src/base/y.c:2: "),
    ("paths", "README.md", "in /ho" + "me/me/x\n", "README.md:1: "),
    ("hosts", "integration/y.sh", "curl https://py" + "pi.org/simple\n", "integration/y.sh:1: "),
    ("hosts", "integration/Dockerfile", "ENV X=proxy.go" + "lang.org\n", "integration/Dockerfile:1: "),
    ("words", "src/base/y.c", "/* TO" + "DO */\n", "src/base/y.c:1: "),
    ("words", "integration/README.md", "see iss" + "ues show 3\n", "integration/README.md:1: "),
    ("readmes", "docker/Dockerfile", "FROM x\n", "docker:1: has no README.md"),
    ("readmes", "README.md", None, "README.md:1: is missing"),
    ("sources", "src/base/y.c", "int x;\n", "src/base/y.c:1: has no tests/unit/base/test_y.c"),
    ("sources", "src/base/y.def", "X(y)\n", "src/base/y.def:1: no file includes it"),
    ("options", "src/config/options.def", 'OPTION(INT, a_b, "a.b")\n\nOPTION(INT, a_c, "a.c")\n',
     "src/config/options.def:3: nothing uses a_c"),
    ("remedies", "src/config/options.def", 'OPTION(INT, a_b, "a.b_d")\n', "src/cmd/go.c:6: there is no option a.b"),
    ("metrics", "src/base/metric.def", "METRIC(M_A, COUNTER)\nMETRIC(M_B, COUNTER)\n", "src/base/metric.def:2: nothing counts M_B"),
    ("links", "README.md", "\n[x](src/none.md) [y](http://example.com/)\n", "README.md:2: src/none.md is not there"),
    ("links", "src/README.md", "`base/mem.h` and `base/none.h`\n", "src/README.md:1: base/none.h is not there"),
    ("documents", "integration/pillion.example.yaml", "made examples\n", "integration/pillion.example.yaml:1: differs"),
    ("documents", "src/config/REFERENCE.md", "made reference\nmore\n", "src/config/REFERENCE.md:2: differs"),
    ("documents", "src/config/REFERENCE.md", None, "src/config/REFERENCE.md:1: differs"),
    ("manual", "src/cmd/pillion.1", '.\\" Made by hand.\n', "src/cmd/pillion.1:1: differs"),
    ("manual", "src/cmd/pillion.1", None, "src/cmd/pillion.1:1: differs"),
]


# A program with one command and one option.
PROGRAM = r"""#!/bin/sh
case "$*" in
--version) echo 'pillion 9' ;;
--help) printf 'Usage: pillion COMMAND\n\nCommands:\n  go   goes\n\nMore.\n' ;;
'go --help') printf 'Usage: pillion go [-f]\n       pillion go away\n\nIt goes.\nFar.\n\n  -f, --fast  soon\n              there\n\nExit codes: 0.\n' ;;
'help options') printf 'Speed:\n  --go.speed=5  (integer)\n      How fast\n      it goes.\n' ;;
*) exit 2 ;;
esac
"""


def write_program(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def write_tree(root, files):
    """Gives the programs that write the documents."""
    documents = write_program(os.path.join(root, "documents.sh"), "#!/bin/sh\necho \"made $1\"\n")
    program = write_program(os.path.join(root, "pillion.sh"), PROGRAM)
    if files.get("src/cmd/pillion.1") == GOOD["src/cmd/pillion.1"]:
        files = {**files, "src/cmd/pillion.1": manual.page(program)}
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    return documents, program


class Planted(unittest.TestCase):
    def findings(self, check, files):
        with tempfile.TemporaryDirectory(prefix="pillion-lint-") as root:
            return lint.run(check, root, *write_tree(root, files))

    def test_good_tree_is_clean(self):
        for check in lint.CHECKS:
            with self.subTest(check=check):
                self.assertEqual(self.findings(check, GOOD), [])

    def test_violations_are_found(self):
        for check, name, text, told in PLANTED:
            with self.subTest(check=check, file=name, told=told):
                files = {n: t for n, t in {**GOOD, name: text}.items() if t is not None}
                found = self.findings(check, files)
                self.assertTrue(any(f.startswith(told) for f in found), f"{told!r} is not in {found}")

    def test_every_check_has_a_violation(self):
        self.assertEqual(sorted({row[0] for row in PLANTED}), sorted(lint.CHECKS))

    def test_the_manual_holds_what_the_program_says(self):
        with tempfile.TemporaryDirectory(prefix="pillion-lint-") as root:
            page = manual.page(write_tree(root, GOOD)[1])
        for part in ('.TH PILLION 1 "" "pillion 9"', ".SS pillion go\nGoes.\n", ".nf\npillion go [\\-f]\npillion go away\n.fi\n",
                     ".PP\nIt goes. Far.\n", ".TP\n\\fB\\-f, \\-\\-fast\\fR\nsoon there\n", ".PP\nExit codes: 0.\n",
                     ".SS Speed\n.TP\n\\fB\\-\\-go.speed=5\\fR\nHow fast it goes. (integer)\n"):
            self.assertIn(part, page)

    def test_words_in_comments_and_strings_are_no_calls(self):
        files = {**GOOD, "src/model/y.c": '/* y: malloc(1), then\n   exit(1) */\nconst char *x = "system(\\"x\\")"; // gets(x)\n'
                                          "int my_malloc(int);\nint z(void)\n{\n    return ops->system(1) + my_malloc(2);\n}\n"}
        self.assertEqual(self.findings("banned", files), [])


if __name__ == "__main__":
    sys.exit(unittest.main())
