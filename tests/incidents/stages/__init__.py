# SPDX-License-Identifier: Apache-2.0
"""The five incidents, each set up as it happened: servers, application, and the world around it. Tests, demonstration and gallery share them."""
