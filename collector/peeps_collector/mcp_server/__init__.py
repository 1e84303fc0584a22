# SPDX-License-Identifier: Apache-2.0
"""The collector for agents: tools of the Model Context Protocol, clients of the query API as the commands are."""
