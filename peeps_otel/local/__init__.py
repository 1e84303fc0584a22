# SPDX-License-Identifier: Apache-2.0
"""The verdict where the program runs, without collector and backend: as text, when it is asked for or by itself."""
