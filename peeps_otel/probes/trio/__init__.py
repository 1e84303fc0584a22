# SPDX-License-Identifier: Apache-2.0
"""What is seen of Trio: its tasks, what they wait for, who has that."""
