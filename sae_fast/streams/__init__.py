"""Rows out of files, streams and arrays, block by block, in bounded memory. Needs NumPy alone; pyarrow where it reads.

A ``Reader`` (``_reader.py``) knows one kind of data and gives pieces of any length; a ``Source`` (``_source.py``) makes
blocks of one length of them, checks them, and sees to it that every pass gives the same rows.
"""
