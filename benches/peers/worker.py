"""What every yardstick in Python shares: reads commands from standard input, answers with one
line of JSON each.

    info           the version, and the ways it knows
    check          numbers by name, to be compared before anything is timed
    run NAME COUNT repeats NAME, answers the CPU time of the whole process in nanoseconds
"""

import json
import sys
import time

WINDOW = 64


def serve(version, ways, check, **more):
    """`ways`: by name what repeats them, which may return the time that it measured itself."""
    for line in sys.stdin:
        words = line.split()
        if words[0] == "info":
            answer = {"version": version, "ways": list(ways), **more}
        elif words[0] == "check":
            answer = {name: numbers.tolist() for name, numbers in check().items()}
        else:
            run, count = ways[words[1]], int(words[2])
            before = time.process_time_ns()
            spent = run(count)
            answer = {"cpu_ns": spent or time.process_time_ns() - before}
        print(json.dumps(answer), flush=True)
