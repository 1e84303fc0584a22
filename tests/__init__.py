# SPDX-License-Identifier: Apache-2.0
"""A package, so that what tests share is imported by its whole name: `tests.support`, `tests.probes.program`."""
