#!/usr/bin/python3
"""layouts.py [--check] [NAME]...  measures where CPython keeps its fields.

Writes src/cpython/layout/table.rs: for each minor version a C program of offsetof() and sizeof()
is compiled against that version's own headers, internal ones included, and run. With --check
nothing is written: the exit code tells whether the table is what the headers say.

The headers are those found on this machine: pyenv's, the system's, and those of the Debians NAME,
which scripts/headers.sh brings. A version without headers here keeps its entry. Several releases of
one minor version must agree: all are measured, and one that differs is an error, since the table
has one entry per minor version (what patch releases move has to come from the binary, then).
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

SCRIPTS = pathlib.Path(__file__).resolve().parent
HEADERS = SCRIPTS / "headers.sh"
TABLE = SCRIPTS.parent / "src/cpython/layout/table.rs"
MINORS = range(6, 16)

FRAME = "_PyInterpreterFrame"
CODE = "PyCodeObject"
DEBUG = "_Py_DebugOffsets"


def offset(struct, member):
    return f"offsetof({struct}, {member})"


def optional(expression):
    return f"Some({{{expression}}})"


# What is measured: Rust field, and the C expression for it from a minor version on; None: the
# field is `None` from there on.
LAYOUT = [
    ("frame_code", {6: offset("PyFrameObject", "f_code"), 11: offset(FRAME, "f_code"),
                    13: offset(FRAME, "f_executable")}),
    ("frame_previous", {6: offset("PyFrameObject", "f_back"), 11: offset(FRAME, "previous")}),
    ("frame_lasti", {6: offset("PyFrameObject", "f_lasti"), 11: offset(FRAME, "prev_instr"),
                     13: offset(FRAME, "instr_ptr")}),
    ("frame_state", {6: offset("PyFrameObject", "f_stacktop"),
                     10: offset("PyFrameObject", "f_state"), 11: offset(FRAME, "stacktop"),
                     14: offset(FRAME, "stackpointer")}),
    ("frame_state_size", {6: "sizeof(((PyFrameObject *)0)->f_stacktop)",
                          10: "sizeof(((PyFrameObject *)0)->f_state)",
                          11: f"sizeof((({FRAME} *)0)->stacktop)",
                          14: f"sizeof((({FRAME} *)0)->stackpointer)"}),
    ("frame_owner", {6: None, 12: optional(offset(FRAME, "owner"))}),
    ("code_tag_mask", {6: "0", 14: "Py_TAG_BITS"}),
    ("code_flags", {6: offset(CODE, "co_flags")}),
    ("code_firstlineno", {6: offset(CODE, "co_firstlineno")}),
    ("code_filename", {6: offset(CODE, "co_filename")}),
    ("code_name", {6: offset(CODE, "co_name")}),
    ("code_qualname", {6: None, 11: optional(offset(CODE, "co_qualname"))}),
    ("methods", {6: "METHODS", 11: None}),
    ("code_argcount", {6: offset(CODE, "co_argcount")}),
    ("code_instructions", {6: None, 11: optional(offset(CODE, "co_code_adaptive"))}),
    ("str_ascii", {6: "sizeof(PyASCIIObject)"}),
    ("str_compact", {6: "sizeof(PyCompactUnicodeObject)"}),
    ("tstate_frame", {6: offset("PyThreadState", "frame"), 11: offset("PyThreadState", "cframe"),
                      13: offset("PyThreadState", "current_frame")}),
    ("cframe_frame", {6: None, 11: optional(offset("_PyCFrame", "current_frame")), 13: None}),
    ("tstate_exception", {6: offset("PyThreadState", "curexc_type"),
                          12: offset("PyThreadState", "current_exception")}),
    ("tstate_thread_id", {6: offset("PyThreadState", "thread_id")}),
    ("tstate_native_id", {6: None, 11: optional(offset("PyThreadState", "native_thread_id"))}),
    # 3.11 and 3.12 have no name for it: RESUME's operand is 0 to 3 (Doc/library/dis.rst).
    ("resume_location_mask", {6: "0", 11: "3", 13: "RESUME_OPARG_LOCATION_MASK"}),
]

METHODS = [
    ("frame_locals", {6: offset("PyFrameObject", "f_localsplus")}),
    ("code_nlocals", {6: offset(CODE, "co_nlocals")}),
    ("code_varnames", {6: offset(CODE, "co_varnames")}),
    ("code_cellvars", {6: offset(CODE, "co_cellvars")}),
    ("function_code", {6: offset("PyFunctionObject", "func_code")}),
    ("function_closure", {6: offset("PyFunctionObject", "func_closure")}),
    ("function_qualname", {6: offset("PyFunctionObject", "func_qualname")}),
    ("type_qualname", {6: offset("PyHeapTypeObject", "ht_qualname")}),
]

# The tp_basicsize of the exported type objects, as CPython's own sources initialise it.
SIZES = [
    ("frame", {6: "sizeof(PyFrameObject)",
               11: offset("PyFrameObject", "_f_frame_data") + " + " + offset(FRAME, "localsplus")}),
    ("string", {6: "sizeof(PyUnicodeObject)"}),
    ("function", {6: "sizeof(PyFunctionObject)"}),
    ("heap_type", {6: "sizeof(PyHeapTypeObject)"}),
]


def word(member):
    return offset(DEBUG, member) + " / 8"


# The places of _Py_DebugOffsets in which an interpreter tells its own offsets, in words.
WORDS = [
    ("tstate_frame", {13: word("thread_state.current_frame")}),
    ("tstate_exception", {13: None, 15: optional(word("thread_state.current_exception"))}),
    ("tstate_thread_id", {13: word("thread_state.thread_id")}),
    ("tstate_native_id", {13: word("thread_state.native_thread_id")}),
    ("frame_previous", {13: word("interpreter_frame.previous")}),
    ("frame_code", {13: word("interpreter_frame.executable")}),
    ("frame_lasti", {13: word("interpreter_frame.instr_ptr")}),
    ("frame_state", {13: None, 14: optional(word("interpreter_frame.stackpointer"))}),
    ("frame_owner", {13: word("interpreter_frame.owner")}),
    ("code_filename", {13: word("code_object.filename")}),
    ("code_name", {13: word("code_object.name")}),
    ("code_qualname", {13: word("code_object.qualname")}),
    ("code_firstlineno", {13: word("code_object.firstlineno")}),
    ("code_argcount", {13: word("code_object.argcount")}),
    ("code_instructions", {13: word("code_object.co_code_adaptive")}),
    ("str_ascii", {13: word("unicode_object.asciiobject_size")}),
]

INCLUDES = {
    6: ["Python.h", "frameobject.h"],
    11: ["Python.h", "frameobject.h", "internal/pycore_frame.h", "internal/pycore_code.h",
         "internal/pycore_runtime.h"],
    13: ["Python.h", "frameobject.h", "internal/pycore_frame.h", "internal/pycore_code.h",
         "internal/pycore_runtime.h", "internal/pycore_opcode_utils.h"],
    14: ["Python.h", "frameobject.h", "internal/pycore_frame.h",
         "internal/pycore_interpframe_structs.h", "internal/pycore_code.h",
         "internal/pycore_runtime.h", "internal/pycore_debug_offsets.h",
         "internal/pycore_opcode_utils.h", "internal/pycore_stackref.h"],
}

HEADER = """\
//! Where each CPython version keeps its fields. Written by `scripts/layouts.py` from the versions'
//! own headers: `make layouts` writes it again, and `scripts/layouts.py --check` compares.

use super::{Layout, Measured, Methods, Sizes};
use crate::cpython::debug_offsets::Words;
"""


def since(by_minor, minor):
    """What holds for a minor version in a table of changes."""
    return by_minor[max(first for first in by_minor if first <= minor)]


def entry(minor):
    """A version's entry as a Rust constant, with C expressions in braces."""

    def fields(spec, indent):
        lines = []
        for name, by_minor in spec:
            value = since(by_minor, minor)
            if value is None:
                value = "None"
            elif value == "METHODS":
                inner = fields(METHODS, indent + "    ")
                value = f"Some(Methods [[\n{inner}{indent}]])"
            elif not value.startswith("Some("):
                value = f"{{{value}}}"
            lines.append(f"{indent}{name}: {value},\n")
        return "".join(lines)

    inner = " " * 8
    text = f"pub(super) const V3_{minor}: Measured = Measured [[\n    layout: Layout [[\n"
    text += f"{inner}frame_head: 0, // set by `with_frame_head`\n"
    text += fields(LAYOUT, inner)
    text += f"    ]],\n    sizes: Sizes [[\n{fields(SIZES, inner)}    ]],\n"
    if minor >= 13:
        text += f"    words: Some(Words [[\n{fields(WORDS, inner)}    ]]),\n]];\n"
    else:
        text += "    words: None,\n]];\n"
    return text


def measure(include, minor):
    """A release's micro version and its entry, from its include directory."""
    template = entry(minor)
    expressions = re.findall(r"{([^}]*)}", template)
    core = "#define Py_BUILD_CORE 1\n" if minor >= 11 else ""
    program = core + "".join(f"#include <{name}>\n" for name in since(INCLUDES, minor))
    program += """
#include <stddef.h>
#include <stdio.h>
#if defined(Py_GIL_DISABLED) || defined(Py_DEBUG) || defined(Py_TRACE_REFS)
#error "a build whose objects have other fields"
#endif
int main(void)
{
    printf("%d %d\\n", PY_MINOR_VERSION, PY_MICRO_VERSION);
"""
    program += "".join(f'    printf("%llu\\n", (unsigned long long)({each}));\n'
                       for each in expressions)
    program += "    return 0;\n}\n"
    with tempfile.TemporaryDirectory() as directory:
        source, binary = pathlib.Path(directory, "layout.c"), pathlib.Path(directory, "layout")
        source.write_text(program)
        # Debian's pyconfig.h includes <x86_64-linux-gnu/python3.N/pyconfig.h>.
        command = ["cc", "-O0", "-w", "-I", include, "-I", include / "internal",
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
    return int(release.split()[1]), text.replace("[[", "{").replace("]]", "}")


def committed():
    """The table's entries by minor version: micro versions measured, and the text."""
    found = {}
    if TABLE.exists():
        pattern = r"/// Measured in ([0-9., ]+)\.\n(pub\(super\) const V3_(\d+): .*?^};\n)"
        for releases, text, minor in re.findall(pattern, TABLE.read_text(), re.M | re.S):
            micros = {int(release.split(".")[2]) for release in releases.split(", ")}
            found[int(minor)] = (micros, text)
    return found


def includes(roots):
    """The include directories on this machine, by minor version."""
    patterns = [(pathlib.Path.home(), ".pyenv/versions/*/include/python3.*")]
    for root in [pathlib.Path("/"), *roots]:
        patterns += [(root, "usr/include/python3.*"), (root, "usr/local/include/python3.*")]
    for base, pattern in patterns:
        for include in sorted(base.glob(pattern)):
            version = re.fullmatch(r"python3\.(\d+)m?", include.name)
            # Some have pyconfig.h alone: that is not to compile against.
            if version and int(version[1]) in MINORS and (include / "frameobject.h").exists():
                yield int(version[1]), include


def main():
    parser = argparse.ArgumentParser(usage=__doc__.strip())
    parser.add_argument("--check", action="store_true")
    parser.add_argument("debians", nargs="*", metavar="NAME")
    options = parser.parse_args()

    roots = []
    if options.debians:
        headers = subprocess.run([HEADERS, *options.debians], stdout=subprocess.PIPE, text=True)
        if headers.returncode != 0:
            sys.exit("layouts.py: not all headers could be brought")
        roots = [pathlib.Path(line) for line in headers.stdout.splitlines()]
    table = committed()
    measured = {}
    for minor, include in includes(roots):
        micro, text = measure(include, minor)
        print(f"layouts.py: 3.{minor}.{micro}: {include}", file=sys.stderr)
        micros, before = measured.setdefault(minor, ({micro}, text))
        micros.add(micro)
        if text != before:
            sys.exit(f"layouts.py: 3.{minor}.{micro} differs from other releases of 3.{minor}:\n"
                     f"{text}\ninstead of\n{before}")
    if not measured:
        sys.exit("layouts.py: no CPython headers here: name a Debian, such as sid")
    if options.check:
        wrong = [minor for minor, (_, text) in measured.items()
                 if text != table.get(minor, (set(), ""))[1]]
        if wrong:
            sys.exit("layouts.py: the table is not what the headers say for "
                     + ", ".join(f"3.{minor}" for minor in wrong) + ": `make layouts`")
        return
    text = HEADER
    for minor in MINORS:
        micros, body = measured.get(minor, (set(), None))
        known, before = table.get(minor, (set(), None))
        if body is None and before is None:
            sys.exit(f"layouts.py: neither headers nor an entry of 3.{minor}")
        releases = ", ".join(f"3.{minor}.{micro}" for micro in sorted(micros | known))
        text += f"\n/// Measured in {releases}.\n{body or before}"
    TABLE.write_text(text)


if __name__ == "__main__":
    main()
