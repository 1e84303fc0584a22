# SPDX-License-Identifier: Apache-2.0
"""What watching costs, measured. `bench/run` is the command; `bench/README.md` says what it measures and how."""
