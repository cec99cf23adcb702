"""`python -m climatejobs_images`, which `images/build` calls."""

import sys

from climatejobs_images.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
