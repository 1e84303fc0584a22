# SPDX-License-Identifier: Apache-2.0
"""Streamlit components of our own."""
