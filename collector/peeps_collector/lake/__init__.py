# SPDX-License-Identifier: Apache-2.0
"""Several collectors with one history: each keeps its file, and its rows follow into a DuckLake. docs/lake.md."""
