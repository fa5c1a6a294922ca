# Whether finder.py has come to its end, though with an exception: else there is another.

import sys

monitoring = sys.monitoring
for tool in range(6):
    if monitoring.get_tool(tool) == f'pytrace {recorder}' and monitoring.get_events(tool):
        break
else:
    raise RuntimeError
