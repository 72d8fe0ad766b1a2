"""How much memory something takes at most, measured in a process of its own, above what its imports take."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, resource, sys
{imports}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_DATA, ({most}, {most}))
said = ""
try:
    {work}
except Exception as error:
    said = f"{{type(error).__name__}}: {{error}}"
print(json.dumps([1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before), said]))
"""


def peak(imports: str, work: str, *arguments: object, most: int = 6 * 10**9) -> tuple[int, str]:
    """Bytes that one line of work takes at most, above its imports, and what it raised, as a text.

    ``arguments`` are its ``sys.argv[1:]``; a process that takes more than ``most`` bytes is stopped.
    """
    if not sys.platform.startswith("linux"):
        pytest.skip("elsewhere peaks are counted in other units")
    script = SCRIPT.format(imports=imports, work=work, most=most)
    run = [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    taken, said = json.loads(done.stdout)
    return taken, said
