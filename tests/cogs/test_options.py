"""Options that several commands share."""

import pytest

from cloning.text.splitting import LANGUAGES
from cogs.options import LANGUAGE_CHOICES


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_every_language_is_a_choice(code: str) -> None:
    assert [choice.name for choice in LANGUAGE_CHOICES if choice.value == code] == [LANGUAGES[code]]
