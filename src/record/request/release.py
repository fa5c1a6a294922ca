# Takes back what finder.py has asked for (CPython 3.14+).

import sys

monitoring = sys.monitoring
for tool in range(6):
    if monitoring.get_tool(tool) == f'pytrace {recorder}':
        begins = monitoring.register_callback(tool, monitoring.events.PY_START, None)
        begins.__globals__['release']()
