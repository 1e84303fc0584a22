# SPDX-License-Identifier: Apache-2.0
"""Pure functions from the collector's answers to what a page shows. Nothing here imports Streamlit."""
