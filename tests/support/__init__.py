# SPDX-License-Identifier: Apache-2.0
"""What the tests of more than one folder need: waiting, ports, processes, a collector, a watched program.

The standard library alone, so that the core's tests run where nothing but the core is installed.
"""
