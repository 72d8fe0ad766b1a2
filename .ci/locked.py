"""Run a command under a lock: `locked.py shared|alone FILE COMMAND...`; many share it, or one has it alone.

So one `make` sets an environment up, or removes it, while no job of another runs in it. The lock is the system's and
ends with the command. It is taken by any Python, since not every system has flock(1).
"""

import os
import sys

try:
    import fcntl
except ImportError:  # this system has no such locks
    fcntl = None


def main(how, path, *command):
    """Wait for the lock, then become the command."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    if fcntl is not None:
        kind = {"shared": fcntl.LOCK_SH, "alone": fcntl.LOCK_EX}[how]
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError:
            print(f"Waiting for another make, which holds {path}.", file=sys.stderr, flush=True)
            try:
                fcntl.flock(handle, kind)
            except OSError as error:
                print(f"{path}: no locks there ({error.strerror}): going on without.", file=sys.stderr, flush=True)
    os.set_inheritable(handle, True)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
