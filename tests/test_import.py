"""What `import sae_fast` needs, brings and says."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

import sae_fast as sf


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
        "for name in ('SparseAutoencoder', 'fold', 'UnitScaler', 'UFLDLScaler', 'PatchExtractor', 'ZCAWhitener'):\n"
        "    try: getattr(sf, name)\n"
        "    except ImportError as error: assert 'sae-fast[estimators]' in str(error), error\n"
        "    else: raise AssertionError(name)\n"
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
