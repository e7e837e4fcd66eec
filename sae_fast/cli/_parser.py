"""What the command line takes. Options are spelled as in the Python API."""

from __future__ import annotations

import argparse

from .._version import __version__
from ..files._arrays_io import STREAM
from ..files._kinds import KSPARSE_TENSORS
from ..files._ksparse_parameters import RECIPE_NAMES
from ..ksparse._judging import DEFINITIONS
from ..network._config import get_cmake_dir, get_include, get_pkgconfig_dir
from ..network._scale import SCALINGS
from ..network._solvers import SOLVERS
from ._network import add_network
from ._values import (
    array_name,
    codes_name,
    contamination,
    count,
    counts,
    index,
    indices,
    input_name,
    instruction_sets,
    model_name,
    picture_name,
    real,
    separator,
    shape,
)

PICTURES = (
    "summary",
    "filters",
    "loss",
    "mean-activations",
    "kl-penalty",
    "reconstructions",
    "activations",
    "latent",
)
K_SPARSE_PICTURES = ("dead-latents", "densities")

_K_SPARSE = "model or encoder file with k-sparse codes, or folder or file that another package wrote"


class _Folder(argparse.Action):
    """Prints a folder of the package that C++ projects need, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        folders = {"includedir": get_include, "cmakedir": get_cmake_dir, "pkgconfigdir": get_pkgconfig_dir}
        try:
            print(folders[self.dest]())
        except FileNotFoundError as error:
            parser.exit(1, f"{parser.prog}: {error}\n")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The whole parser."""
    parser = argparse.ArgumentParser(
        prog="sae-fast",
        description="Train sparse autoencoders and use their codes.",
        epilog="Tables are .npy, .npz, .parquet, .csv or .tsv files (also .gz, a header is found); rows are samples. "
        "'sae-fast COMMAND --help' tells the options of a command; 'sae-fast demo' is a good start. "
        "Exit codes: 0 done; 1 failed, or interrupted by Ctrl-C (what fit has learned is written); 2 wrong usage; "
        "3 watch has an alert; "
        "143 and 129 ended by SIGTERM and SIGHUP. No temporary file is left.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sae-fast {__version__}")
    for name, what in (
        ("include", "folder of the C++ headers"),
        ("cmake", "folder of the CMake package"),
        ("pkgconfig", "folder of sae_fast.pc"),
    ):
        parser.add_argument(f"--{name}dir", action=_Folder, nargs=0, help=f"show the {what} and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _demo(_command(commands, "demo", "learn edge filters from 10,000 image patches, needs no data"))
    _fit(_command(commands, "fit", "train on an array and write a model file"))
    _transform(_command(commands, "transform", "turn an array into codes by a model"))
    _score(_command(commands, "score", "tell how odd each row of an array is to a model"))
    _watch(_command(commands, "watch", "tell whether rows are still like those of a reference; exit code 3 if not"))
    _info(_command(commands, "info", "tell what is in a model file"))
    _export(_command(commands, "export", "write a model as C source, as a NumPy module, or as ONNX"))
    _explain(_command(commands, "explain", "show the rows that excite latents of a k-sparse model most"))
    _plot(_command(commands, "plot", "draw a model, and what it makes of samples, as PNG, PDF or SVG"))
    _compare(_command(commands, "compare", "put a sparse autoencoder beside PCA with as many components"))
    _bench(_command(commands, "bench", "race against NumPy, PyTorch, JAX and others that are installed"))
    return parser


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Tells each default once, and none where there is none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, True, "") or "(default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def _command(commands: argparse._SubParsersAction, name: str, purpose: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose,
        description=purpose[0].upper() + purpose[1:] + ".",
        allow_abbrev=False,
        formatter_class=_Help,
    )
    return made


def _demo(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--out", metavar="DIR", default="sae_fast_demo", help="folder for pictures, model and codes; is made"
    )
    p.add_argument("--max-iter", metavar="N", type=count, default=400, help="iterations of L-BFGS")
    p.add_argument("--n-threads", metavar="N", type=count, help="threads (default: what the machine gives)")
    p.add_argument("--quiet", action="store_true", help="show no progress")


def _fit(p: argparse.ArgumentParser) -> None:
    p.usage = "%(prog)s [options] X [X ...] -o FILE"
    _data(p, nargs="+")
    p.add_argument("-o", "--out", metavar="FILE", required=True, type=model_name, help="model file, .safetensors")
    model = p.add_argument_group("model")
    size = model.add_mutually_exclusive_group()
    size.add_argument("--n-components", metavar="N", type=count, help="hidden units (default: 25, with --k 4096)")
    size.add_argument(
        "--hidden-layer-sizes", metavar="N,N,...", type=counts, help="hidden units of a stack of layers, bottom up"
    )
    add_network(model, defaults=False)
    model.add_argument(
        "--scale",
        choices=SCALINGS,
        help="bring the data into the output units' range, as part of the model: minmax by feature, ufldl by sample "
        "(default: none)",
    )
    sparse = p.add_argument_group("k-sparse autoencoder", "Many latents, of which a sample excites a few.")
    sparse.add_argument("--k", metavar="K", type=count, help="active latents of a sample (default: 32)")
    sparse.add_argument("--architecture", choices=tuple(KSPARSE_TENSORS), help="what a code keeps (default: topk)")
    sparse.add_argument(
        "--recipe", choices=RECIPE_NAMES, help="whose defaults are taken, see docs/k-sparse.md (default: openai)"
    )
    sparse.add_argument(
        "--matryoshka", metavar="N,N,...", type=counts, help="sizes of groups, the first of which do without the others"
    )
    odd = p.add_argument_group("outlier detector")
    odd.add_argument(
        "--detector",
        action="store_true",
        help="learn what is usual, for sae-fast score; defaults are then --scale minmax, --output linear, --rho 0.2 "
        "and --beta 1",
    )
    odd.add_argument(
        "--contamination",
        metavar="C",
        type=contamination,
        help="share of X that shall be outliers, in (0, 0.5]; or auto, by samples held out (default: auto)",
    )
    training = p.add_argument_group("training")
    training.add_argument(
        "--solver",
        choices=SOLVERS,
        default="lbfgs",
        help="optimiser: lbfgs over all samples, adam and sgd by minibatches",
    )
    training.add_argument(
        "--max-iter",
        metavar="N",
        type=count,
        help="iterations of lbfgs, epochs of adam and sgd, at most (default: 400, with --k 10)",
    )
    training.add_argument(
        "--batch-size",
        metavar="N",
        type=count,
        help="samples of a minibatch, for adam and sgd (default: 256, with --k 2048)",
    )
    training.add_argument(
        "--learning-rate",
        metavar="A",
        type=real("learning_rate"),
        help="step of adam and sgd (default: 0.001 and 0.1, with --k that of the recipe)",
    )
    training.add_argument("--momentum", metavar="M", type=real("momentum"), default=0.9, help="of sgd, in [0, 1)")
    stopping = p.add_argument_group("when to stop before --max-iter")
    stopping.add_argument(
        "--tol",
        metavar="T",
        type=real("tol"),
        default=1e-7,
        help="the cost J must fall by more than this share of itself",
    )
    stopping.add_argument(
        "--n-iter-no-change",
        metavar="N",
        type=count,
        default=10,
        help="stop after so many iterations without such a fall",
    )
    stopping.add_argument(
        "--early-stopping", action="store_true", help="judge by a part of the data that is not trained on"
    )
    stopping.add_argument(
        "--validation-fraction", metavar="F", type=real("validation_fraction"), default=0.1, help="share of that part"
    )
    training.add_argument(
        "--random-state",
        metavar="SEED",
        type=index,
        help="seed; the same one gives the same model (default: a fresh one)",
    )
    training.add_argument(
        "--dtype",
        choices=("keep", "float32", "float64"),
        default="keep",
        help="type to work in; keep is float32 for float32 data, else float64",
    )
    training.add_argument(
        "--stream",
        action="store_true",
        help="read the files again in each pass instead of holding them in memory: for data larger than it",
    )
    keeping = p.add_argument_group("checkpoints")
    keeping.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="write the state of the fit there now and then, at its end, and after Ctrl-C",
    )
    keeping.add_argument(
        "--checkpoint-every", metavar="S", type=real("checkpoint_every"), help="seconds between two (default: 60)"
    )
    keeping.add_argument(
        "--resume",
        action="store_true",
        help="go on from --checkpoint, if it is there, to the model that the fit would have given without interruption",
    )
    p.add_argument("--n-threads", metavar="N", type=count, help="threads (default: what the machine gives)")
    p.add_argument("--quiet", action="store_true", help="show no progress")

    _fine_tuning(p.add_argument_group("fine-tuning", "All layers of a stack together; with --hidden-layer-sizes."))


def _fine_tuning(p: argparse._ArgumentGroup) -> None:
    p.add_argument("--no-fine-tune", dest="fine_tune", action="store_false", help="greedy training alone")
    p.add_argument("--fine-tune-solver", choices=SOLVERS, default="lbfgs", help="optimiser, as --solver")
    p.add_argument(
        "--fine-tune-max-iter",
        metavar="N",
        type=count,
        default=200,
        help="iterations of lbfgs, epochs of adam and sgd, at most",
    )
    p.add_argument(
        "--fine-tune-learning-rate",
        metavar="A",
        type=real("learning_rate"),
        help="step of adam and sgd (default: 0.001 and 0.1)",
    )
    p.add_argument(
        "--fine-tune-weight-decay",
        metavar="L",
        type=real("weight_decay"),
        help="weight of the L2 penalty on the weights (default: that of --weight-decay)",
    )


def _transform(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "model",
        metavar="MODEL",
        help="model file, as written by sae-fast fit, or encoder file; of k-sparse codes also a folder or file that "
        "sae_fast.load_sae reads",
    )
    _data(p, nargs="+")
    p.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        type=codes_name,
        default=STREAM,
        help="where to write the codes: .npy, .npz, .csv, .parquet; - is CSV on stdout. K-sparse codes: .npz, which "
        "scipy.sparse.load_npz reads, or .jsonl, a line of latents and values for each row; - is .jsonl on stdout",
    )
    p.add_argument(
        "--keep",
        metavar="A,B,...",
        default="",
        help="columns to carry over to the codes, .csv, .parquet or .jsonl; no features",
    )
    p.add_argument(
        "--resume",
        action="store_true",
        help="keep what is done beside FILE until it is whole, and go on with it if there is some: for long runs, from "
        "their first start on",
    )
    p.add_argument("--layer", metavar="K", type=index, help="hidden layer of a stack, from 0 (default: the last)")
    p.add_argument("--k", metavar="K", type=count, help="active latents of a row, of topk (default: the model's own)")
    p.add_argument("--n-threads", metavar="N", type=count, help="threads (default: what the machine gives)")


def _score(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", metavar="MODEL", help="model file, as written by sae-fast fit, best with --detector")
    _data(p, nargs="+")
    p.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        type=array_name,
        default=STREAM,
        help="where to write the scores: .npy, .npz, .csv, .parquet; - is CSV on stdout. Lower is odder. A detector "
        "gives score, decision (below 0: an outlier), prediction (-1: an outlier, 1: none) and p_value",
    )
    p.add_argument(
        "--features",
        action="store_true",
        help="write the error of each feature too, in units of training: 1 is usual; for detectors",
    )
    p.add_argument(
        "--plot",
        metavar="FILE",
        type=picture_name,
        help="draw scores, the threshold, and what is odd about the oddest rows: .png, .pdf or .svg; for detectors",
    )
    p.add_argument("--n-threads", metavar="N", type=count, help="threads (default: what the machine gives)")


def _watch(p: argparse.ArgumentParser) -> None:
    p.usage = "%(prog)s [options] MODEL X [X ...]"
    p.add_argument("model", metavar="MODEL", help="monitor file, as -o writes it; or a model file, with --reference")
    _data(p, nargs="+")
    p.add_argument("--reference", metavar="R", type=input_name, help="rows that are as they shall be, not trained on")
    p.add_argument("--chunk-size", metavar="N", type=count, help="rows that are judged together (default: 500)")
    p.add_argument("-o", "--out", metavar="FILE", type=model_name, help="monitor file to write, .safetensors")
    p.add_argument("--plot", metavar="FILE", type=picture_name, help="draw the report: .png, .pdf or .svg")
    p.add_argument("--json", action="store_true", help="print all of the report, as JSON")
    p.add_argument("--n-threads", metavar="N", type=count, help="threads (default: what the machine gives)")


def _info(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "model",
        metavar="MODEL",
        help="model file, as written by sae-fast fit, or encoder file; or a folder or file of a k-sparse model of "
        "another package: what is understood of it, and what was folded into its weights",
    )
    p.add_argument("--json", action="store_true", help="as JSON, with all that the file holds")


def _explain(p: argparse.ArgumentParser) -> None:
    p.usage = "%(prog)s [options] MODEL X [X ...] --latent J"
    p.add_argument("model", metavar="MODEL", help=_K_SPARSE)
    _data(p, nargs="+")
    p.add_argument(
        "--latent",
        metavar="J,J,...",
        type=indices,
        action="append",
        required=True,
        help="which latents, from 0; may be given several times",
    )
    p.add_argument("--texts", metavar="FILE", help="text of each row, a line of UTF-8 each, to show beside it")
    p.add_argument("-n", metavar="N", type=count, default=10, help="rows that are shown of each, numbered from 1")
    p.add_argument(
        "--plot", metavar="FILE", type=picture_name, help="draw them beside all activations: .png, .pdf or .svg"
    )
    p.add_argument("--k", metavar="K", type=count, help="active latents of a row, of topk (default: the model's own)")
    p.add_argument("--json", action="store_true", help="as JSON")
    p.add_argument("--n-threads", metavar="N", type=count, help="threads (default: what the machine gives)")


def _export(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "model",
        metavar="MODEL",
        help="model file, as written by sae-fast fit, or encoder file; for numpy and onnx also what sae_fast.load_sae "
        "reads",
    )
    p.add_argument(
        "--format",
        required=True,
        choices=("c", "numpy", "onnx"),
        help="c: source in C99, with a header beside it; numpy: a Python module, with its weights beside it in a .npz; "
        "onnx: a model for ONNX Runtime and others, with all that it does to its samples first",
    )
    p.add_argument("-o", "--out", metavar="FILE", required=True, help="file to write, .c, .py or .onnx")
    p.add_argument("--dtype", choices=("float", "double"), help="of samples and codes (default: that of the model)")
    p.add_argument(
        "--clip",
        choices=("error", "ignore"),
        default="error",
        help="what c and numpy do with a model that cuts its data, --scale ufldl: ignore leaves the cut out",
    )
    c = p.add_argument_group("with --format c")
    c.add_argument("--prefix", metavar="NAME", help="of all names in the source (default: the name of the file)")
    c.add_argument("--weights", metavar="FILE", help="binary file for the weights (default: they are in the source)")
    c.add_argument("--byte-order", choices=("little", "big"), help="of that file (default: little)")
    onnx = p.add_argument_group("with --format onnx")
    onnx.add_argument("--target-opset", metavar="N", type=count, help="version of ONNX's operators (default: 17)")
    onnx.add_argument(
        "--outputs",
        metavar="NAME,...",
        type=lambda text: text.split(","),
        help="codes, reconstruction; of a classifier label, probabilities, codes (default: all but codes of these); "
        "of a topk encoder also indices, values",
    )


def _plot(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", metavar="MODEL", help="model file, as written by sae-fast fit")
    _data(p, nargs="*")
    kinds = f"{', '.join(PICTURES[1:-1])} or {PICTURES[-1]} (default: {PICTURES[0]}, one figure with most of them)"
    kinds += f"; of a k-sparse model {' or '.join(K_SPARSE_PICTURES)}"
    p.add_argument("--kind", metavar="KIND", choices=PICTURES + K_SPARSE_PICTURES, default="summary", help=kinds)
    p.add_argument(
        "-o", "--out", metavar="FILE", type=picture_name, help=".png, .pdf or .svg (default: MODEL-KIND.png)"
    )
    p.add_argument("--shape", metavar="8x8[x3]", type=shape, help="of a sample that is a picture (default: a square)")
    p.add_argument("--labels", metavar="Y", type=input_name, help="labels of the samples, to colour codes by")
    p.add_argument(
        "--dpi", metavar="N", type=real("dpi"), default=200.0, help="dots per inch, 10 to 1200 (default: 200)"
    )


def _compare(p: argparse.ArgumentParser) -> None:
    p.usage = "%(prog)s [options] X [X ...]"
    _data(p, nargs="+")
    p.add_argument(
        "--labels", metavar="Y", type=input_name, help="a label for each row: the codes are judged by them too"
    )
    p.add_argument("--model", metavar="MODEL", help="model file (default: fit one here, by the options below)")
    p.add_argument("--n-components", metavar="N", type=count, help="hidden units (default: 25)")
    add_network(p, defaults=False)
    p.add_argument("--scale", choices=SCALINGS, help="bring the data into the output units' range (default: none)")
    p.add_argument("--solver", choices=SOLVERS, help="optimiser (default: lbfgs)")
    p.add_argument("--max-iter", metavar="N", type=count, help="iterations of lbfgs, or epochs (default: 400)")
    sparse = p.add_argument_group("k-sparse models", "A table of their codes, and PCA of as many bytes.")
    sparse.add_argument("--k-sparse", metavar="MODEL", action="append", help=f"{_K_SPARSE}; may be given several times")
    sparse.add_argument("--k", metavar="K,K,...", type=counts, help="active latents, of topk (default: each one's own)")
    sparse.add_argument("--fvu", choices=tuple(DEFINITIONS), help="fraction of variance that is meant (default: total)")
    sparse.add_argument("--queries", metavar="Q", type=input_name, help="what is sought among X: nDCG@10, recall@10")
    sparse.add_argument(
        "--relevant", metavar="R", type=input_name, help="with --queries: of each the row that answers it, from 0"
    )
    sparse.add_argument("--plot", metavar="FILE", type=picture_name, help="draw FVU over L0: .png, .pdf or .svg")
    p.add_argument("--cv", metavar="N", type=count, default=5, help="folds of the cross-validation, >= 2")
    p.add_argument("--random-state", metavar="SEED", type=index, help="seed (default: a fresh one)")
    p.add_argument("--json", action="store_true", help="as JSON")
    p.add_argument("--n-threads", metavar="N", type=count, help="threads (default: what the machine gives)")
    p.add_argument("--quiet", action="store_true", help="no progress")


def _bench(p: argparse.ArgumentParser) -> None:
    p.add_argument("--quick", action="store_true", help="the main works in float32, within a minute")
    p.add_argument("--only", metavar="TEXT", default="", help="works whose name has TEXT in it")
    p.add_argument(
        "--isa",
        metavar="A,B,...",
        type=instruction_sets,
        help="race ours with each of these instruction sets; all: those that are usable here (default: the best one)",
    )
    p.add_argument("--out", metavar="DIR", default="sae_fast_bench", help="folder for bench.json and bench.png")
    p.add_argument("--page", metavar="FILE", help="write a Markdown page too, with images/bench.png beside it")
    p.add_argument("--n-threads", metavar="N", type=count, help="threads (default: what the machine gives)")


def _data(p: argparse.ArgumentParser, nargs: str) -> None:
    p.add_argument(
        "data",
        metavar="X",
        nargs=nargs,
        type=input_name,
        help="samples: .npy, .npz, .parquet, .csv, .tsv, also .csv.gz and .csv.zst; - is CSV on stdin; rows of several "
        "files, of a pattern like 'part-*.csv' or of a folder follow one another",
    )
    _reading(p.add_argument_group("reading tables", "Columns go by name; where a file has no names, by number from 1."))
    p.set_defaults(wrong=p.error)


def _reading(p: argparse._ArgumentGroup) -> None:
    p.add_argument("--key", metavar="NAME", help="array of an .npz file that holds several (default: the only one)")
    p.add_argument(
        "--header", choices=("auto", "yes", "no"), default="auto", help="CSV: does the first line hold names?"
    )
    p.add_argument("--sep", metavar="C", type=separator, help="CSV: between fields; or tab (default: , in .tsv tab)")
    p.add_argument("--decimal", metavar="C", choices=(".", ","), default=".", help="CSV: decimal mark, . or ,")
    p.add_argument("--columns", metavar="A,B,...", help="the features, in this order (default: all columns)")
    p.add_argument("--drop", metavar="A,B,...", default="", help="columns to leave out")
    p.add_argument(
        "--index-col",
        metavar="A,B,...",
        default="auto",
        help="columns that number or name the rows, no features; auto: in CSV the first ones if without a name, in "
        "Parquet what pandas marked; none: there are none",
    )
    p.add_argument("--labels-column", metavar="A", help="the column of labels: never a feature")
