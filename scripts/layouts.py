#!/usr/bin/python3
"""layouts.py [--check] [--prefix PREFIX]... [NAME]...  measures where CPython keeps its fields.

Writes src/cpython/layout/table.rs and, for objects whose values are captured, the tables in
src/cpython/layout/objects: for each minor version a C program of offsetof() and sizeof() is
compiled against that version's own headers, internal ones included, and run. With --check nothing
is written: the exit code tells whether the tables are what the headers say.

The headers are those found on this machine: pyenv's, the system's, those of the Debians NAME,
which scripts/headers.sh brings, and those of CPythons installed at PREFIX. A version without
headers here keeps its entry. Several releases of one minor version must agree: all are measured,
and one that differs is an error, since the table has one entry per minor version (what patch
releases move has to come from the binary, then).

From 3.13 on, a version has a second entry: that of its free-threaded builds, whose headers are the
same with Py_GIL_DISABLED defined. It names what differs from the first. Headers that a free-threaded
build has installed (python3.Nt) are measured as such alone.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

from layout_fields import (
    FREE_THREADED,
    LAYOUT,
    OBJECTS,
    OBJECT_SIZES,
    OBJECT_WORDS,
    SIZES,
    VARIANTS,
    WORDS,
)

SCRIPTS = pathlib.Path(__file__).resolve().parent
HEADERS = SCRIPTS / "headers.sh"
LAYOUTS = SCRIPTS.parent / "src/cpython/layout"
MINORS = range(6, 16)
FREE_THREADED_MINORS = range(13, 16)


def internal(*names):
    return [f"internal/pycore_{name}.h" for name in names]


PUBLIC = ["Python.h", "frameobject.h"]
INCLUDES = {
    6: PUBLIC + ["longintrepr.h"],
    10: PUBLIC + ["longintrepr.h"] + internal("moduleobject"),
    11: PUBLIC + internal("frame", "code", "runtime", "dict", "moduleobject", "object"),
    13: PUBLIC + internal("frame", "code", "runtime", "dict", "moduleobject", "object",
                          "opcode_utils"),
    14: PUBLIC + internal("frame", "interpframe_structs", "code", "runtime", "debug_offsets",
                          "opcode_utils", "stackref", "dict", "moduleobject", "object"),
}

WRITTEN = """
//! Written by `scripts/layouts.py` from the versions' own headers: `make layouts` writes it again,
//! and `scripts/layouts.py --check` compares.
"""


SEPARATOR = "\f"


def since(by_minor, minor):
    """What holds for a minor version in a table of changes."""
    return by_minor[max(first for first in by_minor if first <= minor)]


def fields(spec, minor, indent, free_threaded):
    """The fields of a Rust struct, with C expressions in braces."""
    lines = []
    for name, by_minor in spec:
        if free_threaded:
            by_minor = FREE_THREADED.get(name, by_minor)
        value = since(by_minor, minor)
        if value is None:
            value = "None"
        elif value in VARIANTS:
            start, inner, end = VARIANTS[value]
            inner = fields(inner, minor, indent + "    ", free_threaded)
            if inner.count("\n") == 1:  # as rustfmt has it
                value = f"{start} {inner.strip().rstrip(',')} {end}"
            else:
                value = f"{start}\n{inner}{indent}{end}"
        elif value.startswith("="):
            value = value[1:]
        elif not value.startswith("Some("):
            value = f"{{{value}}}"
        lines.append(f"{indent}{name}: {value},\n")
    return "".join(lines)


def name_of(minor, free_threaded):
    """What a version's entry is called."""
    return f"V3_{minor}" + ("T" if free_threaded else "")


def constant(minor, free_threaded, parts, words):
    """A version's entry as a Rust constant: fields with structs in them."""
    text = f"pub(super) const {name_of(minor, free_threaded)}: Measured = Measured [[\n"
    for field, struct, head, spec in parts:
        inner = fields(spec, minor, " " * 8, free_threaded)
        text += f"    {field}: {struct} [[\n{head}{inner}    ]],\n"
    if minor >= 13:
        struct, spec = words
        inner = fields(spec, minor, " " * 8, free_threaded)
        return text + f"    words: Some({struct} [[\n{inner}    ]]),\n]];\n"
    return text + "    words: None,\n]];\n"


def layout_entry(minor, free_threaded):
    head = "        frame_head: 0, // set by `with_frame_head`\n"
    head += "        objects: None, // these have tables of their own\n"
    return constant(minor, free_threaded,
                    [("layout", "Layout", head, LAYOUT), ("sizes", "Sizes", "", SIZES)],
                    ("Words", WORDS))


def objects_entry(minor, free_threaded):
    return constant(minor, free_threaded,
                    [("objects", "Objects", "", OBJECTS),
                     ("sizes", "ObjectSizes", "", OBJECT_SIZES)],
                    ("ObjectWords", OBJECT_WORDS))


# A struct in an entry: its field, how it starts, its fields, how it ends.
PART = re.compile(r"^    (\w+): ((?:Some\()?\w+) \{\n(.*?)^    (\}\)?),\n", re.M | re.S)
# A field with its value.
FIELD = re.compile(r"^ {8}\w.*\n(?:^ {8}[ }].*\n)*", re.M)


def differing(text, base, minor):
    """An entry of a free-threaded build, by what differs from that of the build with the GIL."""
    known = {part[1]: FIELD.findall(part[3]) for part in PART.finditer(base)}

    def shorter(part):
        field, start, inner, end = part.groups()
        values = FIELD.findall(inner)
        differ = [value for value in values if value not in known[field]]
        same = f"{name_of(minor, False)}.{field}"
        if not differ:
            return f"    {field}: {same},\n"
        if len(differ) == len(values) or start.startswith("Some("):
            return part[0]
        return f"    {field}: {start} {{\n{''.join(differ)}        ..{same}\n    {end},\n"

    return PART.sub(shorter, text)


# The tables: file, how it starts, the minor versions it is of, whether of builds without the GIL, and
# a version's entry.
TABLES = [
    (LAYOUTS / "table.rs",
     f"""\
//! Where each CPython version keeps its fields.{WRITTEN}
use super::{{Layout, Measured, Methods, Sizes}};
use crate::cpython::debug_offsets::Words;
""", MINORS, False, layout_entry),
    (LAYOUTS / "free_threaded.rs",
     f"""\
//! Where CPython 3.13 to 3.15 keep other fields elsewhere in builds without the GIL.{WRITTEN}
use super::table::{{V3_13, V3_14, V3_15}};
use super::{{Copies, Layout, Measured, Sizes}};
""", FREE_THREADED_MINORS, True, layout_entry),
    (LAYOUTS / "objects/until_3_10.rs",
     f"""\
//! Where CPython 3.6 to 3.10 keep what objects hold.{WRITTEN}
use super::{{Attributes, Measured, ObjectSizes, Objects}};
""", range(6, 11), False, objects_entry),
    (LAYOUTS / "objects/since_3_11.rs",
     f"""\
//! Where CPython 3.11 to 3.15 keep what objects hold.{WRITTEN}
use super::{{Attributes, Measured, ObjectSizes, Objects}};
use crate::cpython::debug_offsets::ObjectWords;
""", range(11, 16), False, objects_entry),
    (LAYOUTS / "objects/free_threaded.rs",
     f"""\
//! Where CPython 3.13 to 3.15 keep what objects hold in builds without the GIL.{WRITTEN}
use super::since_3_11::{{V3_13, V3_14, V3_15}};
use super::{{Attributes, Measured, ObjectSizes, Objects}};
""", FREE_THREADED_MINORS, True, objects_entry),
]

# The lowest bit of the characters' width in the word that has it.
STR_KIND_BIT = """
static int str_kind_bit(void)
{
    PyASCIIObject string;
    unsigned int word;

    memset(&string, 0, sizeof(string));
    string.state.kind = 1;
    memcpy(&word, &string.state, sizeof(word));
    return __builtin_ctz(word);
}
"""


def measure(include, minor, free_threaded):
    """A release's micro version and its entries by table, from its include directory."""
    template = SEPARATOR.join(
        entry(minor, free_threaded) if minor in minors and kind == free_threaded else ""
        for _, _, minors, kind, entry in TABLES)
    expressions = re.findall(r"{([^}]*)}", template)
    program = "#define Py_BUILD_CORE 1\n" if minor >= 10 else ""
    program += "#define Py_GIL_DISABLED 1\n" if free_threaded else ""
    program += "".join(f"#include <{name}>\n" for name in since(INCLUDES, minor))
    program += f"""
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#if defined(Py_GIL_DISABLED) != {int(free_threaded)} || defined(Py_DEBUG) || defined(Py_TRACE_REFS)
#error "a build whose objects have other fields"
#endif
{STR_KIND_BIT}
int main(void)
{{
    printf("%d %d\\n", PY_MINOR_VERSION, PY_MICRO_VERSION);
"""
    program += "".join(f'    printf("%llu\\n", (unsigned long long)({each}));\n'
                       for each in expressions)
    program += "    return 0;\n}\n"
    with tempfile.TemporaryDirectory() as directory:
        source, binary = pathlib.Path(directory, "layout.c"), pathlib.Path(directory, "layout")
        source.write_text(program)
        # Debian's pyconfig.h includes <x86_64-linux-gnu/python3.N/pyconfig.h>.
        command = ["cc", "-O0", "-w", "-DNDEBUG", "-I", include, "-I", include / "internal",
                   "-I", include.parent, "-o", binary, source]
        built = subprocess.run(command, capture_output=True, text=True)
        if built.returncode != 0:
            sys.exit(f"layouts.py: {include} can't be measured:\n{built.stderr[:2000]}")
        output = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
    release, *values = output.splitlines()
    if int(release.split()[0]) != minor:
        sys.exit(f"layouts.py: {include} is of 3.{release.split()[0]}")
    rest = iter(values)
    text = re.sub(r"{[^}]*}", lambda _: next(rest), template)
    text = text.replace("[[", "{").replace("]]", "}")
    return int(release.split()[1]), text.split(SEPARATOR)


def committed(path):
    """A table's entries by minor version: micro versions measured, and the text."""
    found = {}
    if path.exists():
        pattern = r"/// Measured in ([0-9., ]+)\.\n(pub\(super\) const V3_(\d+)T?: .*?^};\n)"
        for releases, text, minor in re.findall(pattern, path.read_text(), re.M | re.S):
            micros = {int(release.split(".")[2]) for release in releases.split(", ")}
            found[int(minor)] = (micros, text)
    return found


def includes(roots, prefixes):
    """The include directories on this machine: minor version, whether of a build without the GIL."""
    patterns = [(pathlib.Path.home(), ".pyenv/versions/*/include/python3.*")]
    for root in [pathlib.Path("/"), *roots]:
        patterns += [(root, "usr/include/python3.*"), (root, "usr/local/include/python3.*")]
    patterns += [(prefix, "include/python3.*") for prefix in prefixes]
    for base, pattern in patterns:
        for include in sorted(base.glob(pattern)):
            version = re.fullmatch(r"python3\.(\d+)([mt]?)", include.name)
            # Some have pyconfig.h alone: that is not to compile against.
            if version and int(version[1]) in MINORS and (include / "frameobject.h").exists():
                minor = int(version[1])
                if version[2] != "t":
                    yield minor, False, include
                if minor in FREE_THREADED_MINORS:
                    yield minor, True, include


def measure_all(roots, prefixes):
    """All that is measured here, by minor version and whether without the GIL."""
    measured = {}
    for minor, free_threaded, include in includes(roots, prefixes):
        micro, text = measure(include, minor, free_threaded)
        release = f"3.{minor}.{micro}" + ("t" if free_threaded else "")
        print(f"layouts.py: {release}: {include}", file=sys.stderr)
        micros, before = measured.setdefault((minor, free_threaded), ({micro}, text))
        micros.add(micro)
        if text != before:
            sys.exit(f"layouts.py: {release} differs from other releases of 3.{minor}:\n"
                     f"{''.join(text)}\ninstead of\n{''.join(before)}")
    return measured


def new_tables(measured):
    """The entries of each table by minor version: micro versions measured, and the text."""
    tables = []
    for place, (path, _, minors, free_threaded, entry) in enumerate(TABLES):
        table = committed(path)
        for minor in minors:
            micros, texts = measured.get((minor, free_threaded), (set(), None))
            known, text = table.get(minor, (set(), None))
            if texts is None and text is None:
                sys.exit(f"layouts.py: neither headers nor an entry of 3.{minor}")
            if texts is not None:
                text = texts[place]
            if texts is not None and free_threaded:
                base = next(entries for entries, of in zip(tables, TABLES)
                            if minor in of[2] and of[4] == entry)
                text = differing(text, base[minor][1], minor)
            table[minor] = (micros | known, text)
        tables.append(table)
    return tables


def main():
    parser = argparse.ArgumentParser(usage=__doc__.strip())
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--prefix", action="append", default=[], type=pathlib.Path)
    parser.add_argument("debians", nargs="*", metavar="NAME")
    options = parser.parse_args()

    roots = []
    if options.debians:
        headers = subprocess.run([HEADERS, *options.debians], stdout=subprocess.PIPE, text=True)
        if headers.returncode != 0:
            sys.exit("layouts.py: not all headers could be brought")
        roots = [pathlib.Path(line) for line in headers.stdout.splitlines()]
    measured = measure_all(roots, options.prefix)
    if not measured:
        sys.exit("layouts.py: no CPython headers here: name a Debian, such as sid")
    tables = new_tables(measured)
    if options.check:
        wrong = {minor for (path, *_), table in zip(TABLES, tables)
                 for minor, (_, text) in committed(path).items() if table[minor][1] != text}
        if wrong:
            sys.exit("layouts.py: the tables are not what the headers say for "
                     + ", ".join(f"3.{minor}" for minor in sorted(wrong)) + ": `make layouts`")
        return
    for (path, text, *_), table in zip(TABLES, tables):
        for minor, (micros, entry) in sorted(table.items()):
            releases = ", ".join(f"3.{minor}.{micro}" for micro in sorted(micros))
            text += f"\n/// Measured in {releases}.\n{entry}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
