import json
import sys

json.dump(json.load(sys.stdin)["n"] * 2, sys.stdout)
