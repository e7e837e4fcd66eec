"""``python -m sae_fast`` is ``sae-fast``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
