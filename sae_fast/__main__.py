"""``python -m sae_fast`` is ``sae-fast``."""

from .cli import script

if __name__ == "__main__":
    script()
