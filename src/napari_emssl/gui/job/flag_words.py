"""Messages that terminal and viewer share, in the words of the viewer: fields have titles where flags have names."""

import re

from ...jobs.context_settings import SegmentInContextSettings
from ...jobs.pretrain_settings import PretrainSettings
from ...jobs.settings import ApplySettings, FinetuneSettings, MeasureSettings
from ..widgets.form import field_title

_FLAG = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
_OTHER_WAY = re.compile(r",? or [^,.;:]*?(?<![\w-])--([a-z]+(?:-[a-z]+)*)[^,.;:]*(?=[.;:])")
"""A last way out that needs a flag."""
_SHOWN = (PretrainSettings, FinetuneSettings, ApplySettings, SegmentInContextSettings, MeasureSettings)


def with_titles(text: str) -> str:
    """Put the title of a field in the place of its flag.

    A second way out that needs a flag without a field is left out; elsewhere such flags stay.
    """
    fields = {name for settings in _SHOWN for name in settings.model_fields}

    def title(flag: re.Match[str]) -> str:
        name = flag[1].replace("-", "_")
        return f"'{field_title(name)}'" if name in fields else flag[0]

    def kept(way: re.Match[str]) -> str:
        return way[0] if way[1].replace("-", "_") in fields else ""

    return _FLAG.sub(title, _OTHER_WAY.sub(kept, text))
