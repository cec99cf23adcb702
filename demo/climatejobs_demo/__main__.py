"""`python -m climatejobs_demo`, which `make demo` calls."""

import sys

from climatejobs_demo.story import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
