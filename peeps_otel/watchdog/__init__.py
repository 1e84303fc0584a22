# SPDX-License-Identifier: Apache-2.0
"""When no Python of the program can run: a small process of our own that notices, and tells why.

In the program (`guard`): a thread that counts in shared memory once a second. Beside it (`sidecar`): a process that
reads the count, and, when it stands still, has all stacks written by a C-level signal handler and reports them.

What runs in the sidecar imports nothing from outside this package, and little of the standard library: it starts in
tens of milliseconds and stays small.
"""
