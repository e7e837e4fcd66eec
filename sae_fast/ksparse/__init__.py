"""Sparse codes of many latents: autoencoders of which a sample excites a few. Results need SciPy's sparse arrays."""
