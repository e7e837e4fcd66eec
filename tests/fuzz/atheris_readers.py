"""Python's readers by atheris, which watches the branches that they take::

pip install atheris
python -m tests.fuzz.atheris_readers parquet --seconds 600        # or safetensors, npy, npz, csv, mat
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path


def main(argv=None):
    """Run until the time is over, or a file is read wrongly, which ends the process with the input kept."""
    import atheris

    with atheris.instrument_imports(include=["sae_fast"]):
        from tests.fuzz.readers import SEEDS, try_bytes

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.atheris_readers", description="Fuzz a reader.")
    parser.add_argument("kind", choices=SEEDS)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args(argv)
    folder = tempfile.mkdtemp()
    Path(folder, "corpus").mkdir()
    Path(folder, "corpus", "seed").write_bytes(SEEDS[arguments.kind]())
    options = [f"-max_total_time={arguments.seconds}", "-timeout=20", "-rss_limit_mb=4096", "-max_len=8192"]
    atheris.Setup(
        [sys.argv[0], os.path.join(folder, "corpus"), *options, f"-artifact_prefix={folder}/"],
        lambda data: try_bytes(arguments.kind, data, folder),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
