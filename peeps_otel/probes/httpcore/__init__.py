# SPDX-License-Identifier: Apache-2.0
"""httpcore, the connections below httpx."""
