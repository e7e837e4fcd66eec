"""What the command line takes. Options are spelled as in the Python API."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from .._arrays_io import STREAM, suffix_of
from .._checks import HIDDEN, OUTPUT, check_in, check_rho
from .._scale import SCALINGS
from .._version import __version__


def make_parser() -> argparse.ArgumentParser:
    """The whole parser."""
    parser = argparse.ArgumentParser(
        prog="sae-fast",
        description="Train sparse autoencoders and use their codes.",
        epilog="Arrays are .npy, .npz, .csv (a header is found by itself) or .parquet files; rows are samples.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sae-fast {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _demo(_command(commands, "demo", "learn edge filters from 10,000 image patches: nothing to download"))
    _fit(_command(commands, "fit", "train on an array and write a model file"))
    _transform(_command(commands, "transform", "write the codes of an array"))
    _info(_command(commands, "info", "tell what is in a model file"))
    _compare(_command(commands, "compare", "put a sparse autoencoder beside PCA with as many components"))
    _bench(_command(commands, "bench", "race against the peers that are installed, each in a process of its own"))
    return parser


def _command(commands: argparse._SubParsersAction, name: str, purpose: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose,
        description=purpose[0].upper() + purpose[1:] + ".",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    return made


def _demo(p: argparse.ArgumentParser) -> None:
    p.add_argument("--out", metavar="DIR", default="sae_fast_demo", help="folder for pictures, model and codes")
    p.add_argument("--max-iter", metavar="N", type=_count, default=400, help="iterations of L-BFGS")
    p.add_argument("--n-threads", metavar="N", type=_count, help="threads (default: what the machine gives)")
    p.add_argument("--quiet", action="store_true", help="no progress")


def _fit(p: argparse.ArgumentParser) -> None:
    _data(p)
    p.add_argument("-o", "--out", metavar="FILE", required=True, type=_model_out, help="model file, .safetensors")
    p.add_argument("--n-components", metavar="N", type=_count, default=25, help="hidden units")
    p.add_argument("--rho", metavar="R", type=_real("rho"), default=0.05, help="wanted mean activation, in (0, 1)")
    p.add_argument("--beta", metavar="B", type=_real("beta"), default=3.0, help="weight of the sparsity penalty")
    p.add_argument("--weight-decay", metavar="L", type=_real("weight_decay"), default=1e-4, help="weight of L2")
    p.add_argument("--hidden", choices=HIDDEN, default="sigmoid", help="hidden units")
    p.add_argument("--output", choices=OUTPUT, default="sigmoid", help="output units")
    p.add_argument("--scale", choices=SCALINGS, default="none", help="bring data into the output units' range")
    p.add_argument("--solver", choices=("lbfgs", "adam", "sgd"), default="lbfgs", help="optimiser")
    p.add_argument("--max-iter", metavar="N", type=_count, default=400, help="iterations, or epochs")
    p.add_argument("--batch-size", metavar="N", type=_count, default=256, help="samples of a minibatch")
    p.add_argument("--learning-rate", metavar="A", type=_real("learning_rate"), help="(default: adam 0.001, sgd 0.1)")
    p.add_argument("--momentum", metavar="M", type=_real("momentum"), default=0.9, help="of sgd, in [0, 1)")
    p.add_argument("--tol", metavar="T", type=_real("tol"), default=1e-7, help="relative fall of J that counts")
    p.add_argument("--n-iter-no-change", metavar="N", type=_count, default=10, help="patience of --tol")
    p.add_argument("--early-stopping", action="store_true", help="judge by a validation part of the data")
    p.add_argument(
        "--validation-fraction", metavar="F", type=_real("validation_fraction"), default=0.1, help="its share"
    )
    p.add_argument("--random-state", metavar="SEED", type=_seed, help="seed (default: a fresh one)")
    p.add_argument("--dtype", choices=("keep", "float32", "float64"), default="keep", help="type to work in")
    p.add_argument("--n-threads", metavar="N", type=_count, help="threads (default: what the machine gives)")
    p.add_argument("--quiet", action="store_true", help="no progress")


def _transform(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", metavar="MODEL", help="model file")
    _data(p)
    p.add_argument("-o", "--out", metavar="FILE", type=_array, default=STREAM, help="codes; - is CSV on stdout")
    p.add_argument("--n-threads", metavar="N", type=_count, help="threads (default: what the machine gives)")


def _info(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", metavar="MODEL", help="model file")
    p.add_argument("--json", action="store_true", help="as JSON")


def _compare(p: argparse.ArgumentParser) -> None:
    _data(p)
    p.add_argument("--labels", metavar="Y", type=_array, help="a label for each row: the codes are judged by them too")
    p.add_argument("--model", metavar="MODEL", help="model file (default: fit one here, by the options below)")
    p.add_argument("--n-components", metavar="N", type=_count, help="hidden units (default: 25)")
    p.add_argument("--rho", metavar="R", type=_real("rho"), help="wanted mean activation (default: 0.05)")
    p.add_argument("--beta", metavar="B", type=_real("beta"), help="weight of the sparsity penalty (default: 3)")
    p.add_argument("--weight-decay", metavar="L", type=_real("weight_decay"), help="weight of L2 (default: 0.0001)")
    p.add_argument("--hidden", choices=HIDDEN, help="hidden units (default: sigmoid)")
    p.add_argument("--output", choices=OUTPUT, help="output units (default: sigmoid)")
    p.add_argument("--max-iter", metavar="N", type=_count, help="iterations of L-BFGS (default: 400)")
    p.add_argument("--cv", metavar="N", type=_count, default=5, help="folds of the cross-validation, >= 2")
    p.add_argument("--random-state", metavar="SEED", type=_seed, help="seed (default: a fresh one)")
    p.add_argument("--json", action="store_true", help="as JSON")
    p.add_argument("--n-threads", metavar="N", type=_count, help="threads (default: what the machine gives)")
    p.add_argument("--quiet", action="store_true", help="no progress")


def _bench(p: argparse.ArgumentParser) -> None:
    p.add_argument("--quick", action="store_true", help="the main works in float32, within a minute")
    p.add_argument("--only", metavar="TEXT", default="", help="works whose name has TEXT in it")
    p.add_argument("--out", metavar="DIR", default="sae_fast_bench", help="folder for bench.json and bench.png")
    p.add_argument("--page", metavar="FILE", help="write a Markdown page too, with images/bench.png beside it")
    p.add_argument("--n-threads", metavar="N", type=_count, help="threads (default: what the machine gives)")


def _data(p: argparse.ArgumentParser) -> None:
    p.add_argument("data", metavar="X", type=_array, help="samples: .npy, .npz, .csv, .parquet; - is CSV on stdin")
    p.add_argument("--key", metavar="NAME", help="array of an .npz file that holds several (default: the only one)")


def _array(text: str) -> str:
    try:
        suffix_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _model_out(text: str) -> str:
    if Path(text).suffix != ".safetensors":
        raise argparse.ArgumentTypeError(f"the name of a model file must end in .safetensors, got {text!r}")
    return text


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be >= 1, got {number}")
    return number


def _seed(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"must be in [0, 2**32), got {number}")
    return number


_RANGES: dict[str, Callable[[float], float]] = {
    "rho": check_rho,
    "beta": lambda x: check_in("beta", x, 0.0, math.inf, ">= 0 and finite"),
    "weight_decay": lambda x: check_in("weight_decay", x, 0.0, math.inf, ">= 0 and finite"),
    "tol": lambda x: check_in("tol", x, 0.0, math.inf, ">= 0 and finite"),
    "momentum": lambda x: check_in("momentum", x, 0.0, 1.0, "in [0, 1)"),
    "learning_rate": lambda x: check_in("learning_rate", x, math.ulp(0.0), math.inf, "> 0 and finite"),
    "validation_fraction": lambda x: check_in("validation_fraction", x, math.ulp(0.0), 1.0, "in (0, 1)"),
}


def _real(name: str) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            return _RANGES[name](float(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert
