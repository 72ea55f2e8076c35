"""`python -m ottla` is the program itself."""

import os
import subprocess
import sys

from . import binary

if __name__ == "__main__":
    command = [binary(), *sys.argv[1:]]
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)
