"""`python -m climatejobs_cluster`, so that the tool runs from a checkout without being installed."""

import sys

from climatejobs_cluster.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
