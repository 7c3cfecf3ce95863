#!/usr/bin/env python3
"""manual: makes the manual page src/cmd/pillion.1 from what the program itself says: its list of commands, the help of each,
and the options of the configuration.

    manual.py PROGRAM > src/cmd/pillion.1
"""
import os
import re
import subprocess
import sys
import textwrap


def say(program, *words):
    """What the program prints, in an environment without settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PILLION_")}
    run = subprocess.run([program, *words], stdout=subprocess.PIPE, env=environment, timeout=60)
    if run.returncode != 0:
        raise SystemExit(f"manual: {program} {' '.join(words)} ends with {run.returncode}")
    return run.stdout.decode()


def commands_of(program):
    """[(name, summary)] from `pillion --help`."""
    listing = say(program, "--help").split("Commands:\n")[1].split("\n\n")[0]
    return [tuple(re.match(r"  (\S+)\s+(.*)", line).groups()) for line in listing.splitlines()]


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def paragraph(text):
    lines = textwrap.wrap(text, 110, break_on_hyphens=False, break_long_words=False)
    return [roff(line) for line in lines]


def item(name, text):
    return [".TP", f"\\fB{roff(name)}\\fR"] + paragraph(text)


def help_of(text):
    """The help of a command: usage lines, paragraphs, and options or arguments indented by two blanks."""
    out, words, entry = [], [], None

    def flush():
        nonlocal words, entry
        if entry:
            out.extend(item(*entry))
        elif words:
            out.extend([".PP"] + paragraph(" ".join(words)))
        words, entry = [], None

    lines = text.split("\n")
    usage = [re.sub(r"^(Usage: |       )", "", line) for line in lines[:lines.index("")]]
    out += [".nf"] + [roff(line) for line in usage] + [".fi"]
    for line in lines[lines.index(""):]:
        option = re.match(r"  (\S.*?)   *(\S.*)$", line)
        if option:
            flush()
            entry = option.groups()
        elif entry and line.startswith("   "):
            entry = (entry[0], entry[1] + " " + line.strip())
        elif not line:
            flush()
        else:
            if entry:
                flush()
            words.append(line.strip())
    flush()
    return out


def options_of(text):
    """The options of the configuration, by section."""
    out = []
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if re.match(r"  --", line):
            name, kind = re.match(r"  (\S+(?: \S+)*?)(?:  \((.*)\))?$", line).groups()
            words = []
            while number < len(lines) and lines[number].startswith("      "):
                words.append(lines[number].strip())
                number += 1
            out += item(name, " ".join(words) + (f" ({kind})" if kind else ""))
        elif re.match(r"\S.*:$", line):
            out += [".SS " + roff(line[:-1])]
    return out


def page(program):
    commands = commands_of(program)
    out = ['.\\" Made from the help of the program; the target `documents` makes it anew.',
           f'.TH PILLION 1 "" "{roff(say(program, "--version").strip())}" "User Commands"',
           ".SH NAME", "pillion \\- replicates row changes of MySQL and MariaDB to Kafka, MongoDB and S3",
           ".SH SYNOPSIS", ".B pillion", "\\fICOMMAND\\fR [\\fIOPTIONS\\fR]",
           ".SH DESCRIPTION"]
    out += paragraph("Pillion reads the binlog of a MySQL or MariaDB server, publishes every committed row change as an Avro "
                     "change event to Kafka, and merges those topics into raw (bronze) and clean (silver) data in MongoDB and "
                     "S3-compatible storage, so that no row is ever visible in silver before the rows that it refers to. What "
                     "refers to what is declared in data contracts.")
    out += [".SH COMMANDS"]
    for name, summary in commands:
        out += [f".SS pillion {name}"] + paragraph(summary[0].upper() + summary[1:] + ".") + [".PP"]
        out += help_of(say(program, name, "--help"))
    out += [".SH CONFIGURATION"]
    out += paragraph("Each option is a flag, a key of the YAML file (source.host: host below source) and an environment variable "
                     "(PILLION_SOURCE_HOST). Flags are stronger than the environment, the environment than the file. The value "
                     "that is shown is the default. A secret X is given as X_file, the path of a file that holds it, or in the "
                     "environment, never as a flag.")
    out += options_of(say(program, "help", "options"))
    out += [".SH EXIT STATUS"]
    for code, text in (("0", "Done."), ("1", "A check found violations, or data is not understood."),
                       ("2", "Bad usage, configuration or contract."),
                       ("3", "Something could not be reached, or going on would break a promise."),
                       ("70", "A fault of Pillion; the log names its place.")):
        out += item(code, text)
    out += [".SH ENVIRONMENT"]
    out += item("PILLION_CONFIG", "The configuration, where -c is not given.")
    out += item("PILLION_SECTION_OPTION", "Any option of the configuration: PILLION_SOURCE_TLS_MODE is source.tls.mode. A secret "
                "may be given as PILLION_SOURCE_PASSWORD, or as PILLION_SOURCE_PASSWORD_FILE.")
    out += [".SH FILES"]
    out += paragraph("Below the folder of the installation:")
    for name, text in (("share/pillion/pillion.example.yaml", "Every option with its default and meaning."),
                       ("share/pillion/contracts", "Example data contracts: users and rides."),
                       ("share/pillion/schemas", "The Avro schemas that are fixed, and those of the example contracts.")):
        out += item(name, text)
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: manual.py PROGRAM")
    sys.stdout.write(page(sys.argv[1]))
