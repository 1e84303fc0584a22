# SPDX-License-Identifier: Apache-2.0
"""asgiref, by which Django runs synchronous code beside asynchronous code."""
