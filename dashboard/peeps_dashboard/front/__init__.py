# SPDX-License-Identifier: Apache-2.0
"""What stands in front of Streamlit: pages whose own HTML carries the verdict, before any script has run."""
