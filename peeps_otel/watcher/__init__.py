# SPDX-License-Identifier: Apache-2.0
"""The thread that looks: clock, assembly of snapshots, diagnosis of the process's own graph."""
