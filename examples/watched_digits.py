"""A stream of digits whose camera fails: a detector names the odd pictures, a monitor tells when the data changed.

Both learn from the first half of scikit-learn's digits. The second half comes as a stream; some pictures of it are
scrambled, and in its last third one pixel is brighter. The program prints what was found, writes two pictures to the
current folder and exits with 1 if the change was missed, told too early or of another pixel, or if the detector ranks
the scrambled pictures worse than it should. It takes some seconds and needs no other data.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import sae_fast as sf

CHUNK, CHUNKS, CHANGED = 100, 30, 20  # rows of a chunk, chunks of the stream, and the first one that is changed
SCRAMBLED = 40
PIXEL = 36  # the one that is brighter from then on
WANTED_AUC = 0.95


def main() -> int:
    """Run, print, draw."""
    rng = np.random.default_rng(0)
    X = rng.permutation(load_digits().data / 16)
    known, reference, rest = X[:800], X[800:1300], X[1300:]

    detector = sf.SparseAutoencoderOutlierDetector(25, random_state=0).fit(known)
    mixed = rest.copy()
    mixed[:SCRAMBLED] = rng.permuted(mixed[:SCRAMBLED], axis=1)
    auc = roc_auc_score(np.arange(len(mixed)) < SCRAMBLED, -detector.score_samples(mixed))
    print(f"scrambled pictures among {len(mixed)}: ROC-AUC {auc:.3f}, wanted {WANTED_AUC}")
    worst = detector.explain(mixed[0], top=3)
    print("what is odd about the first:", ", ".join(f"pixel {f.feature} ({100 * f.share:.0f} %)" for f in worst))
    sf.plot.save(sf.plot.anomalies(detector, mixed), "watched_digits_odd.png")

    monitor = detector.monitor(reference=reference, chunk_size=CHUNK)
    stream = rest[rng.integers(len(rest), size=CHUNK * CHUNKS)]
    stream[CHUNK * CHANGED :, PIXEL] += 2 * known[:, PIXEL].std()
    for batch in np.array_split(stream, 50):  # as they come
        monitor.update(batch)
    report = monitor.report()
    alarmed = sorted({alert["chunk"] for alert in report.alerts})
    first = alarmed[0] if alarmed else None
    print(f"the stream changes in chunk {CHANGED}; chunks with an alert: {alarmed}")
    moved = int(np.argmax(report.wasserstein))
    print(
        f"pixel {moved} moved farthest, by {report.wasserstein[moved]:.2f} of its standard deviations over all chunks"
    )
    sf.plot.save(sf.plot.monitor(report), "watched_digits.png")
    return 0 if auc >= WANTED_AUC and first == CHANGED and moved == PIXEL else 1


if __name__ == "__main__":
    raise SystemExit(main())
