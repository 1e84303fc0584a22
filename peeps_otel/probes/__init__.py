# SPDX-License-Identifier: Apache-2.0
"""What can be seen, one runtime feature at a time. Probes know the model and nothing above it."""
