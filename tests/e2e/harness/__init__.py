# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the binary's runner, the schema's judge, targets, servers, and the match of truth with records."""
