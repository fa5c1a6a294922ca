"""What is tried inside a kernel under test: run by init, as root, with the initramfs around it.

    python3 guest.py truth | refusal TEXT

One line for each try: `well WHAT` or `FAILED WHAT`, with what there is to say below, indented. The
last line is `end`, so that a machine that dies in between is told from one that had no more to say.
"""

import os
import subprocess
import sys

TESTS = "/tests"
PYTRACE = "/usr/bin/pytrace"
# Each of these is of another kind; all are of seconds, where the processor is emulated.
PROGRAMS = ["functions.py", "exceptions.py", "generators.py", "threads.py", "callbacks.py"]
# Values are compared as well.
PROGRAMS += ["values/parameters.py", "values/objects.py", "values/results.py"]
# The system's Python, one for which qualified names are looked up at the event, and one whose
# generators need storage of the thread's own: these programs need the most stack.
INTERPRETERS = [
    ("", "/usr/bin/python3"),
    ("/bullseye", "/usr/bin/python3.9"),
    ("/trixie", "/usr/bin/python3.13"),
]

COPIES = """
import os
def work(number):
    return number + 1
children = []
for number in range(3):
    child = os.fork()
    if not child:
        work(number)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
work(3)
"""

LIVELY = """
import time
def work(number):
    return number + 1
print("ready", flush=True)
while True:
    work(1)
    time.sleep(0.01)
"""


def say(well, what, text=""):
    print("well" if well else "FAILED", what)
    for line in text.splitlines():
        print("   ", line)
    sys.stdout.flush()
    return well


def run(command, **options):
    """A command's exit code and output."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
        **options
    )
    return done.returncode, done.stdout.decode(errors="replace")


def compare_with_oracle():
    """The truth test's own comparison, by the plan that pytrace chooses for the interpreter."""
    for chroot, python in INTERPRETERS:
        command = ["python3", "-B", TESTS + "/truth/run.py", "--pytrace", PYTRACE, "--jobs", "1"]
        command += ["--python", python] + (["--chroot", chroot] if chroot else [])
        programs = [TESTS + "/programs/" + name for name in PROGRAMS]
        code, output = run(command + programs)
        say(code == 0, "launched: %s%s" % (chroot, python), output)


def calls(trace, name):
    """How many calls of that function a trace has."""
    code, output = run(
        ["python3", "-c", COUNT, trace, name],
    )
    return int(output) if code == 0 else -1


COUNT = """
import json, sys
events = json.load(open(sys.argv[1]))["traceEvents"]
print(sum(event["ph"] == "X" and event["name"] == sys.argv[2] for event in events))
"""


def follow_copies():
    """Three forked children, each with a call of its own."""
    with open("/tmp/copies.py", "w") as file:
        file.write(COPIES)
    code, output = run([PYTRACE, "-o", "/tmp/copies.json", "/tmp/copies.py"])
    found = calls("/tmp/copies.json", "work")
    say(code == 0 and found == 4, "forked: %d of 4 calls" % found, output)


def attach():
    """To a program that runs already, for some time."""
    with open("/tmp/lively.py", "w") as file:
        file.write(LIVELY)
    with subprocess.Popen(["python3", "/tmp/lively.py"], stdout=subprocess.PIPE) as target:
        target.stdout.readline()
        pid = str(target.pid)
        code, output = run([PYTRACE, "--pid", pid, "--duration", "5s", "-o", "/tmp/lively.json"])
        lives = target.poll() is None
        target.kill()
    found = calls("/tmp/lively.json", "work")
    well = code == 0 and found > 20 and "none lost" in output and lives
    say(well, "attached: %d calls" % found, output)


def kernel_log():
    """That the kernel has found nothing wrong with us."""
    _, log = run(["dmesg"])
    complaints = [line for line in log.splitlines() if "WARNING:" in line or "BUG:" in line]
    say(not complaints, "the kernel complains of nothing", "\n".join(complaints))


def truth():
    _, output = run([PYTRACE, "doctor", "--python", "/usr/bin/python3"])
    say(output.startswith("kernel "), "doctor", output)
    compare_with_oracle()
    follow_copies()
    attach()
    kernel_log()


def refusal(text):
    """Recording is refused, for the reason that `text` is part of, with a hint."""
    with open("/tmp/empty.py", "w"):
        pass
    code, output = run([PYTRACE, "/tmp/empty.py"])
    well = code == 1 and text in output and "hint: " in output and output.count("\n") == 2
    say(well, "refused: " + text, output)


if __name__ == "__main__":
    os.chdir("/tmp")
    if sys.argv[1] == "truth":
        truth()
    elif sys.argv[1].startswith("refusal:"):
        refusal(sys.argv[1].partition(":")[2])
    print("end", flush=True)
