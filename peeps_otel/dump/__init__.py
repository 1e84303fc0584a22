# SPDX-License-Identifier: Apache-2.0
"""The whole picture of some processes as one file: written where they run or by the collector, read anywhere."""
