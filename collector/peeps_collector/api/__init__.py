# SPDX-License-Identifier: Apache-2.0
"""The query API of docs/api.md."""
