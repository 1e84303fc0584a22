# SPDX-License-Identifier: Apache-2.0
"""Tasks and threads that an exception has ended, and what they had in their hands."""
