"""What a page carries for its charts, and what its policy lets run."""

import base64
import hashlib
import re

import pytest
from page_parts import numbers_of, unpacked
from plotly.offline import get_plotlyjs

from gapscope.page.embedding import compressed, embed, policy, source_hash

HOSTILE = "</script><script>alert(1)</script><!-- \u2028 &amp; \"'"


def test_numbers_and_library_come_out_as_they_went_in():
    data = {"name": HOSTILE, "values": [1.5, None, -3], "mean": 0.1}
    page = str(embed("draw()", data).elements)
    assert numbers_of(page) == data
    assert unpacked(page, "gapscope-plotly") == get_plotlyjs()


def test_a_hostile_name_never_stands_in_the_page_as_it_is():
    page = str(embed("draw()", {"name": HOSTILE}).elements)
    assert "alert" not in page and page.count("<script") == page.count("</script>") == 3


def test_the_page_is_less_than_half_of_what_it_carries():
    assert len(str(embed("draw()", {}).elements)) < len(get_plotlyjs()) / 2


def test_the_same_text_is_compressed_to_the_same_bytes():
    assert compressed("numbers " * 99) == compressed("numbers " * 99)


def test_the_policy_names_the_two_scripts_that_run_and_allows_nothing_else():
    embedded = embed("draw()", {})
    rules = dict(rule.split(" ", 1) for rule in embedded.policy.split("; "))
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (get_plotlyjs(), "draw()")]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    assert rules["default-src"] == rules["form-action"] == rules["base-uri"] == "'none'"
    assert "connect-src" not in rules and "unsafe-eval" not in embedded.policy
    run = re.search(r"<script>(.*?)</script>", str(embedded.elements), flags=re.S)
    assert run is not None and source_hash(run[1]) in embedded.policy


def test_a_directive_can_be_added():
    assert policy("sha256-x", more="connect-src 'self'").endswith("; connect-src 'self'")
    assert "connect-src" not in policy("sha256-x")


def test_numbers_that_json_does_not_have_are_refused():
    with pytest.raises(ValueError):
        embed("draw()", {"value": float("nan")})


def test_a_script_that_would_end_its_own_element_is_a_bug():
    with pytest.raises(AssertionError):
        embed("const text = '</script>';", {})
