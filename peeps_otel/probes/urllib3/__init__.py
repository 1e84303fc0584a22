# SPDX-License-Identifier: Apache-2.0
"""urllib3's connection pools, which requests uses too."""
