"""Rules that need no language: units after figures, and part numbers."""

from __future__ import annotations

import re
from typing import Final

from lift.rewording.change import Draft

# Per row: symbols that measure the same thing, each with what stands in its place.
UNITS: Final[dict[str, str]] = {
    "mm": "cm", "cm": "mm", "m": "cm", "km": "m", "μm": "mm", "µm": "mm", "mg": "g", "g": "kg", "kg": "g", "t": "kg",
    "ml": "l", "mL": "L", "l": "ml", "L": "mL", "dl": "l", "cl": "l", "V": "kV", "kV": "V", "mV": "V",
    "A": "mA", "mA": "A",
    "W": "kW", "kW": "W", "MW": "kW", "Hz": "kHz", "kHz": "Hz", "MHz": "kHz", "GHz": "MHz", "Ω": "kΩ", "kΩ": "Ω",
    "MΩ": "kΩ", "mΩ": "Ω", "μF": "nF", "µF": "nF", "nF": "μF", "pF": "nF", "mAh": "Ah", "Ah": "mAh", "mW": "W",
    "mbar": "bar", "Nm": "kNm",
    "°C": "°F", "°F": "°C", "℃": "℉", "℉": "℃", "Pa": "kPa", "kPa": "MPa", "MPa": "kPa", "N": "kN", "kN": "N",
    "MB": "GB", "GB": "MB", "TB": "GB", "KB": "MB", "oz": "lb", "lb": "oz", "lbs": "oz", "ft": "in",
    "mm²": "cm²", "cm²": "mm²",
    "m²": "cm²", "m³": "cm³", "cm³": "m³", "inch": "feet", "inches": "feet", "feet": "inches", "kgf": "gf",
    "rpm": "rps",
    "㎜": "㎝", "㎝": "㎜", "㎏": "㎎", "㎎": "㎏",
}  # fmt: skip
for _long, _short in (
    ("centimetre", "millimetre"), ("centimeter", "millimeter"), ("metre", "centimetre"), ("meter", "centimeter"),
    ("kilometre", "metre"), ("kilometer", "meter"), ("kilogram", "gram"), ("litre", "millilitre"),
    ("liter", "milliliter"), ("kilovolt", "volt"), ("kilowatt", "watt"),
):  # fmt: skip
    UNITS.update({_long: _short, _long + "s": _short + "s"})
    UNITS.setdefault(_short, _long)
    UNITS.setdefault(_short + "s", _long + "s")
_SYMBOLS: Final = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
# Not "x 4 m": a bare "m", "g", "l", "t", "A" or "V" counts too, but never as the beginning of a word or of "5 A 3";
# other units may be followed by the next value ("10 kΩ 0.25 W").
_UNIT: Final = re.compile(
    rf"(?<![A-Za-z0-9_.,/-])(\d+(?:[.,]\d+)*)([ \u00a0]?)({_SYMBOLS})(?![A-Za-z0-9²³/'’·・-]|(?<=[\s\d][A-Za-z]) \d)"
)
_RANGE: Final = re.compile(r"[-–~〜]\s*$")
_NOT_UNITS: Final = frozenset({"5G", "4G", "3G", "2G", "3D", "2D"})

_PART: Final = re.compile(
    r"(?<![A-Za-z0-9_.,/:@-])(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*\d{2})[A-Z0-9]{1,8}(?:-[A-Z0-9]{1,8}){0,4}(?![A-Za-z0-9@]|[.,:/-]\d)",
    re.ASCII,
)
_LABELLED: Final = re.compile(r"(?<=[#.:：番号 ])\d{4,14}\b")
_LABEL: Final = re.compile(
    r"(?:\b(?:EAN|SKU|P/N|(?:part|item|serial|lot) (?:number|no\.?))|品番|型番|番号|型式)\s*[#:：]?\s*$", re.IGNORECASE
)  # fmt: skip
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
# Codes that are names of standards, sizes, years or measures.
_COMMON: Final = re.compile(
    r"(?:COVID|CO|UTF|ISO|DIN|JIS|MP|UV|RTX|USB|RS|H|A|B|AA)-?\d{1,2}|(?:ISO|DIN|JIS)-?[A-Z]?-?\d+|FY\d+|Q\d|[A-Z]\d{1,2}|"
    r"\d+(?:MM|CM|KG|KM|ML|GB|MB|TB|KB|V|W|A|G|K|M|L|X|P|D|ST|ND|RD|TH|S|AM|PM|MHZ|HZ|H|F|C)"
)


def unit(text: str) -> list[Draft]:
    """ "5 cm" -> "5 mm": another unit of the same dimension, never for a value of zero."""
    drafts: list[Draft] = []
    if not any(character.isdigit() for character in text):
        return drafts
    for match in _UNIT.finditer(text):
        value, _, symbol = match.groups()
        if value.strip("0.,") == "" or match[0].replace(" ", "") in _NOT_UNITS:
            continue
        if (
            len(symbol) == 1
            and symbol in "At"
            and text[match.end() : match.end() + 1].strip() not in ("", ".", ",", ")", "。", "、")
        ):
            continue
        # In "5-10 cm" or "5 mm x 10 mm" other values would be left with the old unit.
        if _RANGE.search(text, 0, match.start()) or len(_UNIT.findall(text)) > 3:
            continue
        drafts.append([(*match.span(3), UNITS[symbol])])
    return drafts


def part_number(text: str) -> list[Draft]:
    """ "ABC-1234" -> "ABC-1243": two neighbouring digits change places, or one digit is another."""
    drafts: list[Draft] = []
    if not any(character.isdigit() for character in text):
        return drafts
    spans = [match.span() for match in _PART.finditer(text) if _is_part(match[0])]
    spans += [
        m.span() for m in _LABELLED.finditer(text) if _LABEL.search(text, max(0, m.start() - 20), m.start())
    ]
    for start, end in spans:
        runs = list(_DIGITS.finditer(text, start, end))
        longest = max(reversed(runs), key=lambda run: run.end() - run.start())
        at, digits = longest.start(), longest[0]
        swaps = [
            i for i in range(len(digits) - 1) if digits[i] != digits[i + 1] and (i > 0 or digits[1] != "0")
        ]
        for i in swaps[-2:]:
            drafts.append([(at + i, at + i + 2, digits[i + 1] + digits[i])])
        last = digits[-1]
        drafts.append(
            [(at + len(digits) - 1, at + len(digits), "3" if last == "8" else str((int(last) + 5) % 10))]
        )
    known = [text[start:end] for start, end in spans]
    return [_whole(text, draft, spans) for draft in drafts if _whole(text, draft, spans)[0][2] not in known]


def _whole(text: str, draft: Draft, spans: list[tuple[int, int]]) -> Draft:
    """The edit of digits as an edit of the whole part number, which is what a report should show."""
    (start, end, new) = draft[0]
    first, last = next(span for span in spans if span[0] <= start < span[1])
    return [(first, last, text[first:start] + new + text[end:last])]


def _is_part(code: str) -> bool:
    """Whether it is a code of its own: three or more figures, or letters and figures joined by a hyphen."""
    if _COMMON.fullmatch(code):
        return False
    figures = sum(character.isdigit() for character in code)
    return figures >= 3 or ("-" in code and figures >= 2 and not code.replace("-", "").isdigit())
