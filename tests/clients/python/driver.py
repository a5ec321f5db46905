"""What the drivers of Python's clients share: commands in, reports out, one JSON object a line.

A command names a tab and what it is to do; the answer to a call has the call's number. What a tab receives and
when it is up is reported without being asked.
"""

import json
import sys
import threading
import urllib.request

_output = threading.Lock()


def report(**fields):
    """Writes a line for the test."""
    with _output:
        sys.stdout.write(json.dumps(fields, default=_bytes) + "\n")
        sys.stdout.flush()


def _bytes(value):
    return list(value) if isinstance(value, (bytes, bytearray)) else str(value)


def commands():
    """The commands of the test, until it closes our input."""
    for line in sys.stdin:
        yield json.loads(line)


def token_of(url):
    """A fresh token from the test."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()
