import json
import sys

call = json.load(sys.stdin)
if call["b"] == 0:
    sys.exit("cannot divide by zero")
json.dump(call["a"] / call["b"], sys.stdout)
