# SPDX-License-Identifier: Apache-2.0
"""The Streamlit script: navigation only. A page is a screen here, and its address and name in `launch.PAGES`."""

from pathlib import Path

import streamlit as st

from peeps_dashboard.launch import PAGES
from peeps_dashboard.screens import chosen, connect, graph, history, html, slow, sql, tables, verdict

_STATIC = Path(__file__).parent / "static"

# A picture of our own: Streamlit fetches ":material/…:" page icons from a foreign host.
st.set_page_config(page_title="peeps", page_icon=str(_STATIC / "icon.svg"), layout="wide")
st.html(_STATIC / "page.css")
st.html(_STATIC / "card.css")
_PAGES = (verdict, graph, tables, slow, history, sql, connect)
_page = st.navigation([page.route() for page in _PAGES], position="top")
chosen.arrive(_page.url_path)
_page.run()
html.pages(PAGES)
st.html('<i class="pp-ready"></i>')  # tells what stands in front that the page is complete
