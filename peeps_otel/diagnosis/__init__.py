# SPDX-License-Identifier: Apache-2.0
"""What is stuck, and how sure is that: pure functions over a graph, used in the process and in the collector."""

from .diagnoser import Diagnoser
from .rules.settings import BadRules, RuleSettings

__all__ = ["BadRules", "Diagnoser", "RuleSettings"]
