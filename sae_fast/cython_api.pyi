"""For Cython, which reads cython_api.pxd: there is nothing in it for Python."""
