"""What `import sae_fast` needs, brings and says."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np

import sae_fast as sf
from sae_fast._homes import HOMES, PACKAGES


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_brings_numpy_alone():
    """The backend imports nothing beyond NumPy and the standard library."""
    loaded = run("import sys, sae_fast; print(*sorted({m.split('.')[0] for m in sys.modules}))").split()
    heavy = {"sklearn", "scipy", "matplotlib", "safetensors", "pandas", "rich", "joblib"}
    assert not heavy & set(loaded)


def test_backend_works_without_the_extras():
    """Functions, training and thread control work where only NumPy is installed; the rest says what to install."""
    run(
        "import sys\n"
        "for name in ('sklearn', 'scipy', 'matplotlib', 'safetensors'): sys.modules[name] = None\n"
        "import numpy as np, sae_fast as sf\n"
        "p, X = sf.init_params(4, 3, random_state=0), np.full((9, 4), 0.5)\n"
        "sf.cost_and_grad(p, X, rho=0.1, beta=1, weight_decay=0)\n"
        "sf.train(p, X, n_epochs=2); sf.reference.encode(p, X); sf.show_config()\n"
        "for name in ('SparseAutoencoder', 'UnitScaler', 'UFLDLScaler', 'PatchExtractor', 'ZCAWhitener'):\n"
        "    try: getattr(sf, name)\n"
        "    except ImportError as error: assert 'sae-fast[estimators]' in str(error), error\n"
        "    else: raise AssertionError(name)\n"
        "try: sf.fold(sf.Encoder(p))\n"
        "except ImportError as error: assert 'sae-fast[estimators]' in str(error), error\n"
        "else: raise AssertionError('fold')\n"
        "try: sf.plot.filters(p)\n"
        "except ImportError as error: assert 'sae-fast[plot]' in str(error), error\n"
        "try: sf.load('x')\n"
        "except ImportError as error: assert 'sae-fast[model]' in str(error), error\n"
    )


def test_load_needs_no_more_than_what_was_saved(tmp_path):
    """An encoder's file is loaded without scikit-learn; a model's says what to install."""
    sf.Encoder(sf.init_params(4, 3, random_state=0)).save(tmp_path / "encoder")
    sf.SparseAutoencoder(3, max_iter=2, random_state=0).fit(np.random.default_rng(0).random((20, 4))).save(
        tmp_path / "model"
    )
    run(
        "import sys\n"
        "for name in ('sklearn', 'scipy'): sys.modules[name] = None\n"
        "import sae_fast as sf\n"
        f"assert sf.load({str(tmp_path / 'encoder')!r}).n_hidden == 3\n"
        f"assert sf.Encoder.load({str(tmp_path / 'model')!r}).n_hidden == 3\n"
        f"try: sf.load({str(tmp_path / 'model')!r})\n"
        "except ImportError as error: assert 'sae-fast[estimators]' in str(error), error\n"
        "else: raise AssertionError\n"
    )


def test_transform_by_an_encoder_needs_numpy_alone(tmp_path):
    """The command encodes by an encoder's file without scikit-learn, which takes a second to be imported."""
    sf.Encoder(sf.init_params(4, 3, random_state=0)).save(tmp_path / "encoder")
    np.save(tmp_path / "X.npy", np.full((5, 4), 0.5))
    run(
        "import sys\n"
        "for name in ('sklearn', 'scipy', 'pandas'): sys.modules[name] = None\n"
        "from sae_fast.cli import main\n"
        f"words = [{str(tmp_path)!r} + name for name in ('/encoder', '/X.npy', '/codes.npy')]\n"
        "assert main(['transform', *words[:2], '-o', words[2]]) == 0\n"
    )
    assert np.load(tmp_path / "codes.npy").shape == (5, 3)


def test_unbuilt_package_says_how_to_build():
    """Without the compiled core the import error tells what to do."""
    out = run(
        "import sys; sys.modules['sae_fast._core'] = None\n"
        "try: import sae_fast\n"
        "except ImportError as error: print(error)"
    )
    assert "pip install -e ." in out
    assert "C++17" in out


def test_every_public_name_exists_and_is_documented():
    """Each name of __all__ is there, listed by dir(), and has a docstring."""
    for name in sf.__all__:
        value = getattr(sf, name)
        assert name in dir(sf)
        if name != "__version__":
            assert value.__doc__, name


def test_unknown_names_are_attribute_errors():
    """A typo is an AttributeError that names it."""
    try:
        sf.encod  # noqa: B018
    except AttributeError as error:
        assert "encod" in str(error)  # noqa: PT017
    else:
        raise AssertionError


def test_environment_is_left_as_it_was():
    """The wait policy that the core is loaded with does not stay in the environment, nor replace the user's own."""
    run("import os; before = dict(os.environ); import sae_fast; assert dict(os.environ) == before")
    run("import os; os.environ['GOMP_SPINCOUNT'] = '7'; import sae_fast; assert os.environ['GOMP_SPINCOUNT'] == '7'")


def test_types_are_told_of_all_that_is_public():
    """The stub of the package names what the package shows, from where the package imports it."""
    stub = Path(sf.__file__).with_name("__init__.pyi").read_text()
    told = {
        alias.asname: node.module
        for node in ast.walk(ast.parse(stub))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    wanted = {name: home for home, names in HOMES.items() for name in names}
    assert told == wanted | dict.fromkeys(PACKAGES) | {"__version__": "_version"}
    assert set(sf.__all__) == set(told)


def test_no_room_of_the_backend_needs_more_than_numpy():
    """Every module of the rooms below scikit-learn is imported where only NumPy is installed."""
    run(
        "import importlib, pkgutil, sys\n"
        "for name in ('sklearn', 'scipy', 'matplotlib', 'safetensors', 'pandas', 'pyarrow', 'rich', 'onnx'):\n"
        "    sys.modules[name] = None\n"
        "import sae_fast\n"
        "n = 0\n"
        "for room in ('network', 'reference', 'encoders', 'files', 'streams', 'export', 'onnx'):\n"
        "    package = importlib.import_module('sae_fast.' + room)\n"
        "    for module in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name); n += 1\n"
        "assert n > 20, n\n"
    )


def test_no_import_circles():
    """No module of the package needs itself, by way of others, to be imported; not even for its types."""
    modules = {}
    for path in Path(sf.__file__).parent.rglob("*.py"):
        parts = ["sae_fast", *path.relative_to(Path(sf.__file__).parent).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = (path, name.split(".") if is_package else name.split(".")[:-1])
    needs: dict[str, set[str]] = {}
    for name, (path, package) in modules.items():
        needs[name] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or node.level == 0:
                continue
            base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
            found = {f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base for alias in node.names}
            # The package itself stands for its compiled core and its version here.
            needs[name] |= (found & set(modules)) - {name, "sae_fast"}
    with_none = {name for name, others in needs.items() if not others}
    while with_none:
        needs = {name: others - with_none for name, others in needs.items() if name not in with_none}
        with_none = {name for name, others in needs.items() if not others}
    assert not needs


def test_what_is_imported_inside_functions_is_optional():
    """Functions import other people's packages that not everybody has, and nothing else; bench's, in its processes."""
    for path in Path(sf.__file__).parent.rglob("*.py"):
        functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
        inside = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)]
        for node in inside if path.parent.name != "bench" else ():
            level, module = (node.level, node.module) if isinstance(node, ast.ImportFrom) else (0, node.names[0].name)
            package = (module or "").split(".")[0]
            assert level == 0, (path, node.lineno)
            assert package not in {*sys.stdlib_module_names, "numpy", "sae_fast"}, (path, node.lineno)


def test_an_encoder_brings_no_more_than_it_uses():
    """What reads and writes model files takes longer to import than an encoder; it comes with the first file."""
    run(
        "import pickle, sys, sae_fast as sf\n"
        "encoder = pickle.loads(pickle.dumps(sf.Encoder(sf.init_params(4, 3))))\n"
        "sf.StackEncoder([encoder]).encode_one([0, 0, 0, 0])\n"
        "assert 'sae_fast.files._model_file' not in sys.modules\n"
        "assert sf.files.ModelFileError is sf.ModelFileError\n"
        "try: sf.files.read\n"
        "except AttributeError as error: assert 'sae_fast.files' in str(error)\n"
        "else: raise AssertionError\n"
    )


def test_config_says_where_the_package_is(capsys):
    """The location that a bug report shows is the folder of the package."""
    sf.show_config()
    location = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("location"))
    assert Path(location.split(maxsplit=1)[1]) == Path(sf.__file__).parent
