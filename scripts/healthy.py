"""healthy.py ADDRESS: ends with status 0 when the address answers 200. For container health checks, without curl."""

import sys
import urllib.request

with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
    sys.exit(0 if answer.status == 200 else 1)
