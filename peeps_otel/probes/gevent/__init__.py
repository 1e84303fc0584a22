# SPDX-License-Identifier: Apache-2.0
"""What is seen of gevent: its greenlets, what they wait for, who has that."""
