"""`python -m smartcity.localaws`."""

import sys

from smartcity.localaws.server import main

if __name__ == "__main__":
    sys.exit(main())
