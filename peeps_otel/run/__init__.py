# SPDX-License-Identifier: Apache-2.0
"""`peeps run -- COMMAND`: a program that tells on its stderr when it is stuck, without collector and backend."""
