"""Publishes one event: publish.py [TITLE [ID]]"""
import json, os, sys, time, urllib.error, urllib.request, uuid

title = sys.argv[1] if len(sys.argv) > 1 else "Hello"
event = {
    "specversion": "1.0", "id": sys.argv[2] if len(sys.argv) > 2 else str(uuid.uuid4()),
    "source": "/examples/python", "type": "system.Alert",
    "data": {"org": "acme", "severity": "info", "title": title, "message": "from Python"},
}
headers = {"Authorization": "Bearer " + os.environ["FANFARE_TOKEN"], "Content-Type": "application/cloudevents+json"}
for attempt in range(6):
    request = urllib.request.Request(os.environ["FANFARE_URL"] + "/events", json.dumps(event).encode(), headers)
    try:
        print(urllib.request.urlopen(request, timeout=10).read().decode())
        break
    except urllib.error.HTTPError as error:
        if error.code not in (408, 429, 503, 504) or attempt == 5:
            sys.exit(f"{error.code}: {error.read().decode()}")
    except OSError as error:  # no answer: it may be stored or not, and the same id again is safe
        if attempt == 5:
            sys.exit(str(error))
    time.sleep(2 ** attempt)
