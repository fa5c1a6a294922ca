"""RecursionError, caught. The profile function is lost to it, so the program counts for itself."""
# oracle: counts
import json
import os

entered = after = 0


def endless():
    global entered
    entered += 1
    endless()


def fine():
    global after
    after += 1


for _ in range(3):
    try:
        endless()
    except RecursionError:
        fine()
for _ in range(10):
    fine()

# An activation that the limit refused may be seen or not: only what ran is certain, in versions
# that refuse before the frame exists. So `endless` is left to `fine`, which must be exact.
with open(os.environ["PYTRACE_COUNTS"], "w") as file:
    json.dump({"counts": {"fine": after}, "at_least": {"endless": entered}}, file)
