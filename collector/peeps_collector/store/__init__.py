# SPDX-License-Identifier: Apache-2.0
"""The DuckDB file: schema, one writer, readers."""
