# SPDX-License-Identifier: Apache-2.0
"""What is alive now, of every process that sends."""
