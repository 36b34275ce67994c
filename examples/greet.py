import json
import sys

call = json.load(sys.stdin)
json.dump(f"{call['greeting']}, {call['name']}!", sys.stdout)
