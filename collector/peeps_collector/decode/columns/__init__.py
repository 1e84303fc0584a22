# SPDX-License-Identifier: Apache-2.0
"""Spans from the bytes of a request to Arrow columns, without a Python object for each: the extra `[fast]`.

`walk`: reads the protobuf wire format, `text`: writes the JSON of attributes and the hexadecimal of ids; both are
compiled by Numba and check their bounds. `spans`: puts the columns together. What they do not know, or find odd, goes
the ordinary way, through protobuf's own parser (`decode/traces.py`); both give the same rows.
"""
