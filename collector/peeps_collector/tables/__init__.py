# SPDX-License-Identifier: Apache-2.0
"""What is alive as tables: one kind of thing each, filtered, grouped and sorted, for pages, terminals and files."""
