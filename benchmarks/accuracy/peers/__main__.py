"""One side does one piece of work: ``python -m peers SIDE < request.json`` writes ``reply.json`` where it runs."""

import json
import sys
from importlib import import_module
from pathlib import Path

request = json.load(sys.stdin)
work = getattr(import_module(f"peers.{sys.argv[1]}"), request["work"])
Path("reply.json").write_text(json.dumps(work(request)), encoding="utf-8")
