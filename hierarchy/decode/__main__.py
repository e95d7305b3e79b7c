"""The process itself: limits first, then one request from standard input, one answer to standard output.

Request: one JSON object `{"task", "handle", …}`; `handle` is an open file's descriptor. Answer: a line of JSON, then
the bytes whose lengths it gives, in order.
"""

import json
import os
import resource
import signal
import sys
import warnings

MEMORY = 2 * 1024**3
CPU_SECONDS = 8


def limit() -> None:
    """Before any library is loaded: what is limited later has already been taken."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main() -> None:
    limit()
    warnings.simplefilter("ignore")
    from hierarchy.decode.answer import answer  # Below the limits, see above.

    request = json.loads(sys.stdin.buffer.readline())
    with os.fdopen(request["handle"], "rb") as stream:
        head, parts = answer(request, stream)
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n")
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
