"""Property tests have no deadline per example: how busy the machine is says nothing about the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("consentgate", deadline=None)
settings.load_profile("consentgate")
