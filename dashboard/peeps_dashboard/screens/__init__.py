# SPDX-License-Identifier: Apache-2.0
"""The pages: layout only; what they show is made in `view`.

Not named `pages`: Streamlit takes a folder of that name beside its script for pages of its own.
"""
