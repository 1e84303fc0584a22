# SPDX-License-Identifier: Apache-2.0
"""httpx's responses, by which httpcore's connections are in somebody's hands."""
