#!/usr/bin/python3
"""Traces objects.py and compares how torch's, pandas' and numpy's objects are shown with what they are.

run.py --pytrace BINARY [--python PYTHON]  needs root, and a Python that has these packages.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).with_name("objects.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pytrace", required=True)
    parser.add_argument("--python", default="/usr/bin/python3")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        # Under sudo, the program runs as the user.
        Path(directory).chmod(0o777)
        trace, texts = Path(directory, "trace.json"), Path(directory, "texts.json")
        # fmt: off
        subprocess.run([options.pytrace, "--python", options.python, "-o", trace, PROGRAM, texts],
                       check=True)
        # fmt: on
        expected = json.loads(texts.read_text(encoding="utf-8"))
        calls = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    taken = [call for call in calls if call["name"] == "take" and call["ph"] == "X"]
    taken.sort(key=lambda call: call["args"]["call"])
    shown = [call["args"]["arguments"]["value"] for call in taken]
    wrong = [pair for pair in zip(expected, shown) if pair[0] != pair[1]]
    for want, got in wrong:
        print(f"{want} is shown as {got}")
    if wrong or len(shown) != len(expected) or not shown:
        sys.exit(f"packages: {len(wrong)} of {len(expected)} differ, {len(shown)} were recorded")
    print(f"packages: {len(shown)} objects are shown as what they are")


main()
